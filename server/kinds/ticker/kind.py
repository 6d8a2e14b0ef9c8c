"""The ticker's rules: who may read what of the market, and what a joiner is told.

`ticker:market` is the whole board in one subscription, `ticker:ACME` one symbol with
its candles. Nobody but the feed speaks here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import PERMISSION_DENIED, UNAVAILABLE, UNKNOWN_CHANNEL, Refusal
from ...hub.kind import Follows, Keep, Policy, Refused, Say, from_history
from ...model import SERVER, Action, split_channel
from . import shown
from .feed import Feed, Sleep
from .floor import Floor
from .symbols import CODE, SYMBOLS, Symbol

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...hub.kind import Accepted, CatchUp
    from ...hub.ports import Log
    from ...model import Event, Position, Principal, Publication, Since
    from ...runtime.clock import Clock

BOARD = "market"

PAST_S = 24 * 3_600
"""A first start has a day behind it, and so a close of yesterday to differ from."""

OPENS_AFTER_S = 1.0
"""The past is worked out when somebody asks, or after this: not during the start."""

OPENING_S = 10.0
"""How long a joiner waits for the market to open before being told to try again."""


class TickerKind:
    """A market of twenty invented symbols. `run` must be under way for it to answer.

    `seed` repeats the market; `updates_hz` is how often it speaks; `past_s` how much
    history it begins with. `sleep` waits between two updates.
    """

    policy = Policy(
        keep=Keep.MEMORY, history_size=600, history_age_s=3_600.0, flush_interval_s=0.1
    )

    def __init__(
        self,
        clock: Clock,
        seed: str,
        updates_hz: float,
        *,
        past_s: int = PAST_S,
        symbols: Sequence[Symbol] = SYMBOLS,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._seed = seed
        self._updates_hz = updates_hz
        self._past_s = past_s
        self._symbols = symbols
        self._codes = frozenset(symbol.code for symbol in symbols)
        self._sleep = sleep
        self.floor: Floor | None = None
        """The market and its past; None before the opening."""
        self._running = False
        self._wanted = asyncio.Event()
        self._opened = asyncio.Event()

    # The market

    async def run(self, hub: Hub) -> None:
        """Open the market and feed its readers until cancelled."""
        self._running = True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(OPENS_AFTER_S):
                    await self._wanted.wait()
            now_ms = self._clock.now_ms()
            self.floor = floor = await asyncio.to_thread(
                Floor.open, self._seed, now_ms, self._past_s, self._symbols
            )
            self._opened.set()
            await Feed(hub, self._clock, floor, self._updates_hz, self._sleep).run()
        finally:
            self._running = False
            self._opened.clear()

    def board(self) -> list[shown.Words]:
        """Return a row for each symbol, in their order; none before the opening."""
        self._wanted.set()
        floor = self.floor
        if floor is None:
            return []
        return [shown.row_of_board(floor, code) for code in floor.symbols]

    def movers(self, limit: int) -> list[shown.Words]:
        """Return the `limit` rows whose price moved furthest since the day before."""
        self._wanted.set()
        floor = self.floor
        if floor is None:
            return []

        def share(code: str) -> float:
            quote = floor.quote(code)
            return abs(quote.change) / quote.prev_close

        codes = sorted(floor.symbols, key=share, reverse=True)[:limit]
        return [shown.row_of_board(floor, code) for code in codes]

    # What a kind does

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Let everybody read the symbols there are, and nobody speak."""
        name = split_channel(channel)[1]
        if name != BOARD and CODE.fullmatch(name) is None:
            raise Refusal(UNKNOWN_CHANNEL)
        if name != BOARD and name not in self._codes:
            raise Refusal(PERMISSION_DENIED)
        if action in (Action.PUBLISH, Action.SIGNAL):
            raise Refusal(PERMISSION_DENIED)

    async def load(self, channel: str, log: Log) -> Position:
        """See `Kind.load`."""
        return await log.top(channel)

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take what the feed publishes."""
        if who is not SERVER or event.signal:
            return Refused(PERMISSION_DENIED)
        return Follows(says=(Say(channel, event.name, event.content),))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """Tell the missed publications where they are there, and the state always.

        Quotes and open bars have no position, so only the state can bring them up to
        date; with `recovered` it leaves out the closed bars. The position is read
        before the state: what comes between is told twice, and replaces itself.
        """
        floor = await self._open()
        past = await from_history(self.policy, channel, since, log)
        name = split_channel(channel)[1]
        if name == BOARD:
            return replace(past, state=shown.of_market(floor))
        state = shown.of_one(floor, name, past=not past.recovered)
        return replace(past, state=state)

    def fold(self, publication: Publication) -> Publication:
        """Keep no state: the floor had it first."""
        return publication

    def forget(self, channel: str) -> None:
        """Keep no state."""

    async def _open(self) -> Floor:
        """Return the floor once the market is open; raise `Refusal` if it is not."""
        self._wanted.set()
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(OPENING_S):
                    await self._opened.wait()
        # Without its feed the prices would stand still and look alive.
        if not self._running or self.floor is None:
            raise Refusal(UNAVAILABLE.because("the market is not open"))
        return self.floor
