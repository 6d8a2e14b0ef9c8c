from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from server.kinds.ticker.bars import Bar, Interval
from server.kinds.ticker.floor import TRADES_TOLD, Floor, Moved
from server.kinds.ticker.market import Market
from server.kinds.ticker.opening import open_market
from server.kinds.ticker.symbols import SYMBOLS, Sector, Symbol
from server.kinds.ticker.tape import CATCH_UP_MS, Step, advance
from server.kinds.ticker.ticks import Side, State, Trade

START_MS = 1_700_000_012_345
WILD = Symbol("WILD", "Wild & Sons", Sector.FOOD, "0.01", "50.00", 3.0, 2.0)


class Driven:
    """A floor, and the market whose steps it takes."""

    market: Market
    floor: Floor

    def __init__(
        self, past_s: int = 900, symbols: Sequence[Symbol] = SYMBOLS[:3]
    ) -> None:
        self.market, self.floor = open_market("test", START_MS, past_s, symbols)

    def advance(self, to_ms: int, moved: Moved) -> bool:
        """Take one step; return whether it has arrived."""
        step = advance(self.market, to_ms)
        if step is not None:
            self.floor.take(step, moved)
        assert self.floor.now_ms == self.market.now_ms
        return self.floor.now_ms >= to_ms

    def arrive(self, after_ms: int) -> Moved:
        """Advance by so much, as a feed does that is never too late."""
        floor, moved = self.floor, Moved()
        to_ms = floor.now_ms + after_ms
        while not self.advance(min(to_ms, floor.now_ms + 250), moved) or (
            floor.now_ms < to_ms
        ):
            pass
        assert floor.now_ms == to_ms
        return moved


def minutes(floor: Floor, code: str = "ACME") -> list[Bar]:
    """Return all bars of a minute."""
    return floor.bars(code, Interval.MINUTE, 1_000)


def test_the_past_ends_where_the_present_begins() -> None:
    """No minute is missing around the opening, and no price leaps."""
    driven = Driven()
    floor = driven.floor
    assert floor.now_ms == START_MS
    before = minutes(floor)
    driven.arrive(180_000)
    after = minutes(floor)
    joined = [bar for bar in after if bar.start_ms >= before[-3].start_ms]
    starts = [bar.start_ms for bar in joined]
    assert starts == list(range(starts[0], starts[0] + 60_000 * len(starts), 60_000))
    for bar, following in pairwise(joined):
        assert abs(following.open - bar.close) < 0.005 * bar.close
    assert after[: len(before) - 1] == before[:-1]


def test_only_the_open_bars_of_the_past_are_open() -> None:
    """Each interval has at most one, and it is the one of now."""
    floor = Driven().floor
    for interval in Interval:
        bars = floor.bars("ACME", interval, 1_000)
        assert all(bar.closed == (bar.end_ms <= START_MS) for bar in bars)


def test_a_step_tells_the_newest_of_each_thing() -> None:
    """Quotes and open bars are those that a joiner is told now."""
    driven = Driven()
    floor, moved = driven.floor, driven.arrive(4_000)
    for code, quote in moved.quotes.items():
        assert floor.quote(code) == quote
    for (code, interval), bar in moved.open_bars.items():
        assert floor.bars(code, interval, 1) == [bar]
        assert not bar.closed


def test_every_closed_bar_is_told_once() -> None:
    """In order, as the candles have it; none of them is told as open too."""
    driven = Driven()
    floor, moved = driven.floor, driven.arrive(150_000)
    told = [
        bar
        for bar in moved.closed_bars
        if (bar.symbol, bar.interval) == ("ACME", Interval.MINUTE)
    ]
    assert told == [bar for bar in minutes(floor) if bar.closed][-len(told) :]
    assert len(told) >= 2
    assert not {(b.symbol, b.interval, b.start_ms) for b in moved.closed_bars} & {
        (b.symbol, b.interval, b.start_ms) for b in moved.open_bars.values()
    }


def test_the_trades_told_are_bounded() -> None:
    """Of a long stall each symbol's newest trades are told, by time."""
    driven = Driven()
    floor, moved = driven.floor, driven.arrive(55_000)
    assert max(map(len, moved.trades.values())) == TRADES_TOLD
    for trades in moved.trades.values():
        seqs = [trade.seq for trade in trades]
        assert seqs == sorted(seqs)
        assert trades[-1].time_ms > floor.now_ms - 20_000


def test_what_is_too_late_is_left_out() -> None:
    """After an hour's sleep the last minute is played, and the bars have a hole."""
    driven = Driven()
    floor, moved = driven.floor, Moved()
    to_ms, steps = START_MS + 3_600_000, 1
    while not driven.advance(to_ms, moved):
        steps += 1
    assert steps == CATCH_UP_MS // 1_000
    hole = [bar for bar in minutes(floor) if bar.start_ms > START_MS + 60_000]
    assert {bar.start_ms // 60_000 for bar in hole} <= {
        to_ms // 60_000,
        to_ms // 60_000 - 1,
    }


def test_time_never_goes_back() -> None:
    """A time before now changes nothing."""
    driven, moved = Driven(), Moved()
    floor, before = driven.floor, minutes(driven.floor)
    assert driven.advance(START_MS - 5_000, moved)
    assert (floor.now_ms, minutes(floor), moved) == (START_MS, before, Moved())


def test_a_halt_is_told_with_the_quote() -> None:
    """Its beginning and its end, and the board's quote comes along with each."""
    driven, moved = Driven(60, [WILD]), Moved()
    floor = driven.floor
    while not moved.statuses:
        driven.advance(floor.now_ms + 1_000, moved)
    assert moved.statuses[0].state is State.HALTED
    assert floor.status("WILD") == moved.statuses[0]
    assert "WILD" in moved.quotes
    ended = driven.arrive(31_000)
    assert ended.statuses[0].state is State.TRADING
    assert "WILD" in ended.quotes


def test_a_symbol_that_is_not_traded_here_is_left_out() -> None:
    """As on a node of an earlier version: what is said of the others counts."""
    floor, moved = Driven().floor, Moved()
    quote = floor.quote("ACME")
    stranger = Trade("ZZZZ", 1, 100, 1, Side.BUY, START_MS)
    known = Trade("ACME", quote.seq + 1, quote.last, 1, Side.BUY, START_MS)
    floor.take(Step(START_MS, START_MS + 100, [stranger, known]), moved)
    assert list(moved.trades) == ["ACME"]
