"""A session's place in one channel, and how it comes to be live there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SLOW

if TYPE_CHECKING:
    from ..model import Broadcast
    from .session import Session

HELD_BROADCASTS = 10_000
"""A joiner for whom more than this is held back is too slow."""


class Subscription:
    """A session's place in one channel.

    `offset` is the newest publication it has been given. While it joins, `held` gathers
    what is live; afterwards it is None.
    """

    __slots__ = ("held", "offset", "presence", "session")

    def __init__(self, session: Session, *, presence: bool) -> None:
        self.session = session
        self.presence = presence
        self.offset = -1
        self.held: list[Broadcast] | None = []

    def hold(self, broadcast: Broadcast) -> None:
        """Keep what is live until the past has been told; too much ends the session."""
        if self.held is not None:
            self.held.append(broadcast)
            if len(self.held) > HELD_BROADCASTS:
                self.held.clear()
                self.session.close(SLOW)

    def go_live(self, at: int) -> None:
        """Give what was held back and is newer than the past; hold nothing from now."""
        self.offset = at
        held, self.held = self.held or [], None
        for broadcast in held:
            self.session.offer(broadcast, self)
