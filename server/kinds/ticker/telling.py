"""Tells this node's readers what the tape brought: quotes, trades and open bars.

They leave as signals, most of them keyed: for a slow reader they are merged or dropped.
They are made on every node from the one tape, for the channels that somebody has open
there, so that they need not travel.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ...errors import Lagged, Refusal, Unrecoverable
from ...model import JSON, Signal
from . import shown
from .feed import channel_of
from .tape import TAPE

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...runtime.clock import Clock
    from .floor import Floor, Moved
    from .follower import Follower

logger = logging.getLogger("hubbub.ticker")

MARKET = "ticker:market"
"""The channel of the whole board."""

RETRY_S = 0.5
"""So often is a tape asked for that cannot be had."""
LOAD_S = 1.0
"""So often is the market read anew where what came does not join what is known."""


class Teller:
    """Keeps a floor with the tape, and its readers with the floor."""

    def __init__(self, hub: Hub, clock: Clock, follower: Follower) -> None:
        self._hub = hub
        self._clock = clock
        self._follower = follower
        self._loaded_s = clock.monotonic()

    async def run(self) -> None:
        """Go on for ever. After a stall it tells once where things stand."""
        while True:
            try:
                await self._listen()
            except (Lagged, Unrecoverable):
                # The floor is a fold: it has taken all that came, or is read anew.
                logger.info("the tape is listened to again")
            except Refusal as refusal:
                logger.info("no tape: %s", refusal)
                await self._hub.pause(RETRY_S)
            except Exception:
                # A market that nobody follows any more would look alive for ever.
                logger.exception("the tape cannot be followed")
                await self._hub.pause(RETRY_S)

    async def _listen(self) -> None:
        async with aclosing(self._hub.subscribe(TAPE)) as tape:
            async for _ in tape:
                await self._stand()
                self._tell()

    async def _stand(self) -> None:
        """Read the market anew where the floor is not that of the tape."""
        now_s = self._clock.monotonic()
        if self._follower.at is None and now_s >= self._loaded_s + LOAD_S:
            self._loaded_s = now_s
            await self._follower.load_again()

    def _tell(self) -> None:
        floor = self._follower.floor
        if floor is None:
            return
        now_ms = self._clock.now_ms()
        for channel, event, content, key in self._signals(
            floor, self._follower.moved()
        ):
            self._hub.stats.signals += 1
            self._hub.deliver(Signal(channel, event, content, None, now_ms, key))

    def _signals(
        self, floor: Floor, moved: Moved
    ) -> Iterator[tuple[str, str, JSON, str | None]]:
        """Yield (channel, event, content, key) of what may be merged."""
        board = self._is_open(MARKET)
        watched = {code for code in floor.symbols if self._is_open(channel_of(code))}
        for code in moved.trades.keys() & watched:
            for trade in moved.trades[code]:
                yield channel_of(code), "trade", shown.of_trade(trade), None
        for code, quote in moved.quotes.items():
            words = shown.of_quote(quote, floor.status(code))
            if board:
                yield MARKET, "quote", words, code
            if code in watched:
                yield channel_of(code), "quote", words, code
        for (code, interval), bar in moved.open_bars.items():
            if code in watched and interval in shown.SHOWN:
                yield (
                    channel_of(code),
                    "bar",
                    shown.of_bar(bar),
                    f"bar:{interval.value}",
                )

    def _is_open(self, name: str) -> bool:
        """Whether somebody here has a channel, or is just about to."""
        channel = self._hub.channels.get(name)
        return channel is not None and not channel.idle
