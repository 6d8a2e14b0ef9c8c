"""What waits for a channel's pump, in order, and what must come before its first. Pure.

It is bounded: what does not fit is dropped, and of the publications that were, the
newest place is known, so that they are read from the log when those before have gone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TOO_MANY_REQUESTS, Refusal
from ..model import Position, Publication, Reset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model import Broadcast, Told

WAITING_BROADCASTS = 2_000
"""Above this many that wait for their fan-out, publishing is refused."""
INBOX_BROADCASTS = 4_000
"""Above this many no more wait: other nodes do not know how busy this one is."""


@dataclass(frozen=True, slots=True)
class Known:
    """The log reaches up to a position: what is before it must have come."""

    position: Position


class Inbox:
    """The broadcasts that wait in one channel."""

    __slots__ = ("_dropped", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Broadcast | Known] = deque()
        self._dropped: Position | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __bool__(self) -> bool:
        return bool(self._waiting) or self._dropped is not None

    def put(self, broadcast: Broadcast) -> bool:
        """Take one; False: it does not fit, and was dropped."""
        if len(self._waiting) < INBOX_BROADCASTS:
            self._waiting.append(broadcast)
            return True
        if isinstance(broadcast, Publication):
            self._dropped = broadcast.position
        return False

    def check_room(self) -> None:
        """Raise `Refusal` (too many requests) when too much waits for its fan-out."""
        if len(self._waiting) >= WAITING_BROADCASTS:
            raise Refusal(TOO_MANY_REQUESTS)

    def expect(self, top: Position) -> None:
        """Know that the log has all up to here, whether it comes or not."""
        self._waiting.append(Known(top))

    def extend(self, told: Iterable[Told]) -> None:
        """Take what is only to be told."""
        self._waiting.extend(told)

    def first(self) -> Broadcast | Known | None:
        """Return what is to be handled next; None: nothing."""
        if not self._waiting and self._dropped is not None:
            self._waiting.append(Known(self._dropped))
            self._dropped = None
        return self._waiting[0] if self._waiting else None

    def pop(self) -> Broadcast | Known:
        """Take out the first."""
        return self._waiting.popleft()

    def needs(self) -> Position | None:
        """Return up to where all must have come before the first; None: anywhere."""
        first = self.first()
        if isinstance(first, Known):
            return first.position
        if isinstance(first, Publication):
            return Position(first.position.epoch, first.position.offset - 1)
        return None

    def lacks(self, top: Position | None) -> bool:
        """Whether something is missing between `top` and the first."""
        needed = self.needs()
        if needed is None or top is None:
            return False
        return needed.epoch != top.epoch or needed.offset > top.offset

    def mend(self, missing: Sequence[Publication]) -> None:
        """Put what was missing before the first."""
        self._waiting.extendleft(reversed(missing))

    def begin(self, reset: Reset) -> None:
        """Put the beginning of a new stream before the first."""
        self._waiting.appendleft(reset)

    def drop_publications(self) -> None:
        """Let go of what is of a stream that ended."""
        self._dropped = None
        self._waiting = deque(
            each for each in self._waiting if not isinstance(each, Publication | Known)
        )

    def clear(self) -> None:
        """Let go of everything."""
        self._dropped = None
        self._waiting.clear()
