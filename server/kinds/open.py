"""The kind without rules: whoever may subscribe may say anything in JSON.

It may be configured several times under different names. A *lab* channel
(`open:lab-<user id>`, with anything after a further dot) is its user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BAD_REQUEST, PERMISSION_DENIED, UNKNOWN_CHANNEL, Refusal
from ..model import SERVER, Action, Signal, split_channel
from ..seams.kind import Follows, Policy, Refused, Say, from_history

if TYPE_CHECKING:
    from ..model import Event, Position, Principal, Publication, Since
    from ..runtime.clock import Clock
    from ..seams.kind import Accepted, CatchUp
    from ..seams.log import Log

LAB = "lab-"


class OpenKind:
    """Passes on what it is given.

    `writers` None: everybody writes; else only the server does (`frozenset()`), or the
    users with these ids.
    """

    def __init__(
        self,
        clock: Clock,
        policy: Policy | None = None,
        writers: frozenset[str] | None = None,
    ) -> None:
        self._clock = clock
        self._policy = policy or Policy()
        self._writers = writers

    @property
    def policy(self) -> Policy:
        """See `Kind.policy`."""
        return self._policy

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """See `Kind.authorize`."""
        name = split_channel(channel)[1]
        if name != name.lower():
            raise Refusal(UNKNOWN_CHANNEL)
        if name.startswith(LAB):
            owner = name.removeprefix(LAB).partition(".")[0]
            if owner != who.id:
                raise Refusal(PERMISSION_DENIED)
        elif (
            action in (Action.PUBLISH, Action.SIGNAL)
            and self._writers is not None
            and who.id not in self._writers
        ):
            raise Refusal(PERMISSION_DENIED)

    async def load(self, channel: str, log: Log) -> Position:
        """See `Kind.load`."""
        return await log.top(channel)

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take any JSON."""
        content = event.content
        if isinstance(content, bytes):
            return Refused(BAD_REQUEST.because("only JSON"))
        if not event.signal:
            return Follows(says=(Say(channel, event.name, content),))
        author = None if who is SERVER else who
        now_ms = self._clock.now_ms()
        signal = Signal(channel, event.name, content, author, now_ms, event.key)
        return Follows(signals=(signal,))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """See `Kind.catch_up`."""
        return await from_history(self._policy, channel, since, log)

    def fold(self, publication: Publication) -> Publication:
        """Keep no state."""
        return publication

    def retract(self, channel: str) -> None:
        """Keep nothing that was not kept."""

    def forget(self, channel: str) -> None:
        """Keep no state."""
