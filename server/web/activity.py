"""What people do, for the dashboard's tiles: newest lines, and notes in work.

Told on `hub:activity` when it changed, at most once a second. Rows are read only when
something was kept since the last look; who is in a note is looked up in memory. What
other nodes keep, and whom they have, is not known here: where there are any, rows and
rolls are read every other second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..model import SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..hub.hub import Hub
    from ..kinds.chat.rows import ChatRows, RoomRow
    from ..kinds.notes.rows import NoteRow, NoteRows
    from ..model import JSON, Principal, Publication

ROOMS: Final = 5
LINES: Final = 5
NOTES: Final = 4
NOTES_LOOKED_AT: Final = 20
FACES: Final = 5
LINE_CHARS: Final = 160
LOOKS_A_READING: Final = 2


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
        self._nodes: Sequence[str] = ()
        self._looks = 0
        self._rooms: dict[str, tuple[RoomRow, list[_Line]]] = {}
        self._lines: list[JSON] = []
        self._rows: Sequence[NoteRow] = ()
        self._elsewhere: dict[str, list[JSON]] = {}
        """Who is in the notes that are not open on this node."""
        self._told: JSON = None

    async def news(self) -> JSON:
        """Return what is to be shown, or None where it is what was shown before.

        `lines`: the newest over all rooms, newest first. `notes`: those that somebody
        has open, then those edited last, each with its `people`.
        """
        accepted, due = self._hub.stats.accepted, self._is_due()
        chat, notes = accepted["chat"], accepted["notes"]
        if due or chat != self._seen[0]:
            self._lines = await self._read_lines()
        if due or notes != self._seen[1]:
            self._rows = await self._notes.notes(NOTES_LOOKED_AT)
        if due:
            self._elsewhere = await self._read_rolls()
        self._seen = (chat, notes)
        found: JSON = {"lines": self._lines, "notes": self._in_work()}
        if found == self._told:
            return None
        self._told = found
        return found

    def _is_due(self) -> bool:
        """Whether to read what other nodes may have changed, or a lost one had."""
        before = self._nodes
        self._nodes = [node.id for node in self._hub.backplane.nodes()]
        self._looks += 1
        return self._nodes != before or (
            len(self._nodes) > 1 and self._looks % LOOKS_A_READING == 0
        )

    async def _read_rolls(self) -> dict[str, list[JSON]]:
        return {
            row.name: await self._read_roll(row.name)
            for row in self._rows
            if len(self._nodes) > 1 and f"notes:{row.name}" not in self._hub.channels
        }

    async def _read_roll(self, note: str) -> list[JSON]:
        rolls = await self._hub.backplane.roll(f"notes:{note}")
        people = {
            attendance.user.id: attendance.user
            for roll in rolls
            for attendance in roll.attendances
        }
        # In one order, whichever node answers first: else it would look like news.
        found = sorted(people.values(), key=lambda user: (user.name, user.id))
        return [_face(user) for user in found[:FACES]]

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
            return self._elsewhere.get(note, [])
        return [_face(member.user) for member in channel.roster.presence.members(FACES)]


def _face(who: Principal) -> JSON:
    return {"id": who.id, "name": who.name}


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
