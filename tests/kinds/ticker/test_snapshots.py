from __future__ import annotations

import msgspec
import pytest

from server.kinds.ticker.bars import Bar, Interval
from server.kinds.ticker.candles import KEPT
from server.kinds.ticker.floor import Floor, Moved
from server.kinds.ticker.market import Market
from server.kinds.ticker.opening import open_market
from server.kinds.ticker.shown import SHOWN
from server.kinds.ticker.snapshots import BLOCK, Writer, floor_of, market_of
from server.kinds.ticker.symbols import SYMBOLS
from server.kinds.ticker.tape import Step, advance
from server.kinds.ticker.ticks import Side, Trade

START_MS = 1_700_000_012_345
FEW = SYMBOLS[:3]


def bars(floor: Floor) -> dict[tuple[str, Interval], list[Bar]]:
    """Return all that readers can be shown of the past."""
    return {
        (code, interval): floor.bars(code, interval, KEPT[interval])
        for code in floor.symbols
        for interval in SHOWN
    }


def assert_same(one: Floor, other: Floor) -> None:
    """Let two floors be the same, in all that readers can be shown."""
    assert one.now_ms == other.now_ms
    assert one.quotes() == other.quotes()
    assert one.statuses() == other.statuses()
    assert bars(one) == bars(other)


def move(market: Market, floors: list[Floor], by_ms: int) -> None:
    """Let a market and its floors go on."""
    to_ms = market.now_ms + by_ms
    while (step := advance(market, to_ms)) is not None:
        for floor in floors:
            floor.take(step, Moved())


async def test_a_floor_goes_on_from_its_snapshot() -> None:
    """With the same quotes, halts and bars, and so after the next steps."""
    market, floor = open_market("test", START_MS, 86_400, FEW)
    move(market, [floor], 7_300)
    again = await floor_of(await Writer().write(market, floor), FEW)
    assert_same(again, floor)
    move(market, [floor, again], 200_000)
    assert_same(again, floor)


async def test_a_market_goes_on_from_its_snapshot() -> None:
    """Exactly so."""
    market, floor = open_market("test", START_MS, 900, FEW)
    again = market_of(await Writer().write(market, floor), FEW)
    to_ms = market.now_ms + 100
    assert advance(again, to_ms) == advance(market, to_ms)


async def test_later_snapshots_have_the_blocks_of_earlier_ones() -> None:
    """Written over and over, while bars close, blocks end and old bars leave."""
    market, floor = open_market("test", START_MS, 900, FEW)
    writer = Writer()
    for by_ms in (4_000, 300_000, 25_000, 25_000, 4 * 3_600_000, 90_000, 1_000):
        # Longer than what is caught up with, so that there are holes.
        move(market, [floor], by_ms)
        for _ in range(20):
            move(market, [floor], 61_000)
        again = await floor_of(await writer.write(market, floor), FEW)
        assert_same(again, floor)


async def test_a_block_stays_open_for_late_trades() -> None:
    """Until none can come any more; then it is written for the last time."""
    market, floor = open_market("test", START_MS // 300_000 * 300_000, 900, FEW)
    writer = Writer()
    move(market, [floor], BLOCK * 5_000 + 1_000)
    await writer.write(market, floor)
    before = bars(floor)
    price = floor.quote("ACME").last
    late = Trade("ACME", 1, price, 1, Side.BUY, floor.now_ms - 1_500)
    floor.take(Step(floor.now_ms, floor.now_ms, [late]), Moved())
    assert bars(floor) != before
    again = await floor_of(await writer.write(market, floor), FEW)
    assert bars(again) == bars(floor)


async def test_symbols_may_be_others() -> None:
    """One that is new opens; one that is gone is forgotten."""
    market, floor = open_market("test", START_MS, 900, FEW)
    state = await Writer().write(market, floor)
    again = await floor_of(state, SYMBOLS[1:4])
    assert list(again.symbols) == [each.code for each in SYMBOLS[1:4]]
    assert again.quote("BRYO") == floor.quote("BRYO")
    opened = SYMBOLS[3]
    assert again.quote(opened.code).last == opened.start_ticks
    assert again.bars(opened.code, Interval.MINUTE, 5) == []
    assert [each.symbol for each in again.statuses()] == list(again.symbols)


async def test_the_snapshot_of_a_day_is_below_a_megabyte() -> None:
    """It is written each 25 seconds, and read by each node that comes."""
    market, floor = open_market("test", START_MS, 86_400, SYMBOLS)
    assert len(await Writer().write(market, floor)) < 800_000


async def test_what_is_no_snapshot_is_told() -> None:
    """As a decoding error."""
    with pytest.raises(msgspec.DecodeError):
        await floor_of(b"\x91", FEW)
    with pytest.raises(msgspec.DecodeError):
        market_of(b"", FEW)
