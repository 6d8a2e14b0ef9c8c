"""What people do, for the dashboard's tiles: newest lines, and notes in work.

Told on `hub:activity` when it changed, at most once a second. Rows are read only when
something was kept since the last look; who is in a note is looked up in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..model import SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..hub.hub import Hub
    from ..kinds.chat.rows import ChatRows, RoomRow
    from ..kinds.notes.rows import NoteRow, NoteRows
    from ..model import JSON, Publication

ROOMS: Final = 5
LINES: Final = 5
NOTES: Final = 4
NOTES_LOOKED_AT: Final = 20
FACES: Final = 5
LINE_CHARS: Final = 160


class _Line(NamedTuple):
    time_ms: int
    offset: int
    shown: dict[str, JSON]


class Activity:
    """Looks at chat and notes, and says what there is when it is not what was."""

    def __init__(self, hub: Hub, chat: ChatRows, notes: NoteRows) -> None:
        self._hub = hub
        self._chat = chat
        self._notes = notes
        self._seen = (-1, -1)
        self._rooms: dict[str, tuple[RoomRow, list[_Line]]] = {}
        self._lines: list[JSON] = []
        self._rows: Sequence[NoteRow] = ()
        self._told: JSON = None

    async def news(self) -> JSON:
        """Return what is to be shown, or None where it is what was shown before.

        `lines`: the newest over all rooms, newest first. `notes`: those that somebody
        has open, then those edited last, each with its `people`.
        """
        accepted = self._hub.stats.accepted
        chat, notes = accepted["chat"], accepted["notes"]
        if chat != self._seen[0]:
            self._lines = await self._read_lines()
        if notes != self._seen[1]:
            self._rows = await self._notes.notes(NOTES_LOOKED_AT)
        self._seen = (chat, notes)
        found: JSON = {"lines": self._lines, "notes": self._in_work()}
        if found == self._told:
            return None
        self._told = found
        return found

    async def _read_lines(self) -> list[JSON]:
        rooms: dict[str, tuple[RoomRow, list[_Line]]] = {}
        for row in await self._chat.rooms(ROOMS):
            known = self._rooms.get(row.name)
            if known is not None and known[0] == row:
                rooms[row.name] = known
            else:
                rooms[row.name] = (row, await self._lines_of(row.name))
        self._rooms = rooms
        lines = [line for _, found in rooms.values() for line in found]
        lines.sort(key=lambda line: (line.time_ms, line.offset), reverse=True)
        return [line.shown for line in lines[:LINES]]

    async def _lines_of(self, room: str) -> list[_Line]:
        page = await self._hub.history(SERVER, f"chat:{room}", limit=LINES)
        return [
            line
            for said in page.publications
            if (line := _line(room, said)) is not None
        ]

    def _in_work(self) -> list[JSON]:
        notes = [(self._people(row.name), row) for row in self._rows]
        # Sorting is stable: those edited last stay in front among their like.
        notes.sort(key=lambda found: not found[0])
        return [
            {
                "name": row.name,
                "title": row.title,
                "time": row.updated_ms,
                "by": row.updated_by,
                "people": people,
            }
            for people, row in notes[:NOTES]
        ]

    def _people(self, note: str) -> list[JSON]:
        channel = self._hub.channels.get(f"notes:{note}")
        if channel is None:
            return []
        return [
            {"id": member.user.id, "name": member.user.name}
            for member in channel.presence.members(FACES)
        ]


def _line(room: str, said: Publication) -> _Line | None:
    content = said.content
    text = content.get("text") if isinstance(content, dict) else None
    if said.event != "message" or not isinstance(text, str):
        return None
    author = said.author or SERVER
    shown: dict[str, JSON] = {
        "room": room,
        "from": {"id": author.id, "name": author.name},
        "text": " ".join(text[: 4 * LINE_CHARS].split())[:LINE_CHARS],
        "time": said.time_ms,
        "position": str(said.position),
    }
    return _Line(said.time_ms, said.position.offset, shown)
