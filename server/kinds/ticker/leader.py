"""The one node that moves the market, and how the lead passes on.

Whoever takes the lead marks the tape first: what an earlier leader still has under way
is refused from then on, so that the tape's end is known. The market is then, in this
order: the one in memory, if it stands there; that of the snapshot, with the steps that
are on the tape since; what this node's readers were told last; a new one.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import Refusal
from .feed import SNAPSHOT_STRIPS, Feed, Sleep, write
from .market import Market
from .opening import adopt, agree, open_market, replay
from .tape import MARK

if TYPE_CHECKING:
    from ...hub.hub import Hub
    from ...model import Fence, Position
    from ...runtime.clock import Clock
    from .floor import Floor
    from .follower import Follower

logger = logging.getLogger("hubbub.ticker")

LEASE = "market"
"""Who holds it leads."""

KNOWN_S = 2.0
"""So long a node that knows no market yet leaves the lead to others, who ask for it
each second."""


class Leader:
    """Moves the market while this node has the lease, and knows it for the next time.

    `seed` and `past_s` are those of a new market, `period_s` is between two updates.
    """

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        follower: Follower,
        seed: str,
        *,
        past_s: int,
        period_s: float,
        sleep: Sleep,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._follower = follower
        self._seed = seed
        self._past_s = past_s
        self._period_s = period_s
        self._sleep = sleep
        self._market: Market | None = None

    async def run(self) -> None:
        """Lead whenever this node may, for ever."""
        if len(self._hub.backplane.nodes()) > 1:
            # The tape may be lost alone: let a node that knows the market go first.
            with suppress(TimeoutError):
                async with asyncio.timeout(KNOWN_S):
                    await self._follower.known()
        await self._hub.lead(LEASE, self._lead)

    async def _lead(self, fence: Fence) -> None:
        try:
            mark = await write(self._hub, MARK, fence)
            await self._follower.load_again()
            self._market, strips = await self._find(mark)
            await Feed(
                self._hub,
                self._clock,
                self._follower,
                self._market,
                fence,
                period_s=self._period_s,
                strips=strips,
                sleep=self._sleep,
            ).run()
        except (Refusal, TimeoutError) as reason:
            # A hub that stops takes nothing more, which is no fault.
            level = logging.INFO if self._hub.stopping else logging.WARNING
            logger.log(level, "the market is not led from here: %r", reason)

    async def _find(self, mark: Position) -> tuple[Market, int]:
        """Return the market, and how many strips there are since its snapshot.

        Where nothing is known of one it is as if there were very many.
        """
        follower = self._follower
        floor = follower.floor if follower.at is not None else follower.lead_on(mark)
        if floor is None:
            return await self._open(mark)
        if self._market is not None and agree(self._market, floor):
            return self._market, SNAPSHOT_STRIPS
        return await self._inherit(mark, floor)

    async def _inherit(self, mark: Position, floor: Floor) -> tuple[Market, int]:
        symbols = self._follower.symbols
        replayed = await replay(self._follower.log, mark, symbols)
        if replayed is not None and agree(replayed[0], floor):
            return replayed
        logger.warning("the market goes on from its quotes")
        # Of another seed: the first one's moves were made already.
        market = Market(f"{self._seed} {floor.now_ms}", symbols, floor.now_ms)
        return adopt(replayed[0] if replayed else market, floor), SNAPSHOT_STRIPS

    async def _open(self, mark: Position) -> tuple[Market, int]:
        market, floor = await asyncio.to_thread(
            open_market,
            self._seed,
            self._clock.now_ms(),
            self._past_s,
            self._follower.symbols,
        )
        self._follower.install(floor, mark)
        return market, SNAPSHOT_STRIPS
