from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from math import sqrt
from random import Random
from statistics import fmean, median

import msgspec
import pytest

from server.kinds.ticker import walk
from server.kinds.ticker.bars import Bar, Interval
from server.kinds.ticker.candles import Candles
from server.kinds.ticker.market import LONGEST_STEP_S, Market
from server.kinds.ticker.stock import HALT_MS
from server.kinds.ticker.symbols import SYMBOLS, Sector, Symbol
from server.kinds.ticker.ticks import Quote, Side, State, Status, Tick, Trade
from tests.kinds.ticker.stylised import (
    BOUNDS,
    STEP_S,
    Observed,
    autocorrelation,
    correlation,
    excess_kurtosis,
    facts,
    leverage,
    middle,
    observe,
    returns,
    violations,
)

START_MS = 1_700_000_123_456
FEW = SYMBOLS[:3]
MINUTES = 800
CALM = Symbol("CALM", "Calm", Sector.FOOD, "0.01", "100.00")
WILD = Symbol("WILD", "Wild", Sector.FOOD, "0.01", "100.00", daily_volatility=1.5)

MEMORIES = {"memory, 1 min", "memory, 1-30 min"}
"""What a series without memory cannot have even by chance."""
BOUNCE = (-0.30, -0.08)
"""The correlation of neighbouring trade returns, for trades jump in the spread."""
LEAST_BUSTLE = 0.25
"""The correlation of a minute's volume with the size of its return."""


def run(market: Market, steps: int, dt_s: float = 0.2) -> list[Tick]:
    """Return all that the market says in so many steps."""
    return [tick for _ in range(steps) for tick in market.step(dt_s)]


def tape_hash(ticks: Iterable[Tick], code: str | None = None) -> str:
    """Return the hash of all ticks, or of those of one symbol."""
    digest = sha256()
    for tick in ticks:
        if code in (None, tick.symbol):
            digest.update(repr(tick).encode())
    return digest.hexdigest()


# ------------------------------------------------------------ what the tape says


def test_what_a_step_says() -> None:
    """Quotes hold together, trades fall on the book's sides and within the step."""
    market = Market("tape", SYMBOLS, START_MS)
    quotes = {quote.symbol: quote for quote in market.quotes()}
    volumes = dict.fromkeys(quotes, 0)
    sides = set()
    for _ in range(500):
        before_ms = market.now_ms
        for tick in market.step(0.2):
            if isinstance(tick, Trade):
                assert before_ms <= tick.time_ms < market.now_ms
                assert tick.size >= 1
                volumes[tick.symbol] += tick.size
                sides.add(tick.side)
            elif isinstance(tick, Quote):
                assert tick.time_ms == market.now_ms
                assert 0 < tick.bid < tick.ask
                assert tick.day_volume == volumes[tick.symbol]
                quotes[tick.symbol] = tick
    assert sides == set(Side)
    assert market.quotes() == [
        replace_time(quotes[symbol.code], market.now_ms) for symbol in SYMBOLS
    ]
    assert all(
        quote.change == quote.last - quote.prev_close for quote in market.quotes()
    )


def replace_time(quote: Quote, time_ms: int) -> Quote:
    """Return the quote as it is said at another time."""
    return msgspec.structs.replace(quote, time_ms=time_ms)


def test_trades_take_the_book() -> None:
    """A buyer pays the ask and a seller gets the bid of the quote that follows."""
    market = Market("book", FEW, START_MS)
    for _ in range(2_000):
        ticks = market.step(0.2)
        book = {tick.symbol: tick for tick in ticks if isinstance(tick, Quote)}
        for tick in ticks:
            if isinstance(tick, Trade):
                quote = book[tick.symbol]
                taken = quote.ask if tick.side is Side.BUY else quote.bid
                assert tick.price == taken


def test_seq_counts_without_holes() -> None:
    """Everything said about a symbol is numbered 1, 2, 3..., in the order of time."""
    ticks = run(Market("seq", [*FEW, WILD], START_MS), 3_000)
    for symbol in (*FEW, WILD):
        own = [tick for tick in ticks if tick.symbol == symbol.code]
        assert [tick.seq for tick in own] == list(range(1, len(own) + 1))
        assert all(one.time_ms <= next_.time_ms for one, next_ in pairwise(own))


def test_only_changes_are_quoted() -> None:
    """Two quotes of a symbol in a row differ in more than number and time."""
    ticks = run(Market("same", FEW, START_MS), 3_000)
    last: dict[str, Quote] = {}
    for tick in ticks:
        if isinstance(tick, Quote):
            if tick.symbol in last:
                same = msgspec.structs.replace(
                    last[tick.symbol], seq=tick.seq, time_ms=tick.time_ms
                )
                assert same != tick
            last[tick.symbol] = tick


@pytest.mark.parametrize(
    "dt_s", [0.0, -1.0, 0.0004, LONGEST_STEP_S + 1, float("inf"), float("nan")]
)
def test_bad_steps(dt_s: float) -> None:
    """A step of no time, or of too much, is refused and moves nothing."""
    market = Market("step", FEW, START_MS)
    before = market.snapshot()
    with pytest.raises(ValueError, match="a step takes"):
        market.step(dt_s)
    assert market.snapshot() == before


def test_the_rate_of_trades_is_that_of_time() -> None:
    """How finely time is cut does not change how much is traded."""
    counts = []
    for dt_s in (0.1, 1.0, 10.0):
        market = Market("rate", SYMBOLS[:6], START_MS)
        ticks = run(market, round(600 / dt_s), dt_s)
        counts.append(sum(isinstance(tick, Trade) for tick in ticks))
    assert max(counts) / min(counts) < 1.3


def test_midnight() -> None:
    """At midnight UTC the day's volume begins anew, against the last price."""
    day_ms = 86_400_000
    market = Market("day", FEW, START_MS // day_ms * day_ms + day_ms - 60_000)
    run(market, 59, 1.0)
    before = {quote.symbol: quote for quote in market.quotes()}
    assert all(quote.day_volume > 0 for quote in before.values())
    ticks = market.step(1.0)
    for quote in market.quotes():
        traded = sum(
            tick.size
            for tick in ticks
            if isinstance(tick, Trade) and tick.symbol == quote.symbol
        )
        assert quote.day_volume == traded
        assert quote.prev_close == before[quote.symbol].last


# ------------------------------------------------------------ halts


def test_halts() -> None:
    """A move of over 5 % in 5 minutes silences the symbol for 30 s, and tells both."""
    market = Market("halt", [CALM, WILD], START_MS)
    statuses: list[Status] = []
    mids: list[tuple[int, float]] = []
    halted_until_ms = 0
    for _ in range(16_000):
        for tick in market.step(0.25):
            if tick.symbol != "WILD":
                assert not isinstance(tick, Status)
                continue
            if isinstance(tick, Status):
                statuses.append(tick)
                if tick.state is State.HALTED:
                    assert tick.until_ms == tick.time_ms + HALT_MS
                    halted_until_ms = tick.until_ms
                    recent = [mid for at, mid in mids if at >= tick.time_ms - 300_000]
                    moves = [abs(mids[-1][1] / mid - 1) for mid in recent]
                    assert max(moves) > 0.049
                    assert market.statuses()[1] == tick
                else:
                    assert tick.until_ms is None
                    assert tick.time_ms == halted_until_ms
                    mids.clear()
            else:
                assert tick.time_ms >= halted_until_ms
            if isinstance(tick, Quote):
                mids.append((tick.time_ms, (tick.bid + tick.ask) / 2))
    states = [status.state for status in statuses]
    assert len(states) > 4
    assert states[::2] == [State.HALTED] * len(states[::2])
    assert states[1::2] == [State.TRADING] * len(states[1::2])


# ------------------------------------------------------------ the same again


def test_same_seed_same_tape() -> None:
    """Two markets of one seed say the same; another seed says something else."""
    first = tape_hash(run(Market("one", SYMBOLS, START_MS), 300))
    assert tape_hash(run(Market("one", SYMBOLS, START_MS), 300)) == first
    assert tape_hash(run(Market("two", SYMBOLS, START_MS), 300)) != first


def test_symbols_do_not_touch_each_other() -> None:
    """A symbol's tape is the same alone, among others, and in another order."""
    code = FEW[1].code
    alone = tape_hash(run(Market("own", [FEW[1]], START_MS), 500), code)
    assert tape_hash(run(Market("own", SYMBOLS, START_MS), 500), code) == alone
    assert tape_hash(run(Market("own", SYMBOLS[::-1], START_MS), 500), code) == alone


@pytest.mark.parametrize("cut", [0, 1, 137, 2_500])
def test_restored_as_if_never_stopped(cut: int) -> None:
    """A market restored from its snapshot goes on with the same tape, halts too."""
    symbols = [*FEW, WILD]
    whole = run(Market("cut", symbols, START_MS), 3_000)
    market = Market("cut", symbols, START_MS)
    parts = run(market, cut)
    again = Market.restore(market.snapshot(), symbols)
    assert again.quotes() == market.quotes()
    assert again.statuses() == market.statuses()
    parts += run(again, 3_000 - cut)
    assert tape_hash(parts) == tape_hash(whole)
    assert any(isinstance(tick, Status) for tick in whole)


def test_restored_within_a_halt() -> None:
    """A snapshot taken during a halt keeps it, and its end."""
    market = Market("halted", [WILD], START_MS)
    while market.statuses()[0].state is State.TRADING:
        market.step(0.25)
    until_ms = market.statuses()[0].until_ms
    assert until_ms is not None
    market.step(0.25)
    again = Market.restore(market.snapshot(), [WILD])
    assert again.statuses()[0].until_ms == until_ms
    assert tape_hash(run(again, 1_000)) == tape_hash(run(market, 1_000))


def test_a_snapshot_does_not_move_on() -> None:
    """What was written down stays, while the market it came from goes on."""
    market = Market("still", FEW, START_MS)
    run(market, 100)
    snapshot = market.snapshot()
    then = market.quotes()
    run(market, 100)
    assert Market.restore(snapshot, FEW).quotes() == then


def test_snapshots_are_small() -> None:
    """All that is needed to go on fits into 20 KB, to be saved each second."""
    market = Market("small", SYMBOLS, START_MS)
    run(market, 800, 1.0)
    assert len(market.snapshot()) < 20_000


def test_restored_with_other_symbols() -> None:
    """Symbols can be added and dropped; those that stay go on as if nothing were."""
    market = Market("more", FEW[:2], START_MS)
    run(market, 100)
    again = Market.restore(market.snapshot(), FEW[1:])
    assert [quote.symbol for quote in again.quotes()] == [FEW[1].code, FEW[2].code]
    new = again.quotes()[1]
    assert (new.last, new.seq) == (FEW[2].start_ticks, 0)
    code = FEW[1].code
    assert tape_hash(run(again, 200), code) == tape_hash(run(market, 200), code)


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"seed": 1}'])
def test_no_snapshot(text: bytes) -> None:
    """What is no snapshot is refused by a decoding error."""
    with pytest.raises(msgspec.DecodeError):
        Market.restore(text, FEW)


def test_golden_tape() -> None:
    """The first trade of a seed is pinned: a change of the model is seen here."""
    ticks = run(Market("golden", SYMBOLS[:1], START_MS), 20)
    first = next(tick for tick in ticks if isinstance(tick, Trade))
    assert first == GOLDEN


GOLDEN = Trade("ACME", 12, 12_841, 38, Side.BUY, 1_700_000_127_042)


# ------------------------------------------------------------ a past


def candles_of(
    symbols: Sequence[Symbol], bars: Iterable[Bar], trades: Iterable[Trade]
) -> dict[str, Candles]:
    """Return the candles of all symbols, from a market's past."""
    candles = {symbol.code: Candles(symbol.code) for symbol in symbols}
    for bar in bars:
        candles[bar.symbol].take(bar)
    for trade in trades:
        candles[trade.symbol].add(trade)
    return candles


def test_past_joins_now() -> None:
    """The past ends now, without a jump, a hole or a doubled trade at its joins."""
    market = Market("past", FEW, START_MS)
    past = market.backfill(2 * 3_600)
    assert market.now_ms == START_MS
    seam_ms = past.bars[-1].end_ms
    assert START_MS - 360_000 <= seam_ms <= START_MS - 300_000
    assert all(bar.end_ms <= seam_ms for bar in past.bars)
    assert all(seam_ms <= trade.time_ms < START_MS for trade in past.trades)
    live = [tick for tick in run(market, 600) if isinstance(tick, Trade)]
    assert all(trade.time_ms >= START_MS for trade in live)
    candles = candles_of(FEW, past.bars, [*past.trades, *live])
    for symbol in FEW:
        bars = candles[symbol.code].bars(Interval.MINUTE, 1_000)
        starts = [bar.start_ms for bar in bars]
        assert starts == list(range(starts[0], market.now_ms, 60_000))
        assert len(starts) >= 120
        deviation = symbol.daily_volatility / sqrt(390)
        for before, after in pairwise(bars):
            assert abs(after.open / before.close - 1) < 5 * deviation
            assert after.first_seq > before.last_seq
            assert before.low <= min(before.open, before.close)
            assert before.high >= max(before.open, before.close)
        hours = candles[symbol.code].bars(Interval.HOUR, 10)
        assert sum(bar.volume for bar in hours) == sum(bar.volume for bar in bars)
        assert bars[0].open == pytest.approx(symbol.start_ticks, rel=0.01)


def test_past_is_the_day_so_far() -> None:
    """Volume and change of the first quotes are those of the past since midnight."""
    market = Market("volume", FEW, START_MS)
    past = market.backfill(3 * 3_600)
    candles = candles_of(FEW, past.bars, past.trades)
    for quote in market.quotes():
        bars = candles[quote.symbol].bars(Interval.MINUTE, 1_000)
        assert quote.day_volume == sum(bar.volume for bar in bars)
        assert quote.last == bars[-1].close
        assert quote.prev_close == bars[0].open or quote.change != 0


def test_past_is_repeated() -> None:
    """A seed repeats its past too, for each symbol whatever the others are."""
    few, all_ = Market("again", FEW, START_MS), Market("again", SYMBOLS, START_MS)
    own, shared = few.backfill(3_600), all_.backfill(3_600)
    codes = {symbol.code for symbol in FEW}
    assert own.bars == [bar for bar in shared.bars if bar.symbol in codes]
    assert own.trades == [each for each in shared.trades if each.symbol in codes]
    assert few.quotes() == all_.quotes()[:3]


def test_short_past() -> None:
    """A past shorter than its finely played part is all trades."""
    market = Market("short", FEW, START_MS)
    past = market.backfill(30)
    assert past.bars == []
    assert past.trades
    assert market.now_ms == START_MS


def test_past_looks_like_now() -> None:
    """Bars of the past are as tall and as full as bars that were lived through."""
    minutes = 150
    symbols = FEW
    market = Market("looks", symbols, START_MS)
    past = market.backfill(minutes * 60)
    then = candles_of(symbols, past.bars, [])
    live = [tick for tick in run(market, minutes * 60, 1.0) if isinstance(tick, Trade)]
    now = candles_of(symbols, [], live)

    def shape(candles: dict[str, Candles]) -> tuple[float, float]:
        bars = [
            bar
            for each in candles.values()
            for bar in each.bars(Interval.MINUTE, minutes)
        ]
        height = fmean((bar.high - bar.low) / bar.low for bar in bars)
        length = fmean(abs(bar.close - bar.open) / bar.low for bar in bars)
        return height / length, fmean(bar.volume for bar in bars)

    was_height, was_volume = shape(then)
    height, volume = shape(now)
    assert was_height == pytest.approx(height, rel=0.2)
    assert was_volume == pytest.approx(volume, rel=0.35)


def test_nobody_trades() -> None:
    """A symbol that is hardly traded has minutes without a bar, and no error."""
    rare = replace(CALM, trades_per_s=0.002)
    past = Market("rare", [rare], START_MS).backfill(3_600)
    assert len(past.bars) < 30


# ------------------------------------------------------------ like a real market


@pytest.fixture(scope="module")
def observed() -> list[Observed]:
    """Three symbols, seen for `MINUTES`."""
    return observe(Market("facts", FEW, START_MS), MINUTES)


def test_prices_have_the_stylised_facts(observed: list[Observed]) -> None:
    """Fat tails, no predictable direction, and a volatility with a long memory."""
    measured = middle([facts(each.minutes) for each in observed])
    assert violations(measured) == set()
    assert set(measured) == set(BOUNDS)


def test_plain_random_walks_fail() -> None:
    """A geometric Brownian motion has neither fat tails nor memory."""
    dice = Random(1)
    walks = [[dice.gauss(0, 0.001) for _ in range(MINUTES)] for _ in range(3)]
    violated = violations(middle([facts(each) for each in walks]))
    assert violated >= {"kurtosis", *MEMORIES}


def test_fat_tails_alone_fail() -> None:
    """Independent Student-t returns have the tails, but no memory."""
    dice = Random(2)

    def student(freedom: int = 5) -> float:
        squares = sum(dice.gauss(0, 1) ** 2 for _ in range(freedom))
        return dice.gauss(0, 1) / sqrt(squares / freedom)

    walks = [[student() for _ in range(MINUTES)] for _ in range(3)]
    violated = violations(middle([facts(each) for each in walks]))
    assert violated >= MEMORIES
    assert "kurtosis" not in violated


def test_shuffled_prices_fail(observed: list[Observed]) -> None:
    """The market's own returns, shuffled, keep their tails and lose the memory."""
    dice = Random(3)
    shuffled = [dice.sample(each.minutes, len(each.minutes)) for each in observed]
    violated = violations(middle([facts(each) for each in shuffled]))
    assert violated >= MEMORIES
    assert "kurtosis" not in violated


def test_a_trend_fails(observed: list[Observed]) -> None:
    """Returns that lean on the one before are found out as predictable."""
    leaning = [
        [before + after for before, after in pairwise(each.minutes)]
        for each in observed
    ]
    assert "predictable" in violations(middle([facts(each) for each in leaning]))


def test_a_market_of_even_heat_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the wandering heat that makes the memory: without it the market fails."""
    monkeypatch.setattr(walk, "FAST_SWING", 0.0)
    monkeypatch.setattr(walk, "SLOW_SWING", 0.0)
    seen = observe(Market("facts", FEW[:1], START_MS), MINUTES // 2)
    assert violations(facts(seen[0].minutes)) >= MEMORIES


def test_tails_thin_out_with_time(observed: list[Observed]) -> None:
    """Kurtosis falls from steps over minutes to quarters of an hour."""
    falling = [
        median(excess_kurtosis(each.every(seconds)) for each in observed)
        for seconds in (STEP_S, 60, 900)
    ]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] > 2 * falling[1]


def test_trades_bounce(observed: list[Observed]) -> None:
    """Trades jump between bid and ask, so neighbouring returns turn back."""
    low, high = BOUNCE
    bounce = median(autocorrelation(returns(each.trades), 1) for each in observed)
    assert low <= bounce <= high
    still = median(autocorrelation(each.every(STEP_S), 1) for each in observed)
    assert not low <= still <= high, "the middle of the book does not bounce"


def test_volume_follows_volatility(observed: list[Observed]) -> None:
    """More is traded in wild minutes; shuffled volumes show that it is measured."""
    dice = Random(4)

    def bustle(each: Observed, volumes: Sequence[float]) -> float:
        return correlation([abs(move) for move in each.minutes], volumes)

    assert median(bustle(each, each.volumes) for each in observed) >= LEAST_BUSTLE
    assert (
        median(
            bustle(each, dice.sample(each.volumes, len(each.volumes)))
            for each in observed
        )
        < LEAST_BUSTLE
    )


def test_falls_stir_up(observed: list[Observed]) -> None:
    """Volatility rises after falls; of the mirrored prices the opposite is true."""
    assert fmean(leverage(each.minutes) for each in observed) < 0
    mirrored = [[-move for move in each.minutes] for each in observed]
    assert fmean(leverage(each) for each in mirrored) > 0


def test_symbols_move_together(observed: list[Observed]) -> None:
    """The shared shock correlates any two symbols, loosely."""
    first, second, third = (each.minutes for each in observed)
    for left, right in ((first, second), (first, third), (second, third)):
        assert 0.1 <= correlation(left, right) <= 0.5


@pytest.mark.long
@pytest.mark.timeout(300)
def test_facts_of_many_seeds() -> None:
    """Over five seeds of 5,000 minutes the medians keep all bounds, to the hour."""
    seen = [observe(Market(f"seed {n}", [CALM], START_MS), 5_000)[0] for n in range(5)]
    assert violations(middle([facts(each.minutes) for each in seen])) == set()
    falling = [
        median(excess_kurtosis(each.every(seconds)) for each in seen)
        for seconds in (STEP_S, 60, 900, 3_600)
    ]
    assert falling == sorted(falling, reverse=True)
    bounce = median(autocorrelation(returns(each.trades), 1) for each in seen)
    assert BOUNCE[0] <= bounce <= BOUNCE[1]
    assert fmean(leverage(each.minutes) for each in seen) < 0
