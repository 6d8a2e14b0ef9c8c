"""The trading floor: the market together with what its readers look back on.

The market says what happens and forgets it; the floor keeps each symbol's newest quote,
its candles, and whether it is halted. Pure, and moved on by `advance` alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from .bars import Bar, Interval
from .candles import Candles
from .market import Market
from .symbols import Symbol
from .ticks import Quote, Status, Tick, Trade

STEP_MS = 1_000
"""The longest single step; who is later than that takes several."""

CATCH_UP_MS = 60_000
"""Who is later than this leaves out the rest: its bars have a hole there."""

TAPE_LENGTH = 50
"""The newest trades of a symbol that one telling keeps."""

_Tape = partial(deque[Trade], maxlen=TAPE_LENGTH)


@dataclass(slots=True)
class Moved:
    """What happened since it was last told, of each thing only what still matters.

    Quotes by symbol and open bars by (symbol, interval) are the newest; `trades` has
    the newest `TAPE_LENGTH` of each symbol. Closed bars and statuses are all there, in
    order.
    """

    quotes: dict[str, Quote] = field(default_factory=dict)
    trades: dict[str, deque[Trade]] = field(default_factory=dict)
    open_bars: dict[tuple[str, Interval], Bar] = field(default_factory=dict)
    closed_bars: list[Bar] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)

    def note(self, bar: Bar) -> None:
        """Take in a bar that changed, open or closed."""
        place = bar.symbol, bar.interval
        if not bar.closed:
            self.open_bars[place] = bar
            return
        self.closed_bars.append(bar)
        waiting = self.open_bars.get(place)
        if waiting is not None and waiting.start_ms <= bar.start_ms:
            del self.open_bars[place]


class Floor:
    """The market, its quotes, candles and halts."""

    def __init__(self, market: Market, symbols: Sequence[Symbol]) -> None:
        """Take over a market that trades `symbols` and has no past."""
        self.symbols = {symbol.code: symbol for symbol in symbols}
        self.candles = {code: Candles(code) for code in self.symbols}
        self._market = market
        self._look()

    @classmethod
    def open(
        cls, seed: str, now_ms: int, past_s: int, symbols: Sequence[Symbol]
    ) -> Floor:
        """Return a floor at `now_ms` with `past_s` seconds of history.

        A day of twenty symbols takes more than a second: not on a running event loop.
        """
        market = Market(seed, symbols, now_ms)
        floor = cls(market, symbols)
        past = market.backfill(past_s)
        for bar in past.bars:
            floor.candles[bar.symbol].take(bar)
        for trade in past.trades:
            floor.candles[trade.symbol].add(trade)
        for candles in floor.candles.values():
            candles.close_due(now_ms)
        floor._look()
        return floor

    @property
    def now_ms(self) -> int:
        """The market's time, in milliseconds since 1970 UTC."""
        return self._market.now_ms

    def advance(self, to_ms: int, moved: Moved) -> bool:
        """Take one step towards `to_ms`, add what happened to `moved`.

        Return whether it has arrived; call it again until then. A time before `now_ms`
        is one at which it has arrived already.
        """
        market = self._market
        market.now_ms = max(market.now_ms, to_ms - CATCH_UP_MS)
        step_ms = min(to_ms - market.now_ms, STEP_MS)
        if step_ms > 0:
            for tick in market.step(step_ms / 1_000):
                self._take(tick, moved)
            for candles in self.candles.values():
                for bar in candles.close_due(market.now_ms):
                    moved.note(bar)
        return market.now_ms >= to_ms

    def quote(self, code: str) -> Quote:
        """Return a symbol's prices as they stand."""
        return self._quotes[code]

    def status(self, code: str) -> Status:
        """Return whether a symbol trades."""
        return self._statuses[code]

    def bars(self, code: str, interval: Interval, limit: int) -> list[Bar]:
        """Return a symbol's newest bars, oldest first, the open one last."""
        return self.candles[code].bars(interval, limit)

    def _look(self) -> None:
        self._quotes = {quote.symbol: quote for quote in self._market.quotes()}
        self._statuses = {status.symbol: status for status in self._market.statuses()}

    def _take(self, tick: Tick, moved: Moved) -> None:
        match tick:
            case Trade():
                moved.trades.setdefault(tick.symbol, _Tape()).append(tick)
                for bar in self.candles[tick.symbol].add(tick):
                    moved.note(bar)
            case Quote():
                self._quotes[tick.symbol] = moved.quotes[tick.symbol] = tick
            case Status():
                self._statuses[tick.symbol] = tick
                moved.statuses.append(tick)
                # The board learns of it by the symbol's quote, which has it beside.
                moved.quotes[tick.symbol] = self._quotes[tick.symbol]
