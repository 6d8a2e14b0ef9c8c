"""What notes keep beside their log: a row for each note, for lists and tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class NoteTouched:
    """A change: somebody edited a note (the first edit makes it).

    `name` is the note's place in its channel's name, `title` what people call it,
    `chars` its length in characters after the edit.
    """

    channel: str
    name: str
    title: str
    time_ms: int
    author_name: str
    chars: int


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A note in the list of notes."""

    name: str
    title: str
    created_ms: int
    updated_ms: int
    updated_by: str
    chars: int


class NoteRows(Protocol):
    """What notes and their pages read of the list of notes."""

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """Return up to `limit` notes, the one edited last first."""
