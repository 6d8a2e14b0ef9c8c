"""The feed: moves the floor on with the time, and tells the hub what happened.

Quotes and open bars leave as keyed signals, trades as signals: for a slow reader they
are merged or dropped. Closed bars and halts are publications, which are not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from ...errors import Refusal
from ...model import JSON, SERVER, Event, Signal
from . import shown
from .bars import Interval
from .floor import Floor, Moved

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...hub.ports import Outcome
    from ...runtime.clock import Clock

logger = logging.getLogger("hubbub.ticker")

Sleep: TypeAlias = Callable[[float], Awaitable[None]]

MARKET = "ticker:market"
"""The channel of the whole board."""

SUSPENDED_MS = 2_000
"""How far the wall clock may be ahead before the feed believes it."""


def channel_of(code: str) -> str:
    """Return the channel of one symbol."""
    return f"ticker:{code}"


class FeedTime:
    """Milliseconds since 1970 that never go back, not even where the wall clock does.

    They go at the pace of the monotonic clock, which stands still while a machine
    sleeps: when the wall clock is far ahead, they leap to it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = clock.now_ms() - self._passed_ms()

    def now_ms(self) -> int:
        """Return the time."""
        ahead_ms = self._clock.now_ms() - self._passed_ms() - self._offset_ms
        if ahead_ms > SUSPENDED_MS:
            self._offset_ms += ahead_ms
        return self._passed_ms() + self._offset_ms

    def _passed_ms(self) -> int:
        return round(self._clock.monotonic() * 1_000)


class Feed:
    """Brings a floor to its readers, `updates_hz` times a second."""

    def __init__(
        self, hub: Hub, clock: Clock, floor: Floor, updates_hz: float, sleep: Sleep
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._floor = floor
        self._period_s = 1.0 / updates_hz
        self._sleep = sleep

    async def run(self) -> None:
        """Go on for ever. After a stall it tells once where things stand."""
        time, due_s = FeedTime(self._clock), self._clock.monotonic()
        while True:
            moved = await self._advance(time)
            self._signal(moved)
            await self._publish(moved)
            now_s = self._clock.monotonic()
            due_s = max(due_s + self._period_s, now_s)
            await self._sleep(due_s - now_s)

    async def _advance(self, time: FeedTime) -> Moved:
        moved = Moved()
        while True:
            if self._floor.advance(time.now_ms(), moved):
                return moved
            # A step is short; between two of them others have their turn.
            await asyncio.sleep(0)

    def _signal(self, moved: Moved) -> None:
        now_ms = self._clock.now_ms()
        try:
            for channel, event, content, key in self._signals(moved):
                self._hub.send_signal(
                    Signal(channel, event, content, None, now_ms, key)
                )
        except Refusal as refusal:
            logger.warning("quotes not sent: %s", refusal)

    def _signals(self, moved: Moved) -> Iterator[tuple[str, str, JSON, str | None]]:
        """Yield (channel, event, content, key) of what may be merged."""
        for code, trades in moved.trades.items():
            for trade in trades:
                yield channel_of(code), "trade", shown.of_trade(trade), None
        for code, quote in moved.quotes.items():
            words = shown.of_quote(quote, self._floor.status(code))
            yield MARKET, "quote", words, code
            yield channel_of(code), "quote", words, code
        for (code, interval), bar in moved.open_bars.items():
            if interval in shown.SHOWN:
                yield (
                    channel_of(code),
                    "bar",
                    shown.of_bar(bar),
                    f"bar:{interval.value}",
                )

    async def _publish(self, moved: Moved) -> None:
        """Publish what may not be lost; all of it goes with one commit."""
        futures: list[asyncio.Future[Outcome | None]] = []
        try:
            for status in moved.statuses:
                event = Event("status", shown.of_status(status))
                channel = channel_of(status.symbol)
                futures.append(await self._hub.submit(SERVER, channel, event))
            for bar in moved.closed_bars:
                if bar.interval is Interval.SECOND:
                    continue
                event, channel = Event("bar", shown.of_bar(bar)), channel_of(bar.symbol)
                futures.append(await self._hub.submit(SERVER, channel, event))
            for future in futures:
                self._hub.judge(await future)
        except Refusal as refusal:
            logger.warning("bars not published: %s", refusal)
