"""A snapshot of the tape: the market and the floor, as they stand at one strip.

For twenty symbols it has 12 KB of market, which a new leader goes on from, and 33 bytes
for each bar, which only a node that comes late reads: 0.7 MB after the opening, 1.5 MB
when all is full. Seconds are left out: no reader is shown them.

Bars are written in blocks, each once, when it is over: the first snapshot takes 60 ms,
with turns of the loop in between, and the next ones 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import msgspec

from .bars import Bar, Interval
from .candles import LATE_MS, Candles
from .floor import Floor
from .market import Market
from .shown import SHOWN
from .symbols import Symbol
from .ticks import Quote, Status

BLOCK = 60
"""So many lengths of its interval a block has."""

Row: TypeAlias = tuple[int, int, int, int, int, int, int, int, int]
"""A bar's place, counted in lengths of its interval since 1970; then its figures."""


class _Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The whole. `market` is `Market.snapshot`, `candles` has blocks of rows."""

    market: bytes
    now_ms: int
    quotes: list[Quote]
    statuses: list[Status]
    candles: dict[str, dict[Interval, list[bytes]]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Snapshot).decode
_decode_rows = msgspec.msgpack.Decoder(list[Row]).decode


@dataclass(frozen=True, slots=True)
class _Series:
    """The bars of one symbol and interval that are not written yet."""

    blocks: dict[int, bytes]
    fresh: list[Bar]


class Writer:
    """Writes the snapshots of one floor, one after the other."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, Interval], dict[int, bytes]] = {}

    async def write(self, market: Market, floor: Floor) -> bytes:
        """Return a snapshot of both as they are at the call; they stand alike then."""
        now_ms, quotes, statuses = floor.now_ms, floor.quotes(), floor.statuses()
        stands = market.snapshot()
        series = {
            code: {interval: self._view(each, interval) for interval in SHOWN}
            for code, each in floor.candles.items()
        }
        candles: dict[str, dict[Interval, list[bytes]]] = {}
        for code, found in series.items():
            candles[code] = {
                interval: list(_written(each, interval, now_ms))
                for interval, each in found.items()
            }
            await asyncio.sleep(0)
        return _encode(_Snapshot(stands, now_ms, quotes, statuses, candles))

    def _view(self, candles: Candles, interval: Interval) -> _Series:
        blocks = self._blocks.setdefault((candles.symbol, interval), {})
        oldest = _block(candles.oldest_ms(interval), interval)
        for block in [each for each in blocks if each < oldest]:
            del blocks[block]
        newest = next(reversed(blocks), -1)
        from_ms = (newest + 1) * BLOCK * interval.ms
        return _Series(blocks, candles.since(interval, from_ms))


def _written(series: _Series, interval: Interval, now_ms: int) -> Iterator[bytes]:
    """Yield all blocks of a series; those that are over are kept for the next time."""
    yield from tuple(series.blocks.values())
    over = _block(now_ms - LATE_MS, interval)
    for block, bars in groupby(
        series.fresh, lambda bar: _block(bar.start_ms, interval)
    ):
        rows = _encode(list(map(_row, bars)))
        if block < over:
            series.blocks[block] = rows
        yield rows


def _block(time_ms: int, interval: Interval) -> int:
    return time_ms // (BLOCK * interval.ms)


def market_of(state: bytes, symbols: Sequence[Symbol]) -> Market:
    """Return the market of a snapshot; takes 5 ms. Raises msgspec.DecodeError."""
    return Market.restore(_decode(state).market, symbols)


async def floor_of(state: bytes, symbols: Sequence[Symbol]) -> Floor:
    """Return the floor of a snapshot; takes up to 30 ms, with turns of the loop.

    A symbol that it does not know is there as it opens. Raises msgspec.DecodeError.
    """
    found = _decode(state)
    quotes = {quote.symbol: quote for quote in found.quotes}
    statuses = {status.symbol: status for status in found.statuses}
    if not quotes.keys() >= {symbol.code for symbol in symbols}:
        market = Market.restore(found.market, symbols)
        quotes = {quote.symbol: quote for quote in market.quotes()} | quotes
        statuses = {each.symbol: each for each in market.statuses()} | statuses
    candles: list[Candles] = []
    for symbol in symbols:
        blocks = found.candles.get(symbol.code, {})
        bars = _bars(symbol.code, blocks, found.now_ms)
        candles.append(Candles.resume(symbol.code, found.now_ms, bars))
        await asyncio.sleep(0)
    return Floor(symbols, found.now_ms, quotes.values(), statuses.values(), candles)


def _row(bar: Bar) -> Row:
    return (
        bar.start_ms // bar.interval.ms,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.trades,
        bar.first_seq,
        bar.last_seq,
    )


def _bars(
    code: str, series: dict[Interval, list[bytes]], closed_to_ms: int
) -> Iterator[Bar]:
    for interval, blocks in series.items():
        length_ms = interval.ms
        for block in blocks:
            for row in _decode_rows(block):
                place, open_, high, low, close, volume, trades, first, last = row
                yield Bar(
                    symbol=code,
                    interval=interval,
                    start_ms=place * length_ms,
                    open=open_,
                    high=high,
                    low=low,
                    close=close,
                    volume=volume,
                    trades=trades,
                    first_seq=first,
                    last_seq=last,
                    closed=(place + 1) * length_ms <= closed_to_ms,
                )
