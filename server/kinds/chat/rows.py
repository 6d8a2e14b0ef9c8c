"""What chat keeps beside its log: a row for each room, a projection of its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

PREVIEW_CHARS = 200
"""How much of a room's newest message stands in the list of rooms."""


@dataclass(frozen=True, slots=True)
class RoomTouched:
    """A change: somebody spoke in a room (the first message makes the room).

    `text` is a `preview` of the message, `time_ms` the publication's own time. Each
    counts as one message.
    """

    channel: str
    room: str
    text: str
    author_name: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in the list of rooms; `messages` were sent since `created_ms`."""

    name: str
    created_ms: int
    last_text: str
    last_author: str
    last_ms: int
    messages: int


class ChatRows(Protocol):
    """What chat and its pages read of the rooms."""

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """Return up to `limit` rooms, the one spoken in last first."""


def preview(text: str) -> str:
    """Return a message in one line of at most `PREVIEW_CHARS` characters."""
    # Four times as much holds the line also where half of it is white space, and
    # spares splitting a whole frame's worth of text for two hundred characters.
    line = " ".join(text[: 4 * PREVIEW_CHARS].split())
    if len(line) <= PREVIEW_CHARS:
        return line
    return line[: PREVIEW_CHARS - 1] + "\N{HORIZONTAL ELLIPSIS}"
