"""The feed: moves the market on with the time and writes its tape, on one node.

What may be merged (quotes, trades, open bars) every node makes of the tape for its own
readers. What may not be lost, closed bars and halts, is published here, once for all,
after the strip that brought it; its key lets the next leader do it again without harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from ...errors import UNAVAILABLE, Refusal
from ...model import SERVER, Event
from . import shown
from .bars import Bar
from .snapshots import Writer
from .tape import TAPE, Step, Strip, advance, encode

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...model import Fence, Position
    from ...runtime.clock import Clock
    from ...seams.log import Outcome
    from .follower import Closing, Follower
    from .market import Market

logger = logging.getLogger("hubbub.ticker")

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

SUSPENDED_MS = 2_000
"""How far the wall clock may be ahead before the feed believes it."""

REACH_S = 2.0
"""How long a strip that was kept may take to come back to this node."""

SNAPSHOT_STRIPS = 250
SNAPSHOT_MS = 60_000
"""A snapshot is written after so many strips, or so much of the market's time: the
history, of 600, has room for one that fails. With 10 strips a second that is at most
60 KB a second to the log; the tape itself is 4."""
AGAIN_STRIPS = 10
"""After so many strips a snapshot that failed is tried again."""


def channel_of(code: str) -> str:
    """Return the channel of one symbol."""
    return f"ticker:{code}"


class FeedTime:
    """Milliseconds since 1970 that never go back, not even where the wall clock does.

    They go at the pace of the monotonic clock, which stands still while a machine
    sleeps: when the wall clock is far ahead, they leap to it. They begin at `from_ms`
    where that is later than now: the clock of the leader before was ahead of this one.
    """

    def __init__(self, clock: Clock, from_ms: int = 0) -> None:
        self._clock = clock
        self._offset_ms = max(clock.now_ms(), from_ms) - self._passed_ms()

    def now_ms(self) -> int:
        """Return the time."""
        ahead_ms = self._clock.now_ms() - self._passed_ms() - self._offset_ms
        if ahead_ms > SUSPENDED_MS:
            self._offset_ms += ahead_ms
        return self._passed_ms() + self._offset_ms

    def _passed_ms(self) -> int:
        return round(self._clock.monotonic() * 1_000)


class Feed:
    """Writes the tape of a market, one strip each `period_s`.

    The market stands where the floor of `follower` does. `strips` is how many there are
    since the newest snapshot.
    """

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        follower: Follower,
        market: Market,
        fence: Fence,
        *,
        period_s: float,
        strips: int,
        sleep: Sleep,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._follower = follower
        self._market = market
        self._fence = fence
        self._period_s = period_s
        self._strips = strips
        self._sleep = sleep
        self._snapshot_ms = market.now_ms
        self._writer = Writer()
        self._told_ms = 0
        self._refused = False

    async def run(self) -> None:
        """Go on until the tape takes no more: raises `Refusal`, or `TimeoutError`.

        After a stall it tells once where things stand.
        """
        time = FeedTime(self._clock, self._market.now_ms)
        due_s = self._clock.monotonic()
        await self._publish()
        await self._snapshot()
        while True:
            strip = await self._advance(time)
            if strip.steps:
                await self._write(strip)
                await self._publish()
                await self._snapshot()
            now_s = self._clock.monotonic()
            due_s = max(due_s + self._period_s, now_s)
            await self._sleep(due_s - now_s)

    async def _advance(self, time: FeedTime) -> Strip:
        was_ms, steps = self._market.now_ms, list[Step]()
        while (step := advance(self._market, time.now_ms())) is not None:
            if steps:
                # A step is short; between two of them others have their turn.
                await asyncio.sleep(0)
            steps.append(step)
        return Strip(was_ms, self._told_ms, steps)

    async def _write(self, strip: Strip) -> None:
        before = self._follower.at
        at = await write(self._hub, strip, self._fence)
        async with asyncio.timeout(REACH_S):
            await self._follower.reach(at)
        self._strips += 1
        if before is not None and before.epoch != at.epoch:
            # The tape was lost, and with it the snapshot that others begin with.
            self._strips = SNAPSHOT_STRIPS

    async def _publish(self) -> None:
        """Publish what may not be lost; all of it goes with one commit."""
        closings, told_ms = tuple(self._follower.closings), self._market.now_ms
        futures: list[asyncio.Future[Outcome | None]] = []
        try:
            for _, closing in closings:
                event = _event_of(closing, self._fence)
                channel = channel_of(closing.symbol)
                futures.append(await self._hub.submit(SERVER, channel, event))
            for future in futures:
                self._hub.judge(await future)
        except Refusal as refusal:
            # They stay, and go with the next strip.
            if not (self._refused or self._hub.stopping):
                logger.warning("bars not published: %s", refusal)
            self._refused = True
        else:
            self._refused, self._told_ms = False, told_ms
            self._follower.published(told_ms)

    async def _snapshot(self) -> None:
        """Write a snapshot if it is time: of what is published to the last bar."""
        age_ms = self._market.now_ms - self._snapshot_ms
        if self._strips < SNAPSHOT_STRIPS and age_ms < SNAPSHOT_MS:
            return
        follower = self._follower
        at, floor = follower.at, follower.floor
        if at is None or floor is None or follower.closings:
            return
        self._snapshot_ms = self._market.now_ms
        try:
            state = await self._writer.write(self._market, floor)
            await follower.log.snapshot(TAPE, at, state)
        except Exception:
            logger.exception("the market's snapshot cannot be written")
            self._strips = SNAPSHOT_STRIPS - AGAIN_STRIPS
        else:
            self._strips = 0


async def write(hub: Hub, strip: Strip, fence: Fence) -> Position:
    """Put a strip on the tape; return its position. Raises `Refusal`."""
    event = Event("strip", encode(strip), fence=fence)
    position = hub.judge(await (await hub.submit(SERVER, TAPE, event)))
    if position is None:
        raise Refusal(UNAVAILABLE)
    return position


def _event_of(closing: Closing, fence: Fence) -> Event:
    if isinstance(closing, Bar):
        key = f"bar:{closing.interval.value}:{closing.start_ms}:{closing.trades}"
        return Event("bar", shown.of_bar(closing), key, fence=fence)
    key = f"status:{closing.seq}:{closing.time_ms}"
    return Event("status", shown.of_status(closing), key, fence=fence)
