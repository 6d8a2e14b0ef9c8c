"""Bars: what the trades of one span of time came to.

Bars of a symbol form an algebra: `join` does not care in which order or grouping
the parts come, since the first and the last trade are told by `seq`. So sixty
bars of a second are the bar of their minute, exactly, and a late trade is only
one more part.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .ticks import Trade


class Interval(StrEnum):
    """The spans that bars are kept for; each is a multiple of all shorter ones."""

    SECOND = "1s"
    FIVE_SECONDS = "5s"
    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    HOUR = "1h"

    @property
    def ms(self) -> int:
        """Its length in milliseconds."""
        return _LENGTHS_MS[self]

    def start_of(self, time_ms: int) -> int:
        """Return the start of the bar that `time_ms` falls into, in milliseconds."""
        length_ms = _LENGTHS_MS[self]
        return time_ms // length_ms * length_ms


_LENGTHS_MS = {
    Interval.SECOND: 1_000,
    Interval.FIVE_SECONDS: 5_000,
    Interval.MINUTE: 60_000,
    Interval.FIVE_MINUTES: 300_000,
    Interval.HOUR: 3_600_000,
}


class Bar(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was traded in `[start_ms, start_ms + interval.ms)`.

    Prices are in ticks, `volume` in shares; `trades` counts them, and
    `first_seq` and `last_seq` name the first and the last. `closed` says that
    its time is over; a trade that comes late may still amend it.
    """

    symbol: str
    interval: Interval
    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    first_seq: int
    last_seq: int
    closed: bool

    @property
    def end_ms(self) -> int:
        """The first millisecond after it."""
        return self.start_ms + self.interval.ms


def bar_of(trade: Trade) -> Bar:
    """Return the one-second bar of a single trade."""
    return Bar(
        symbol=trade.symbol,
        interval=Interval.SECOND,
        start_ms=Interval.SECOND.start_of(trade.time_ms),
        open=trade.price,
        high=trade.price,
        low=trade.price,
        close=trade.price,
        volume=trade.size,
        trades=1,
        first_seq=trade.seq,
        last_seq=trade.seq,
        closed=False,
    )


def widen(part: Bar, interval: Interval, *, closed: bool) -> Bar:
    """Return the bar of the longer `interval` that holds only `part`."""
    return Bar(
        symbol=part.symbol,
        interval=interval,
        start_ms=interval.start_of(part.start_ms),
        open=part.open,
        high=part.high,
        low=part.low,
        close=part.close,
        volume=part.volume,
        trades=part.trades,
        first_seq=part.first_seq,
        last_seq=part.last_seq,
        closed=closed,
    )


def join(bar: Bar, part: Bar, *, closed: bool) -> Bar:
    """Return `bar` with the trades of `part`, which lies inside of it, added."""
    earlier, later = part.first_seq < bar.first_seq, part.last_seq > bar.last_seq
    return Bar(
        symbol=bar.symbol,
        interval=bar.interval,
        start_ms=bar.start_ms,
        open=part.open if earlier else bar.open,
        high=max(bar.high, part.high),
        low=min(bar.low, part.low),
        close=part.close if later else bar.close,
        volume=bar.volume + part.volume,
        trades=bar.trades + part.trades,
        first_seq=part.first_seq if earlier else bar.first_seq,
        last_seq=part.last_seq if later else bar.last_seq,
        closed=closed,
    )
