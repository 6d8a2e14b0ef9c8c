"""One channel's pump: takes what came, in order, and gives it to all.

Rules:
1. Publications that wait together go as one run; everything else goes one at a time,
   each before the next.
2. What is missing before a publication is read from the log before it goes on.
3. The loop is given back after a slice; and when more was given than the flusher writes
   in a turn, the flusher goes first: a burst must not make a fast reader look slow.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..errors import HubbubError
from ..model import Joined, Left, Publication
from ..nodes.healing import Gap, read_missing
from ..queues.flusher import SLICE_S
from .fanout import Run, Spent, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model import Told
    from .channel import Channel
    from .hub import Hub

logger = logging.getLogger("hubbub.pump")

RETRY_S = 0.5
TURN_BYTES = 16 * 1024
"""What one subscriber is given until the flusher has had its turn."""


class Pump:
    """Fans out what waits in a channel's inbox."""

    def __init__(self, hub: Hub, channel: Channel) -> None:
        self._hub = hub
        self._channel = channel
        self._healing = self._waits = self._turning = False
        self._work: Iterator[None] | None = None
        self._round = self._given_bytes = 0
        self.spent = Spent(hub.stats)

    def start(self) -> None:
        """Have a turn soon, if something waits."""
        if self._channel.top is None or self._healing:
            return
        if self._channel.inbox or self._work is not None:
            self._waits = True
            self._hub.pumps.mark(self)

    def start_at_once(self) -> None:
        """Have a turn now, if nothing is under way: what came has no company to expect.

        Publications have: those of one commit come in one turn of the loop.
        """
        if not self._waits and not self._turning and self._channel.top is not None:
            self.turn(asyncio.get_running_loop().time() + SLICE_S)
        self.start()

    def turn(self, deadline: float) -> bool:
        """Go on with what came, until a time of the loop; return whether more can be.

        Called by `Pumps`.
        """
        self._turning = True
        try:
            self._waits = self._go_on(deadline)
        finally:
            self._turning = False
        return self._waits

    def _go_on(self, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        while not self._healing:
            if self._work is None:
                if self._gave_enough():
                    return True
                self._work = self._next_work()
                if self._work is None:
                    return False
            for _ in self._work:
                if loop.time() > deadline:
                    return True
            self._work = None
        return False

    def interrupted(self) -> bool:
        """Give up what failed; return whether more waits."""
        self._work = None
        self._waits = bool(self._channel.inbox)
        return self._waits

    def _gave_enough(self) -> bool:
        """Whether the flusher must write before more is given."""
        flusher = self._hub.flusher
        if flusher.rounds != self._round or not flusher.busy:
            self._round, self._given_bytes = flusher.rounds, 0
        return self._given_bytes > TURN_BYTES

    def _next_work(self) -> Iterator[None] | None:
        """Return the fan-out of what comes next; None: nothing can be fanned out."""
        while self._channel.inbox:
            if self._channel.inbox.lacks(self._channel.top):
                self._healing = True
                self._hub.tasks.spawn(self._heal(), f"heal-{self._channel.name}")
                return None
            told = self._channel.judge(self._channel.inbox.pop())
            if told:
                return self._fan_out(told)
        return None

    async def _heal(self) -> None:
        try:
            await self._read_missing()
        finally:
            self._healing = False
            if not self._hub.stopping:
                self.start()

    async def _read_missing(self) -> None:
        """Read what the backplane lost and put it before what it did not lose."""
        channel, inbox = self._channel, self._channel.inbox
        first, needed, top = inbox.first(), inbox.needs(), channel.top
        if needed is None or top is None:
            return
        try:
            missing = await read_missing(
                channel.committer.log, channel.name, top, needed
            )
        except Exception as error:
            # What waits is kept, and the next turn tries again.
            trace = None if isinstance(error, HubbubError) else error
            logger.warning(
                "channel %s: cannot read the log", channel.name, exc_info=trace
            )
            await self._hub.pause(RETRY_S)
            return
        if channel.top != top or inbox.first() is not first:
            return
        if missing is Gap.LATE:
            inbox.pop()
        elif missing is Gap.ANEW:
            logger.warning("channel %s: goes on as a new stream", channel.name)
            channel.forget()
            channel.start_epoch(needed)
        else:
            self._hub.stats.healed += len(missing)
            inbox.mend(missing)

    def _fan_out(self, told: Sequence[Told]) -> Iterator[None]:
        first = told[0]
        pending = tuple(self._channel.subscriptions.values())
        if len(told) == 1 and isinstance(first, Publication):
            run = Run(first, pending, self.spent)
            self._hear(first)
            while run.chunk_bytes < TURN_BYTES and (more := self._next_of(run)):
                self._hear(more)
                run.add(more)
            self._given_bytes += run.chunk_bytes
            yield from run.spread(self._hub.flusher)
            return
        for broadcast in told:
            self._hear(broadcast)
            if pending and self._concerns(broadcast):
                self._given_bytes += yield from spread(broadcast, pending, self.spent)

    def _next_of(self, run: Run) -> Publication | None:
        """Take what makes a run longer, if that is what comes next."""
        first = self._channel.inbox.first()
        if not isinstance(first, Publication) or not run.follows(first):
            return None
        self._channel.inbox.pop()
        return self._channel.take_in(first)

    def _hear(self, broadcast: Told) -> None:
        for listener in self._channel.listeners:
            listener.put(broadcast)

    def _concerns(self, broadcast: Told) -> bool:
        """Whether somebody is to be told: of comings and goings not all are."""
        if not isinstance(broadcast, Joined | Left):
            return True
        return any(sub.presence for sub in self._channel.subscriptions.values())
