from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from server.errors import TOO_MANY_REQUESTS, Refusal
from server.kinds.ticker.bars import Interval
from server.kinds.ticker.candles import KEPT
from server.kinds.ticker.feed import (
    AGAIN_STRIPS,
    SNAPSHOT_MS,
    SNAPSHOT_STRIPS,
    FeedTime,
)
from server.kinds.ticker.symbols import Sector, Symbol
from server.kinds.ticker.tape import TAPE
from server.model import Event, Principal
from tests.kinds.ticker.exchange import START_MS, Exchange, Reader, an_exchange

if TYPE_CHECKING:
    from server.hub.session import Kept

ONE = "ticker:ACME"
BOARD = "ticker:market"
WILD = Symbol("WILD", "Wild & Sons", Sector.FOOD, "0.01", "50.00", 3.0, 2.0)


class TwoClocks:
    """A wall clock and a monotonic one that are set apart from each other."""

    def __init__(self) -> None:
        self.wall_ms, self.passed_s = START_MS, 5.0

    def now_ms(self) -> int:
        """Return what the wall clock says."""
        return self.wall_ms

    def monotonic(self) -> float:
        """Return the seconds that really passed."""
        return self.passed_s


def closed_bars(exchange: Exchange) -> list[list[int]]:
    """Return ACME's closed bars of five seconds, as the floor has them."""
    bars = exchange.floor.bars("ACME", Interval.FIVE_SECONDS, KEPT[Interval.MINUTE])
    return [
        [b.start_ms, b.open, b.high, b.low, b.close, b.volume, b.trades]
        for b in bars
        if b.closed
    ]


def published_bars(reader: Reader) -> list[list[int]]:
    """Return the bars of five seconds that came as publications."""
    contents: list[Any] = [each.content for each in reader.publications]
    return [each["bar"] for each in contents if each.get("interval") == "5s"]


def test_the_feeds_time_never_goes_back() -> None:
    """Not where the wall clock is set back; it goes on at the monotonic pace."""
    clock = TwoClocks()
    time = FeedTime(clock)
    assert time.now_ms() == START_MS
    clock.wall_ms -= 60_000
    clock.passed_s += 0.25
    assert time.now_ms() == START_MS + 250


def test_the_feeds_time_begins_where_the_market_stands() -> None:
    """The clock of the leader before was ahead of this one, by a second."""
    clock = TwoClocks()
    time = FeedTime(clock, START_MS + 1_000)
    assert time.now_ms() == START_MS + 1_000
    clock.passed_s += 0.25
    clock.wall_ms += 250
    assert time.now_ms() == START_MS + 1_250


def test_the_feeds_time_leaps_over_a_suspended_machine() -> None:
    """There the monotonic clock stood still, and the wall clock is right."""
    clock = TwoClocks()
    time = FeedTime(clock)
    clock.wall_ms += 1_900
    assert time.now_ms() == START_MS
    clock.wall_ms = START_MS + 3_600_000
    assert time.now_ms() == START_MS + 3_600_000
    clock.passed_s += 1
    assert time.now_ms() == START_MS + 3_601_000


async def test_the_feed_keeps_its_pace() -> None:
    """So many updates a second, whose work does not add up to the time between."""
    async with an_exchange(hz=4.0) as exchange:
        await exchange.metronome.tick(8)
        assert exchange.metronome.delays_s[1:] == pytest.approx([0.25] * 9)
        assert exchange.floor.now_ms == pytest.approx(exchange.clock.now_ms(), abs=2)


async def test_after_a_stall_the_feed_tells_once_where_things_stand() -> None:
    """No burst: one quote of each symbol, and the updates missed are not made up."""
    async with an_exchange() as exchange:
        board, one = exchange.reader(), exchange.reader()
        await board.join(BOARD)
        await one.join(ONE)
        before = len(exchange.metronome.delays_s)
        await exchange.metronome.tick(late_s=30.0)
        assert len(exchange.metronome.delays_s) == before + 1
        await board.catch_up()
        await one.catch_up()
        symbols = [signal.key for signal in board.signals("quote")]
        assert sorted(map(str, symbols)) == sorted(exchange.floor.symbols)
        keys = [signal.key for signal in one.signals("bar")]
        assert len(keys) == len(set(keys))
        assert len(one.signals("trade")) <= 50
        assert len([each for each in one.publications if each.event == "bar"]) >= 4


async def test_each_closed_bar_is_published_once_and_in_order() -> None:
    """And is the bar of the candles, to the last figure."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE)
        known = closed_bars(exchange)
        await exchange.metronome.tick(300)
        await reader.catch_up()
        contents: list[Any] = [each.content for each in reader.publications]
        bars = published_bars(reader)
        assert known + bars == closed_bars(exchange)
        assert len(bars) >= 5
        assert {each["interval"] for each in contents} <= {"5s", "1m", "5m", "1h"}
        offsets = [each.position.offset for each in reader.publications]
        assert offsets == list(range(1, len(offsets) + 1))


async def test_trades_and_bars_agree() -> None:
    """The trades told of a bar's time have its volume, its number and its range."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE)
        await exchange.metronome.tick(150)
        await reader.catch_up()
        trades: list[Any] = [each.content for each in reader.signals("trade")]
        bars = published_bars(reader)
        start, _, high, low, _, volume, number = bars[1]
        within = [each for each in trades if start <= each["time"] < start + 5_000]
        assert sum(each["size"] for each in within) == volume
        assert len(within) == number
        assert max(each["price"] for each in within) == high
        assert min(each["price"] for each in within) == low


async def test_a_halt_is_a_publication_and_the_board_shows_it() -> None:
    """Who missed its beginning learns of it from history, or from the quote."""
    async with an_exchange(symbols=[WILD]) as exchange:
        reader, board = exchange.reader(), exchange.reader()
        await reader.join("ticker:WILD")
        await board.join(BOARD)
        halts: list[Any] = []
        while not halts:
            await exchange.metronome.tick()
            await reader.catch_up()
            told: list[Any] = [each.content for each in reader.publications]
            halts = [each for each in told if each.get("status") == "halted"]
        assert halts[-1]["status"] == "halted"
        assert halts[-1]["until"] > exchange.floor.now_ms
        await board.catch_up()
        row = board.state["symbols"][0]
        assert (row["status"], row["until"]) == ("halted", halts[-1]["until"])


async def test_a_refused_bar_does_not_stop_the_feed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once; quotes go on, and the bar follows when it is taken again."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE)
        known = closed_bars(exchange)
        submit = exchange.hub.submit

        async def refuse(who: Principal, name: str, event: Event) -> Kept:
            if name != TAPE:
                raise Refusal(TOO_MANY_REQUESTS)
            return await submit(who, name, event)

        with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
            patched.setattr(exchange.hub, "submit", refuse)
            await exchange.metronome.tick(120)
        assert caplog.text.count("bars not published: 111 too many requests") == 1
        await reader.catch_up()
        assert reader.signals("quote")
        assert reader.publications == []
        assert len(closed_bars(exchange)) >= len(known) + 2
        await exchange.metronome.tick()
        await reader.catch_up()
        assert known + published_bars(reader) == closed_bars(exchange)
        fresh = exchange.reader()
        await fresh.join(ONE)
        rows = fresh.state["bars"]["5s"]
        assert [row for row in rows if row in closed_bars(exchange)] == (
            closed_bars(exchange)
        )


async def test_a_snapshot_is_written_once_in_a_while() -> None:
    """After so many strips, or so much time; the strips before it leave the log."""
    async with an_exchange() as exchange:
        log = exchange.hub.channels[TAPE].committer.log
        first = await log.latest_snapshot(TAPE)
        assert first is not None
        await exchange.metronome.tick(SNAPSHOT_STRIPS)
        second = await log.latest_snapshot(TAPE)
        assert second is not None
        assert second.at.offset == first.at.offset + SNAPSHOT_STRIPS
        kept = await log.page(TAPE, None, 1_000)
        assert kept.publications[0].position.offset == second.at.offset + 1
        await exchange.metronome.tick(late_s=SNAPSHOT_MS / 1_000)
        third = await log.latest_snapshot(TAPE)
        assert third is not None
        assert third.at == (await log.top(TAPE))


async def test_a_snapshot_that_fails_is_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The market goes on meanwhile, and the strips of the log suffice."""
    async with an_exchange() as exchange:
        log = exchange.hub.channels[TAPE].committer.log
        first = await log.latest_snapshot(TAPE)

        async def fail(*_: object) -> None:
            raise ConnectionError

        with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
            patched.setattr(log, "snapshot", fail)
            await exchange.metronome.tick(SNAPSHOT_STRIPS + 2 * AGAIN_STRIPS)
        assert caplog.text.count("the market's snapshot cannot be written") == 3
        assert await log.latest_snapshot(TAPE) == first
        await exchange.metronome.tick(AGAIN_STRIPS)
        assert await log.latest_snapshot(TAPE) != first
