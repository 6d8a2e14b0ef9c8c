"""The ticker's rules: who may read what of the market, and what a joiner is told.

`ticker:market` is the whole board in one subscription, `ticker:ACME` one symbol with
its candles. Nobody but the feed speaks here. All of it is made of `ticker:tape`, which
only the nodes read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import PERMISSION_DENIED, UNAVAILABLE, UNKNOWN_CHANNEL, Refusal
from ...model import SERVER, Action, split_channel
from ...seams.kind import Follows, Keep, Policy, Refused, Say, from_history
from . import shown
from .feed import REACH_S, Sleep
from .follower import Follower
from .leader import Leader
from .symbols import CODE, SYMBOLS, Symbol
from .tape import TAPE
from .telling import Teller

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...model import Event, Position, Principal, Publication, Since
    from ...runtime.clock import Clock
    from ...seams.kind import Accepted, CatchUp
    from ...seams.log import Log
    from .floor import Floor

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
        keep=Keep.SHARED, history_size=600, history_age_s=3_600.0, flush_interval_s=0.1
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
        self._period_s = 1.0 / updates_hz
        self._past_s = past_s
        self._codes = frozenset(symbol.code for symbol in symbols)
        self._sleep = sleep
        self._follower = Follower(clock, symbols, self._period_s)
        self._running = False
        self._wanted = asyncio.Event()

    @property
    def floor(self) -> Floor | None:
        """The market as this node knows it, and its past; None before the opening."""
        return self._follower.floor

    # The market

    async def run(self, hub: Hub) -> None:
        """Follow the market, and move it while this node leads, until cancelled."""
        self._running = True
        teller = Teller(hub, self._clock, self._follower)
        leader = Leader(
            hub,
            self._clock,
            self._follower,
            self._seed,
            past_s=self._past_s,
            period_s=self._period_s,
            sleep=self._sleep,
        )
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(OPENS_AFTER_S):
                    await self._wanted.wait()
            async with asyncio.TaskGroup() as group:
                group.create_task(teller.run(), name="market-follow")
                group.create_task(leader.run(), name="market-lead")
        finally:
            self._running = False

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
        """See `Kind.load`; of the tape, bring the floor to its end."""
        if channel == TAPE:
            return await self._follower.load(log)
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
        first, then the tape's end, then the floor when it has got there. A bar is
        published after the strip that closed it, so the floor has all that stands up
        to the position, on whichever node; what came since is told twice, and replaces
        itself.
        """
        self._wanted.set()
        past = await from_history(self.policy, channel, since, log)
        floor = await self._reach(log)
        name = split_channel(channel)[1]
        if name == BOARD:
            return replace(past, state=shown.of_market(floor))
        state = shown.of_one(floor, name, past=not past.recovered)
        return replace(past, state=state)

    def fold(self, publication: Publication) -> Publication:
        """Take a strip of the tape into the floor; of what came of it nothing is kept.

        Closed bars and halts came by the tape before they came by themselves.
        """
        if publication.channel == TAPE:
            self._follower.fold(publication)
        return publication

    def retract(self, channel: str) -> None:
        """Keep nothing that was not kept."""

    def forget(self, channel: str) -> None:
        """Keep the floor: it is never ahead of the tape, and `load` goes on from it."""

    async def _reach(self, log: Log) -> Floor:
        """Return the floor with all that the tape has now; raise `Refusal`."""
        if self._running:
            wait_s = OPENING_S if self.floor is None else REACH_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    return await self._follower.reach_end(log)
        # Without its feed the prices would stand still and look alive.
        raise Refusal(UNAVAILABLE.because("the market is not open"))
