"""What the market says: quotes, trades and changes of state.

All prices are whole numbers of the symbol's tick, all times milliseconds since
1970 UTC on the market's own clock. `seq` counts everything said about a symbol,
1, 2, 3..., and orders it. On the tape they are arrays with their letter in front.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Side(StrEnum):
    """Who wanted the trade: a buyer who took the ask, or a seller who hit the bid."""

    BUY = "buy"
    SELL = "sell"


class State(StrEnum):
    """Whether a symbol can be traded now."""

    TRADING = "trading"
    HALTED = "halted"


class Quote(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="q"):
    """The newest prices of a symbol; only the latest one matters.

    `day_volume` counts shares since midnight UTC, `prev_close` is the last price
    before it.
    """

    symbol: str
    seq: int
    last: int
    bid: int
    ask: int
    day_volume: int
    prev_close: int
    time_ms: int

    @property
    def change(self) -> int:
        """What the last price gained since the previous close, in ticks."""
        return self.last - self.prev_close


class Trade(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="t"):
    """So many shares (`size`) changed hands at one price."""

    symbol: str
    seq: int
    price: int
    size: int
    side: Side
    time_ms: int


class Status(msgspec.Struct, frozen=True, gc=False, array_like=True, tag="s"):
    """Trading in a symbol was halted, or goes on.

    `until_ms` is when a halt ends; None where the symbol trades.
    """

    symbol: str
    seq: int
    state: State
    until_ms: int | None
    time_ms: int


Tick = Quote | Trade | Status
