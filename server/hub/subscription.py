"""A session's place in one channel, and how it comes to be live there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..errors import SLOW
from ..model import Publication, Reset
from .fanout import Frames, give

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Position, Told
    from ..seams.wire import Wire
    from .session import Session

HELD_BROADCASTS = 10_000
"""A joiner for whom more than this is held back is too slow."""


class Subscription:
    """A session's place in one channel.

    `epoch` and `offset` are the place of the newest publication that it was given.
    While it joins, `held` gathers what is live; afterwards it is None. `direct` is the
    session's wire while publications may go straight there, in the words of `codec`;
    None: they go through the outbox (`Session.settle`).
    """

    __slots__ = ("codec", "direct", "epoch", "held", "offset", "presence", "session")

    def __init__(self, session: Session, *, presence: bool) -> None:
        self.session = session
        self.codec = session.codec
        self.direct: Wire | None = None
        self.presence = presence
        self.epoch = ""
        self.offset = -1
        self.held: deque[Told] | None = deque()

    def hold(self, broadcast: Told) -> None:
        """Keep what is live until the past has been told; too much ends the session."""
        if self.held is not None:
            self.held.append(broadcast)
            if len(self.held) > HELD_BROADCASTS:
                self.held.clear()
                self.session.close(SLOW)

    def at(self, position: Position) -> None:
        """Go to another place, as a new stream begins."""
        self.epoch, self.offset = position.epoch, position.offset

    def is_past(self, position: Position) -> bool:
        """Whether it has been given all up to a position, of the same stream."""
        return self.epoch == position.epoch and self.offset >= position.offset

    def takes(self, position: Position) -> bool:
        """Go on to a publication; False: it is not newer, or of another stream."""
        if position.offset <= self.offset or position.epoch != self.epoch:
            return False
        self.offset = position.offset
        return True

    def go_live(self, at: Position) -> None:
        """Give what was held back and is newer than the past; hold nothing from now."""
        self.at(at)
        held, self.held = self.held or deque(), None
        for broadcast in tuple(_since(at, held)):
            give(Frames(broadcast), (self,))
        self.session.settle()

    def end(self) -> None:
        """Take nothing more: a fan-out that is under way may still hold this one."""
        self.held = deque(maxlen=0)
        self.direct = None


def _since(at: Position, held: deque[Told]) -> Iterator[Told]:
    """Yield what the past up to `at` does not say already.

    Where the stream became the one of `at` meanwhile, the past is of the new one: what
    was held of the old one is of no use, nor is it news that it ended.
    """
    begun = [
        index
        for index, each in enumerate(held)
        if isinstance(each, Reset) and each.position.epoch == at.epoch
    ]
    told = begun[-1] if begun else -1
    for index, each in enumerate(held):
        if index > told or not isinstance(each, Publication | Reset):
            yield each
