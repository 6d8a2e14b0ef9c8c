"""How a leader comes by the market: a new one with a past, or the one there was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import Unrecoverable
from . import snapshots
from .candles import Candles
from .floor import Floor
from .follower import READ_STRIPS
from .market import Market
from .symbols import Symbol
from .tape import TAPE, TornError, decode, repeat

if TYPE_CHECKING:
    from ...model import Position
    from ...seams.log import Log, Snapshot


def open_market(
    seed: str, now_ms: int, past_s: int, symbols: Sequence[Symbol]
) -> tuple[Market, Floor]:
    """Return a market at `now_ms` with `past_s` seconds of history, and its floor.

    A day of twenty symbols takes more than a second: not on a running event loop.
    """
    market = Market(seed, symbols, now_ms)
    past = market.backfill(past_s)
    candles = {symbol.code: Candles(symbol.code) for symbol in symbols}
    for bar in past.bars:
        candles[bar.symbol].take(bar)
    for trade in past.trades:
        candles[trade.symbol].add(trade)
    for each in candles.values():
        each.close_due(now_ms)
    floor = Floor(symbols, now_ms, market.quotes(), market.statuses(), candles.values())
    return market, floor


async def replay(
    log: Log, end: Position, symbols: Sequence[Symbol]
) -> tuple[Market, int] | None:
    """Return the market as it stands at the tape's `end`, from its newest snapshot.

    With it comes how many strips there are since the snapshot; None where that, or
    some of those strips, cannot be had.
    """
    snapshot = await log.latest_snapshot(TAPE)
    if snapshot is None or snapshot.at.epoch != end.epoch:
        return None
    try:
        return await _replay(log, snapshot, end, symbols)
    except (Unrecoverable, TornError, ValueError):
        # msgspec's errors are ValueErrors, as is a step that no market takes.
        return None


async def _replay(
    log: Log, snapshot: Snapshot, end: Position, symbols: Sequence[Symbol]
) -> tuple[Market, int]:
    market = await asyncio.to_thread(snapshots.market_of, snapshot.state, symbols)
    at = snapshot.at
    while at.offset < end.offset:
        page = await log.read(TAPE, at, READ_STRIPS)
        for publication in page.publications:
            at = publication.position
            for step in decode(publication.content).steps:
                repeat(market, step)
            await asyncio.sleep(0)
    return market, at.offset - snapshot.at.offset


def agree(market: Market, floor: Floor) -> bool:
    """Return whether a market stands where readers were told that it does."""
    if market.now_ms != floor.now_ms:
        return False
    return market.agrees(floor.quotes(), floor.statuses())


def adopt(market: Market, floor: Floor) -> Market:
    """Let a market go on from what readers were told last; return it."""
    market.adopt(floor.now_ms, floor.quotes(), floor.statuses())
    return market
