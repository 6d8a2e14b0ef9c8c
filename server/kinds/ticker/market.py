"""A market of invented symbols that one seed repeats, tick by tick.

It has no clock of its own and does nothing by itself: whoever drives it calls
`step` with the time that has passed. Each symbol draws from its own sequences, so
that adding one never changes another. Mathematics differs in the last digit between
machines; a tape repeats on one machine, or where the tape itself is what travels
(`tape`): there `adopt` holds to what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import msgspec

from .bars import Bar, Interval
from .noise import Draws, normal
from .stock import DAY_MS, Stock, StockState
from .symbols import Symbol
from .ticks import Quote, Status, Tick, Trade
from .walk import pace_of

SHORTEST_STEP_S = 0.001
LONGEST_STEP_S = 60.0
"""More at once would be a guess; who slept longer steps several times."""

PAST_STEP_S = 30
PAST_FINE_S = 300
"""The last part of the past, in seconds, that `backfill` plays trade by trade."""


@dataclass(frozen=True, slots=True)
class Past:
    """What happened before the start: `bars` of a minute, then `trades`, by time.

    They join: the trades begin where the last bar ends. Bars may come in parts,
    several for one minute.
    """

    bars: Sequence[Bar]
    trades: Sequence[Trade]


class MarketState(msgspec.Struct):
    """A whole market, ready to be written down."""

    seed: str
    now_ms: int
    market_draws: int
    stocks: dict[str, StockState]


class Market:
    """All symbols, driven by `step`."""

    def __init__(
        self,
        seed: str,
        symbols: Sequence[Symbol],
        start_ms: int,
        *,
        resume: MarketState | None = None,
    ) -> None:
        """Open `symbols` at `start_ms`: at their start price, or as in `resume`.

        Call `backfill` next for a market with a past, else `step`.
        """
        state = resume or MarketState(seed, start_ms, 0, {})
        self.seed = seed
        self.now_ms = start_ms
        """The market's time, in milliseconds since 1970 UTC."""
        # The colon keeps it apart from every symbol's name.
        self._shared = Draws(f"{seed}:", normal, state.market_draws)
        self._stocks = [
            Stock(symbol, seed, start_ms, state.stocks.get(symbol.code))
            for symbol in symbols
        ]

    @classmethod
    def restore(cls, snapshot: bytes, symbols: Sequence[Symbol]) -> Market:
        """Return the market that `snapshot` was taken of; it goes on exactly so.

        Symbols that it does not know open at their start price, those that are
        no longer in `symbols` are forgotten. Raises msgspec.DecodeError (or its
        ValidationError) for what is no snapshot.
        """
        state = msgspec.json.decode(snapshot, type=MarketState)
        return cls(state.seed, symbols, state.now_ms, resume=state)

    def snapshot(self) -> bytes:
        """Return the market as JSON, for `restore`."""
        return msgspec.json.encode(
            MarketState(
                self.seed,
                self.now_ms,
                self._shared.taken,
                {stock.symbol.code: stock.state for stock in self._stocks},
            )
        )

    def quotes(self) -> list[Quote]:
        """Return the prices of all symbols as they stand: for a reader who joins."""
        return [stock.quote(self.now_ms) for stock in self._stocks]

    def statuses(self) -> list[Status]:
        """Return for all symbols whether they trade: for a reader who joins."""
        return [stock.status(self.now_ms) for stock in self._stocks]

    def agrees(self, quotes: Sequence[Quote], statuses: Sequence[Status]) -> bool:
        """Return whether its prices, halts and counts are those that were told."""
        told = {quote.symbol: quote for quote in quotes}
        halts = {status.symbol: status for status in statuses}
        return all(
            _agrees(stock.state, told[code], halts[code])
            for stock in self._stocks
            if (code := stock.symbol.code) in told and code in halts
        )

    def adopt(
        self, now_ms: int, quotes: Sequence[Quote], statuses: Sequence[Status]
    ) -> None:
        """Go on from what readers were told last, where that is all there is to know.

        How wild each symbol is just now stays what it is here. Symbols that are not
        among `quotes` stay as they are.
        """
        self.now_ms = now_ms
        halts = {status.symbol: status for status in statuses}
        told = {quote.symbol: quote for quote in quotes}
        for stock in self._stocks:
            code = stock.symbol.code
            if code in told and code in halts:
                _adopt(stock.state, told[code], halts[code], now_ms)

    def step(self, dt_s: float) -> list[Tick]:
        """Let `dt_s` seconds pass, and return what happened, symbol by symbol.

        0.1 to 0.25 s for a live market; it is counted in whole milliseconds. For
        each symbol in this order: trades by time, a quote if any of its figures
        changed, the beginning of a halt. A halted symbol says nothing until it
        ends, then only that. Raises ValueError for less than `SHORTEST_STEP_S` or
        more than `LONGEST_STEP_S`.
        """
        if not SHORTEST_STEP_S <= dt_s <= LONGEST_STEP_S:
            raise ValueError(
                f"a step takes {SHORTEST_STEP_S} to {LONGEST_STEP_S} s, not {dt_s}"
            )
        dt_ms = round(dt_s * 1000)
        self.now_ms += dt_ms
        pace, shared, tape = pace_of(dt_ms), self._shared(), list[Tick]()
        for stock in self._stocks:
            stock.step(pace, shared, self.now_ms, tape)
        return tape

    def backfill(self, past_s: int) -> Past:
        """Play what came before now, so that now has a history of `past_s` seconds.

        Call it once, before the first `step`. The start price is then that of
        `past_s` ago, and the first step follows on the last trade. Whole minutes
        are summed up in steps of `PAST_STEP_S`; the last `PAST_FINE_S` and what
        the clock has of a minute are played by the second. Six hours of twenty
        symbols take about 0.3 s: too long for a running event loop.
        """
        start_ms = self.now_ms
        minute = Interval.MINUTE
        fine_ms = minute.start_of(start_ms - PAST_FINE_S * 1000)
        self.now_ms = min(fine_ms, minute.start_of(start_ms - past_s * 1000))
        self._reopen()
        bars = self._summarize_to(fine_ms)
        trades = self._play_to(start_ms)
        return Past(bars, trades)

    def _reopen(self) -> None:
        """Let the first day begin at the market's time, moved back for a past."""
        self._stocks = [
            Stock(stock.symbol, self.seed, self.now_ms) for stock in self._stocks
        ]

    def _summarize_to(self, end_ms: int) -> list[Bar]:
        bars: list[Bar] = []
        pace = pace_of(PAST_STEP_S * 1000)
        while self.now_ms < end_ms:
            self.now_ms += PAST_STEP_S * 1000
            shared = self._shared()
            for stock in self._stocks:
                bar = stock.summarize(pace, shared, self.now_ms)
                if bar is not None:
                    bars.append(bar)
        return bars

    def _play_to(self, end_ms: int) -> list[Trade]:
        trades: list[Trade] = []
        while self.now_ms < end_ms:
            tape = self.step(min(1.0, (end_ms - self.now_ms) / 1000))
            trades += [tick for tick in tape if isinstance(tick, Trade)]
        return trades


def _agrees(state: StockState, quote: Quote, status: Status) -> bool:
    return (
        max(quote.seq, status.seq) == state.seq
        and quote.last == state.last
        and (quote.bid, quote.ask) == (state.bid, state.ask)
        and quote.day_volume == state.day_volume
        and status.until_ms == state.halted_until_ms
    )


def _adopt(state: StockState, quote: Quote, status: Status, now_ms: int) -> None:
    state.seq = max(quote.seq, status.seq)
    state.last, state.bid, state.ask = quote.last, quote.bid, quote.ask
    state.day, state.day_volume = now_ms // DAY_MS, quote.day_volume
    state.prev_close = quote.prev_close
    state.walk.log_price = log((quote.bid + quote.ask) / 2.0)
    state.log_spread = log(max(1, quote.ask - quote.bid))
    state.halted_until_ms = status.until_ms
    # The look back for halts starts anew.
    state.window.clear()
    state.sample_at_ms = now_ms
