"""One symbol on the market: its book, its tape, its halts and its day.

The hidden price comes from `walk`; the book stands around it, wider when there is
heat, and trades fall on its two sides as a Poisson process that heat makes denser.
"""

from __future__ import annotations

from math import exp, expm1, log, sqrt

import msgspec

from .bars import Bar, Interval
from .noise import Noise, Place
from .symbols import Symbol
from .ticks import Quote, Side, State, Status, Tick, Trade
from .walk import Pace, Walk, WalkState, bridge

DAY_MS = 86_400_000

SPREAD_WIDTH = 1.5
"""The usual spread, in deviations of the price over a calm second."""
SPREAD_HEAT = 0.5
SPREAD_SWING = 0.32

TRADING_HEAT = 0.8
SIDE_PERSISTENCE = 0.65
COIN = 0.5
SIZE_LOG_MEAN, SIZE_LOG_DEVIATION = 4.0, 1.0
SIZE_MEAN = exp(SIZE_LOG_MEAN + SIZE_LOG_DEVIATION**2 / 2)
SIZE_VARIATION = sqrt(expm1(SIZE_LOG_DEVIATION**2))

SAMPLED_EXTREME = 0.5826
"""How far the highest of n trades stays below the highest point of a Brownian way,
in deviations over the root of n (Broadie, Glasserman and Kou, 1997)."""

HALT_SHARE = 0.05
"""A move of more than this share of the price within `LOOK_BACK_MS` halts trading."""
HALT_MS = 30_000
LOOK_BACK_MS = 300_000
SAMPLE_MS = 10_000


class StockState(msgspec.Struct, kw_only=True):
    """All that a stock remembers, so that a copy goes on exactly like it.

    Prices are in ticks, `day` counts them since 1970. `until_trade` counts expected
    trades down to the next one. `window` samples the hidden price each `SAMPLE_MS`,
    at most `LOOK_BACK_MS` back. `halted_until_ms` is None while the symbol trades.
    """

    walk: WalkState
    place: Place
    log_spread: float
    until_trade: float
    buying: bool
    last: int
    prev_close: int
    day: int
    day_volume: int = 0
    bid: int = 0
    ask: int = 0
    seq: int = 0
    window: list[int] = msgspec.field(default_factory=list)
    sample_at_ms: int = 0
    halted_until_ms: int | None = None


class Stock:
    """One symbol, moved on by `step`, or through the past by `summarize`."""

    def __init__(
        self, symbol: Symbol, seed: str, now_ms: int, state: StockState | None = None
    ) -> None:
        """Open the symbol at its start price, or go on from `state`."""
        self.symbol = symbol
        self._noise = Noise(f"{seed}:{symbol.code}", state.place if state else None)
        self._walk = Walk(symbol, self._noise, state.walk if state else None)
        self._log_spread = log(SPREAD_WIDTH * self._walk.calm * symbol.start_ticks)
        if state is None:
            self._state = self._opening(now_ms)
            self._set_book()
        else:
            self._state = state

    def _opening(self, now_ms: int) -> StockState:
        return StockState(
            walk=self._walk.state,
            place=self._noise.place,
            log_spread=self._log_spread,
            until_trade=self._noise.exponential(),
            buying=self._noise.uniform() < COIN,
            last=self.symbol.start_ticks,
            prev_close=self.symbol.start_ticks,
            day=now_ms // DAY_MS,
        )

    @property
    def state(self) -> StockState:
        """What it remembers now; encode it before the next step, which changes it."""
        self._state.place = self._noise.place
        return self._state

    def quote(self, now_ms: int) -> Quote:
        """Return the prices as they stand, under the `seq` already reached."""
        state = self._state
        return Quote(
            self.symbol.code,
            state.seq,
            state.last,
            state.bid,
            state.ask,
            state.day_volume,
            state.prev_close,
            now_ms,
        )

    def status(self, now_ms: int) -> Status:
        """Return whether it trades, under the `seq` already reached."""
        until_ms = self._state.halted_until_ms
        word = State.TRADING if until_ms is None else State.HALTED
        return Status(self.symbol.code, self._state.seq, word, until_ms, now_ms)

    def step(self, pace: Pace, market: float, now_ms: int, tape: list[Tick]) -> None:
        """Move to `now_ms`, one step of `pace` later; append to `tape` what happened.

        `market` is the shock shared by all symbols. Appended are, in this order:
        trades, the quote if it changed, a halt; or, while halted, nothing but its
        end, after which the next step trades again.
        """
        state = self._state
        if state.halted_until_ms is not None:
            if now_ms >= state.halted_until_ms:
                self._set_halt(None, now_ms, tape)
            return
        before = state.last, state.bid, state.ask, state.day_volume, state.prev_close
        self._roll_day(now_ms)
        heat = self._walk.move(pace, market)
        self._breathe(pace, heat)
        self._set_book()
        self._print_trades(pace, heat, now_ms, tape)
        after = state.last, state.bid, state.ask, state.day_volume, state.prev_close
        if after != before:
            state.seq += 1
            tape.append(self.quote(now_ms))
        if self._moved_too_far():
            self._set_halt(now_ms + HALT_MS, now_ms, tape)
        self._sample(now_ms)

    def summarize(self, pace: Pace, market: float, now_ms: int) -> Bar | None:
        """Move like `step`, but tell the trades only by the bar they came to.

        For the past, in long steps: how many trades and shares there were is drawn
        at once, and the extremes as those of the way between the two prices, so
        that bars are about as tall as if each trade had been made. Nothing is
        halted.
        The bar is one of the minute in which the step begins; None without a trade.
        """
        state, noise = self._state, self._noise
        self._roll_day(now_ms)
        was, book = self._walk.log_price, (state.bid, state.ask)
        heat = self._walk.move(pace, market)
        deviation = self._walk.calm * exp(heat) * pace.root
        self._breathe(pace, heat)
        self._set_book()
        self._sample(now_ms)
        expected = self._trades_per_s(heat) * pace.dt_s
        trades = round(expected + sqrt(expected) * noise.normal())
        if trades <= 0:
            return None
        top, floor = self._extremes(was, deviation, trades)
        first = book[state.buying]
        state.buying = noise.uniform() < COIN
        state.last = state.ask if state.buying else state.bid
        spread_of_sizes = 1.0 + SIZE_VARIATION / sqrt(trades) * noise.normal()
        volume = max(trades, round(trades * SIZE_MEAN * spread_of_sizes))
        state.day_volume += volume
        state.seq += trades
        return Bar(
            symbol=self.symbol.code,
            interval=Interval.MINUTE,
            start_ms=Interval.MINUTE.start_of(now_ms - round(pace.dt_s * 1000)),
            open=first,
            high=max(first, state.last, top),
            low=min(first, state.last, floor),
            close=state.last,
            volume=volume,
            trades=trades,
            first_seq=state.seq - trades + 1,
            last_seq=state.seq,
            closed=False,
        )

    def _extremes(self, was: float, deviation: float, trades: int) -> tuple[int, int]:
        """Return the highest and the lowest of `trades` on the way from `was`."""
        noise, now = self._noise, self._walk.log_price
        missed = SAMPLED_EXTREME * deviation / sqrt(trades)
        top = bridge(was, now, deviation, noise.uniform()) - missed
        floor = -bridge(-was, -now, deviation, noise.uniform()) + missed
        half = (self._state.ask - self._state.bid) / 2.0
        return round(exp(top) + half), max(1, round(exp(floor) - half))

    def _trades_per_s(self, heat: float) -> float:
        return self.symbol.trades_per_s * exp(TRADING_HEAT * heat)

    def _roll_day(self, now_ms: int) -> None:
        state = self._state
        day = now_ms // DAY_MS
        if day != state.day:
            state.day, state.day_volume, state.prev_close = day, 0, state.last

    def _breathe(self, pace: Pace, heat: float) -> None:
        """Draw the spread to what the heat asks for, with some noise."""
        state = self._state
        wanted = self._log_spread + SPREAD_HEAT * heat
        kick = SPREAD_SWING * pace.spread_kick * self._noise.normal()
        state.log_spread = wanted + (state.log_spread - wanted) * pace.spread_keep
        state.log_spread += kick

    def _set_book(self) -> None:
        state = self._state
        spread = max(1, round(exp(state.log_spread)))
        state.bid = max(1, round(exp(self._walk.log_price) - spread / 2.0))
        state.ask = state.bid + spread

    def _print_trades(
        self, pace: Pace, heat: float, now_ms: int, tape: list[Tick]
    ) -> None:
        """Append the trades of a step, each at its own time before `now_ms`."""
        state, noise = self._state, self._noise
        expected = self._trades_per_s(heat) * pace.dt_s
        step_ms = pace.dt_s * 1000.0
        at = state.until_trade
        while at < expected:
            if noise.uniform() >= SIDE_PERSISTENCE:
                state.buying = not state.buying
            state.last = state.ask if state.buying else state.bid
            size = round(exp(SIZE_LOG_MEAN + SIZE_LOG_DEVIATION * noise.normal())) or 1
            state.day_volume += size
            state.seq += 1
            tape.append(
                Trade(
                    self.symbol.code,
                    state.seq,
                    state.last,
                    size,
                    Side.BUY if state.buying else Side.SELL,
                    # Strictly inside of the step, so that bars that end with it
                    # have all their trades when the clock closes them.
                    now_ms - 1 - int(step_ms * (1.0 - at / expected) * 0.999),
                )
            )
            at += noise.exponential()
        state.until_trade = at - expected

    def _sample(self, now_ms: int) -> None:
        state = self._state
        if now_ms < state.sample_at_ms:
            return
        state.sample_at_ms = now_ms + SAMPLE_MS
        state.window.append((state.bid + state.ask) // 2)
        if len(state.window) > LOOK_BACK_MS // SAMPLE_MS:
            del state.window[0]

    def _moved_too_far(self) -> bool:
        state = self._state
        if not state.window:
            return False
        then = state.window[0]
        return abs((state.bid + state.ask) // 2 - then) > HALT_SHARE * then

    def _set_halt(self, until_ms: int | None, now_ms: int, tape: list[Tick]) -> None:
        """Begin or end a halt; the look back starts anew at the halted price."""
        state = self._state
        state.halted_until_ms = until_ms
        state.window.clear()
        state.sample_at_ms = now_ms
        state.seq += 1
        tape.append(self.status(now_ms))
