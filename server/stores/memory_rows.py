"""The rows that kinds keep beside the log, in dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds.chat.rows import RoomRow, RoomTouched
from ..kinds.notes.rows import NoteRow, NoteTouched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..seams.log import Change


class MemoryChatRows:
    """`ChatRows` in a dict."""

    def __init__(self) -> None:
        self._rooms: dict[str, RoomRow] = {}

    def touch(self, change: Change) -> None:
        """Apply a `RoomTouched`."""
        if not isinstance(change, RoomTouched):
            raise TypeError(type(change).__name__)
        known = self._rooms.get(change.room)
        self._rooms[change.room] = RoomRow(
            name=change.room,
            created_ms=known.created_ms if known else change.time_ms,
            last_text=change.text,
            last_author=change.author_name,
            last_ms=change.time_ms,
            messages=known.messages + 1 if known else 1,
        )

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """Return up to `limit` rooms, the one spoken in last first."""
        newest = sorted(self._rooms.values(), key=lambda row: (-row.last_ms, row.name))
        return newest[:limit]


class MemoryNoteRows:
    """`NoteRows` in a dict."""

    def __init__(self) -> None:
        self._notes: dict[str, NoteRow] = {}

    def touch(self, change: Change) -> None:
        """Apply a `NoteTouched`."""
        if not isinstance(change, NoteTouched):
            raise TypeError(type(change).__name__)
        known = self._notes.get(change.name)
        self._notes[change.name] = NoteRow(
            name=change.name,
            title=change.title,
            created_ms=known.created_ms if known else change.time_ms,
            updated_ms=change.time_ms,
            updated_by=change.author_name,
            chars=change.chars,
        )

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """Return up to `limit` notes, the one edited last first."""
        newest = sorted(
            self._notes.values(), key=lambda row: (-row.updated_ms, row.name)
        )
        return newest[:limit]
