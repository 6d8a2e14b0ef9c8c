"""The trading floor: what the readers of the market look back on.

It keeps each symbol's newest quote, its candles, and whether it is halted. Pure, and
moved on by the steps of the tape alone, so that it is the same on all nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from .bars import Bar, Interval
from .candles import Candles
from .symbols import Symbol
from .tape import Step
from .ticks import Quote, Status, Tick, Trade

TRADES_TOLD = 50
"""The newest trades of a symbol that one telling keeps."""

_Trades = partial(deque[Trade], maxlen=TRADES_TOLD)


@dataclass(slots=True)
class Moved:
    """What happened since it was last told, of each thing only what still matters.

    Quotes by symbol and open bars by (symbol, interval) are the newest; `trades` has
    the newest `TRADES_TOLD` of each symbol. Closed bars and statuses are all there, in
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
    """The quotes, candles and halts of `symbols`; `now_ms` is the market's time.

    There must be a quote and a status of each symbol.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        now_ms: int,
        quotes: Iterable[Quote],
        statuses: Iterable[Status],
        candles: Iterable[Candles] = (),
    ) -> None:
        self.symbols = {symbol.code: symbol for symbol in symbols}
        self.now_ms = now_ms
        self.candles = {code: Candles(code) for code in self.symbols}
        self.candles |= {each.symbol: each for each in candles}
        self._quotes = {quote.symbol: quote for quote in quotes}
        self._statuses = {status.symbol: status for status in statuses}

    def take(self, step: Step, moved: Moved) -> None:
        """Take the next step of the tape, and add what happened to `moved`.

        What is said of a symbol that is not traded here is left out.
        """
        for tick in step.ticks:
            if tick.symbol in self.symbols:
                self._take(tick, moved)
        self.now_ms = step.to_ms
        for candles in self.candles.values():
            for bar in candles.close_due(step.to_ms):
                moved.note(bar)

    def quote(self, code: str) -> Quote:
        """Return a symbol's prices as they stand."""
        return self._quotes[code]

    def quotes(self) -> list[Quote]:
        """Return the prices of all symbols, in their order."""
        return [self._quotes[code] for code in self.symbols]

    def status(self, code: str) -> Status:
        """Return whether a symbol trades."""
        return self._statuses[code]

    def statuses(self) -> list[Status]:
        """Return for all symbols whether they trade, in their order."""
        return [self._statuses[code] for code in self.symbols]

    def bars(self, code: str, interval: Interval, limit: int) -> list[Bar]:
        """Return a symbol's newest bars, oldest first, the open one last."""
        return self.candles[code].bars(interval, limit)

    def _take(self, tick: Tick, moved: Moved) -> None:
        match tick:
            case Trade():
                moved.trades.setdefault(tick.symbol, _Trades()).append(tick)
                for bar in self.candles[tick.symbol].add(tick):
                    moved.note(bar)
            case Quote():
                self._quotes[tick.symbol] = moved.quotes[tick.symbol] = tick
            case Status():
                self._statuses[tick.symbol] = tick
                moved.statuses.append(tick)
                # The board learns of it by the symbol's quote, which has it beside.
                moved.quotes[tick.symbol] = self._quotes[tick.symbol]
