from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.kinds.ticker.bars import Bar, Interval, bar_of, join, widen
from server.kinds.ticker.candles import KEPT, LATE_MS, Candles
from server.kinds.ticker.ticks import Side, Trade

START_MS = 1_700_000_040_000 // 3_600_000 * 3_600_000
"""A whole hour."""


def trade(seq: int, after_ms: int, price: int = 100, size: int = 1) -> Trade:
    """Return a trade so many milliseconds after the whole hour."""
    return Trade("ACME", seq, price, size, Side.BUY, START_MS + after_ms)


def all_bars(candles: Candles, interval: Interval) -> list[Bar]:
    """Return all bars kept of an interval."""
    return candles.bars(interval, KEPT[interval])


def filled(trades: Sequence[Trade]) -> Candles:
    """Return candles with these trades."""
    candles = Candles("ACME")
    for each in trades:
        candles.add(each)
    return candles


@st.composite
def tapes(draw: st.DrawFn, span_ms: int = 600_000) -> list[Trade]:
    """Draw trades of up to `span_ms`, in the order of their time."""
    times = sorted(draw(st.lists(st.integers(0, span_ms - 1), min_size=1)))
    prices = st.integers(1, 10_000)
    sizes = st.integers(1, 500)
    return [
        trade(seq, time_ms, draw(prices), draw(sizes))
        for seq, time_ms in enumerate(times, 1)
    ]


def test_a_bar_by_hand() -> None:
    """Open, high, low, close, volume and count are those of the trades."""
    candles = filled(
        [
            trade(1, 100, 50, 3),
            trade(2, 40_000, 70, 5),
            trade(3, 41_000, 40, 7),
            trade(4, 59_999, 60, 1),
            trade(5, 60_000, 99, 9),
        ]
    )
    first, second = candles.bars(Interval.MINUTE, 10)
    assert first == Bar(
        symbol="ACME",
        interval=Interval.MINUTE,
        start_ms=START_MS,
        open=50,
        high=70,
        low=40,
        close=60,
        volume=16,
        trades=4,
        first_seq=1,
        last_seq=4,
        closed=False,
    )
    assert second.start_ms == first.end_ms == START_MS + 60_000
    assert (second.open, second.close, second.volume) == (99, 99, 9)


def test_sixty_seconds_make_a_minute() -> None:
    """The bars of a minute's seconds, joined, are the minute's bar in all fields."""
    tape = [trade(n + 1, n * 250, 1000 + n * 37 % 91, n % 13 + 1) for n in range(240)]
    candles = filled(tape)
    seconds = candles.bars(Interval.SECOND, 600)
    assert len(seconds) == 60
    begun = widen(seconds[0], Interval.MINUTE, closed=False)
    joined = reduce(lambda bar, part: join(bar, part, closed=False), seconds[1:], begun)
    assert [joined] == candles.bars(Interval.MINUTE, 10)


@given(tape=tapes())
def test_intervals_agree(tape: list[Trade]) -> None:
    """Each interval's bars are those made anew from the bars of any shorter one."""
    candles = filled(tape)
    for shorter in Interval:
        again = Candles("ACME")
        for bar in all_bars(candles, shorter):
            again.take(bar)
        for longer in Interval:
            if longer.ms >= shorter.ms:
                assert all_bars(again, longer) == all_bars(candles, longer)
            else:
                assert all_bars(again, longer) == []


@given(tape=tapes(), data=st.data())
def test_order_does_not_matter(tape: list[Trade], data: st.DataObject) -> None:
    """Trades that come in another order make the same bars."""
    shuffled = data.draw(st.permutations(tape))
    for interval in Interval:
        assert all_bars(filled(shuffled), interval) == all_bars(filled(tape), interval)


@given(tape=tapes(span_ms=20_000), data=st.data())
def test_late_trades_amend(tape: list[Trade], data: st.DataObject) -> None:
    """With trades at most 2 s late and a running clock, closed bars come out right."""
    delays = data.draw(
        st.lists(st.integers(0, LATE_MS), min_size=len(tape), max_size=len(tape))
    )
    arrivals = sorted(
        (each.time_ms + delay, each.seq, each)
        for each, delay in zip(tape, delays, strict=True)
    )
    candles = Candles("ACME")
    told: dict[tuple[Interval, int], Bar] = {}
    for now_ms, _, each in arrivals:
        for bar in candles.close_due(now_ms) + candles.add(each):
            told[bar.interval, bar.start_ms] = bar
    assert candles.late_trades == 0
    end_ms = START_MS + 3_600_000
    for bar in candles.close_due(end_ms):
        told[bar.interval, bar.start_ms] = bar
    inorder = filled(tape)
    inorder.close_due(end_ms)
    for interval in Interval:
        assert all_bars(candles, interval) == all_bars(inorder, interval)
        # Who only listened has the same bars.
        heard = [bar for (each, _), bar in sorted(told.items()) if each is interval]
        assert heard == all_bars(candles, interval)


def test_changed_bars_are_told() -> None:
    """`add` returns the open bar of every interval, the shortest first."""
    candles = Candles("ACME")
    changed = candles.add(trade(1, 0))
    assert [bar.interval for bar in changed] == list(Interval)
    assert not any(bar.closed for bar in changed)
    assert changed == [candles.bars(each, 1)[0] for each in Interval]


def test_the_clock_closes() -> None:
    """A bar is closed when its time is over, once, with no trade to push it."""
    candles = filled([trade(1, 200)])
    assert candles.close_due(START_MS + 999) == []
    (second,) = candles.close_due(START_MS + 1_000)
    assert (second.interval, second.closed) == (Interval.SECOND, True)
    assert candles.close_due(START_MS + 1_000) == []
    assert candles.close_due(START_MS + 4_999) == []
    (five,) = candles.close_due(START_MS + 5_001)
    assert (five.interval, five.start_ms) == (Interval.FIVE_SECONDS, START_MS)
    rest = candles.close_due(START_MS + 3_600_000)
    assert [bar.interval for bar in rest] == list(Interval)[2:]
    assert all(bar.closed for bar in rest)


def test_the_clock_does_not_go_back() -> None:
    """An earlier time after a later one opens nothing again and closes nothing."""
    candles = filled([trade(1, 200)])
    candles.close_due(START_MS + 10_000)
    assert candles.close_due(START_MS) == []
    assert candles.bars(Interval.SECOND, 1)[0].closed
    assert candles.add(trade(2, 10_000 - LATE_MS - 1)) == []


def test_empty_spans_have_no_bar() -> None:
    """Seconds without a trade are left out, and the next one begins anew."""
    candles = filled([trade(1, 0, 50), trade(2, 3_000, 80)])
    starts = [bar.start_ms for bar in candles.bars(Interval.SECOND, 10)]
    assert starts == [START_MS, START_MS + 3_000]
    assert candles.bars(Interval.SECOND, 1)[0].open == 80


def test_a_late_trade_is_sent_as_closed() -> None:
    """A trade for a closed second returns that bar amended, and closed still."""
    candles = filled([trade(1, 500, 100), trade(3, 1_500, 100)])
    candles.close_due(START_MS + 2_000)
    second, five, *_ = candles.add(trade(2, 900, 130, 4))
    assert (second.start_ms, second.closed) == (START_MS, True)
    assert (second.high, second.close, second.volume) == (130, 130, 5)
    assert not five.closed
    assert five.close == 100


def test_a_bar_can_begin_closed() -> None:
    """A late trade alone in a second that just ended makes a bar that is closed."""
    candles = Candles("ACME")
    candles.close_due(START_MS + 1_000)
    second, five, *_ = candles.add(trade(1, 500))
    assert (second.closed, five.closed) == (True, False)


def test_too_late_is_counted() -> None:
    """More than 2 s after its time a trade changes nothing and is counted."""
    candles = filled([trade(1, 0)])
    candles.close_due(START_MS + 5_000)
    before = {each: all_bars(candles, each) for each in Interval}
    assert candles.add(trade(2, 5_000 - LATE_MS - 1)) == []
    assert candles.late_trades == 1
    assert {each: all_bars(candles, each) for each in Interval} == before
    assert candles.add(trade(3, 5_000 - LATE_MS)) != []
    assert candles.late_trades == 1


def test_memory_is_bounded() -> None:
    """No more bars are kept than promised, and they are the newest."""
    candles = Candles("ACME")
    count = KEPT[Interval.SECOND] + 100
    for n in range(count):
        candles.add(trade(n + 1, n * 1_000))
    kept = candles.bars(Interval.SECOND, count)
    assert len(kept) == KEPT[Interval.SECOND]
    assert kept[-1].start_ms == START_MS + (count - 1) * 1_000
    assert kept[0].start_ms == START_MS + 100 * 1_000


def test_a_full_ring_takes_late_trades() -> None:
    """In a full ring a late bar finds its place; one before all is not kept."""
    candles = Candles("ACME")
    full = KEPT[Interval.SECOND]
    for n in range(full):
        candles.add(trade(n + 1, (n if n < full - 1 else n + 1) * 1_000))
    candles.add(trade(0, (full - 1) * 1_000))
    kept = candles.bars(Interval.SECOND, full)
    assert [bar.start_ms for bar in kept] == [
        START_MS + n * 1_000 for n in range(1, full + 1)
    ]
    old = replace(bar_of(trade(1, 0)), interval=Interval.SECOND)
    candles.take(old)
    assert candles.bars(Interval.SECOND, full) == kept


@pytest.mark.parametrize(
    ("limit", "before_ms", "expected"),
    [
        (2, None, [8, 9]),
        (100, None, list(range(10))),
        (3, 5_000, [2, 3, 4]),
        (3, 4_001, [2, 3, 4]),
        (3, 0, []),
        (0, None, []),
    ],
)
def test_pages(limit: int, before_ms: int | None, expected: list[int]) -> None:
    """Bars come oldest first, the newest of those before the asked time."""
    candles = filled([trade(n + 1, n * 1_000) for n in range(10)])
    before = None if before_ms is None else START_MS + before_ms
    found = candles.bars(Interval.SECOND, limit, before)
    assert [(bar.start_ms - START_MS) // 1_000 for bar in found] == expected


def test_history_and_trades_join() -> None:
    """Bars from before and the trades that follow give one row without a seam."""
    tape = [trade(n + 1, n * 700, 100 + n % 7, 2) for n in range(500)]
    whole = filled(tape)
    cut_ms = START_MS + 120_000
    past = filled([each for each in tape if each.time_ms < cut_ms])
    joined = Candles("ACME")
    for bar in all_bars(past, Interval.MINUTE):
        joined.take(bar)
    for each in tape:
        if each.time_ms >= cut_ms:
            joined.add(each)
    for interval in (Interval.MINUTE, Interval.FIVE_MINUTES, Interval.HOUR):
        assert all_bars(joined, interval) == all_bars(whole, interval)


def test_intervals_nest() -> None:
    """Each interval is a whole multiple of all shorter ones, and has its ring."""
    lengths = [each.ms for each in Interval]
    assert lengths == sorted(lengths)
    assert all(
        longer % shorter == 0
        for at, shorter in enumerate(lengths)
        for longer in lengths[at:]
    )
    assert set(KEPT) == set(Interval)
