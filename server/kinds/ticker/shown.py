"""What readers see of the market: JSON, as docs/reference/kinds.md specifies it.

Prices are whole numbers of the symbol's `tick`, times milliseconds since 1970. A bar is
`[start, open, high, low, close, volume, trades]`; of two versions of one bar the one
with more trades is the newer, so that they may come in any order.
"""

from __future__ import annotations

from typing import TypeAlias

from ...model import JSON
from .bars import Bar, Interval
from .candles import KEPT
from .floor import Floor
from .symbols import Symbol
from .ticks import Quote, State, Status, Trade

Words: TypeAlias = dict[str, JSON]

SHOWN = tuple(each for each in Interval if each is not Interval.SECOND)
"""The intervals that readers get; seconds are only what the others are made of."""

SPARK_LENGTH = 60
"""How many closes of a minute a board's row has."""


def of_symbol(symbol: Symbol) -> Words:
    """Return what never changes of a symbol."""
    return {
        "symbol": symbol.code,
        "name": symbol.company,
        "sector": symbol.sector,
        "tick": symbol.tick,
    }


def of_quote(quote: Quote, status: Status) -> Words:
    """Return the prices of a symbol; `until` only while it is halted."""
    words: Words = {
        "symbol": quote.symbol,
        "seq": quote.seq,
        "last": quote.last,
        "bid": quote.bid,
        "ask": quote.ask,
        "volume": quote.day_volume,
        "prev": quote.prev_close,
        "change": quote.change,
        "status": status.state.value,
        "time": max(quote.time_ms, status.time_ms),
    }
    if status.state is State.HALTED:
        words["until"] = status.until_ms
    return words


def of_status(status: Status) -> Words:
    """Return the beginning or the end of a halt; `until` is null at its end."""
    return {
        "symbol": status.symbol,
        "seq": status.seq,
        "status": status.state.value,
        "until": status.until_ms,
        "time": status.time_ms,
    }


def of_trade(trade: Trade) -> Words:
    """Return a trade of the tape."""
    return {
        "seq": trade.seq,
        "price": trade.price,
        "size": trade.size,
        "side": trade.side.value,
        "time": trade.time_ms,
    }


def of_bar(bar: Bar) -> Words:
    """Return a bar with the name of its interval."""
    return {"interval": bar.interval.value, "bar": row_of_bar(bar)}


def row_of_bar(bar: Bar) -> list[JSON]:
    """Return a bar's figures."""
    return [
        bar.start_ms,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.trades,
    ]


def row_of_board(floor: Floor, code: str) -> Words:
    """Return all that a table shows of a symbol."""
    minutes = floor.bars(code, Interval.MINUTE, SPARK_LENGTH)
    return {
        **of_symbol(floor.symbols[code]),
        **of_quote(floor.quote(code), floor.status(code)),
        "spark": [bar.close for bar in minutes],
    }


def of_market(floor: Floor) -> Words:
    """Return the whole board: the state of `ticker:market`."""
    rows = [row_of_board(floor, code) for code in floor.symbols]
    return {"symbols": rows, "time": floor.now_ms}


def of_one(floor: Floor, code: str, *, past: bool) -> Words:
    """Return one symbol: the state of its channel.

    `bars` has all that is kept of each interval, or, without `past`, the open ones
    alone: for who has the closed ones already.
    """
    bars: Words = {}
    for interval in SHOWN:
        found = floor.bars(code, interval, KEPT[interval] if past else 1)
        bars[interval.value] = [
            row_of_bar(bar) for bar in found if past or not bar.closed
        ]
    return {
        **of_symbol(floor.symbols[code]),
        **of_quote(floor.quote(code), floor.status(code)),
        "bars": bars,
    }
