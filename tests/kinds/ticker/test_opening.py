from __future__ import annotations

import msgspec
import pytest

from server.kinds.ticker.bars import Interval
from server.kinds.ticker.floor import Floor, Moved
from server.kinds.ticker.market import Market
from server.kinds.ticker.opening import adopt, agree, open_market, replay
from server.kinds.ticker.snapshots import Writer
from server.kinds.ticker.symbols import SYMBOLS, Sector, Symbol
from server.kinds.ticker.tape import TAPE, Step, Strip, advance, encode
from server.kinds.ticker.ticks import Quote, State
from server.model import Position
from server.seams.log import Append, Appended, Draft
from server.stores.memory import MemoryLog
from tests.clocks import ManualClock

START_MS = 1_700_000_012_345
FEW = SYMBOLS[:3]
WILD = Symbol("WILD", "Wild & Sons", Sector.FOOD, "0.01", "50.00", 3.0, 2.0)


def a_log() -> MemoryLog:
    """Return a log without a tape."""
    epochs = iter(f"e{count}" for count in range(1_000))
    return MemoryLog(ManualClock(), lambda: next(epochs))


async def keep(log: MemoryLog, content: bytes) -> Position:
    """Put something on the tape."""
    (outcome,) = await log.append([Append((Draft(TAPE, "strip", content, None, 0),))])
    assert isinstance(outcome, Appended)
    return outcome.positions[0]


async def a_tape(log: MemoryLog, strips: int) -> tuple[Market, Floor, Position]:
    """Return a market, its floor, and the tape's end: a snapshot, then the strips."""
    market, floor = open_market("test", START_MS, 900, FEW)
    at = await keep(log, encode(Strip(0, 0, [])))
    await log.snapshot(TAPE, at, await Writer().write(market, floor))
    for _ in range(strips):
        was_ms = market.now_ms
        step = advance(market, was_ms + 100)
        assert step is not None
        floor.take(step, Moved())
        at = await keep(log, encode(Strip(was_ms, 0, [step])))
    return market, floor, at


def test_a_market_opens_with_a_past() -> None:
    """Its prices are those of its floor, and go on from the last bar."""
    market, floor = open_market("test", START_MS, 900, FEW)
    assert agree(market, floor)
    assert floor.now_ms == market.now_ms == START_MS
    (bar,) = floor.bars("ACME", Interval.HOUR, 1)
    assert bar.close == floor.quote("ACME").last


async def test_a_market_is_replayed_to_the_tapes_end() -> None:
    """However many strips there are; then it goes on as the other would have."""
    log = a_log()
    market, floor, end = await a_tape(log, 450)
    found = await replay(log, end, FEW)
    assert found is not None
    again, strips = found
    assert strips == 450
    assert agree(again, floor)
    assert again.snapshot() == market.snapshot()


async def test_without_a_snapshot_there_is_nothing_to_replay() -> None:
    """Nor with one of another stream."""
    log = a_log()
    end = await keep(log, encode(Strip(0, 0, [])))
    assert await replay(log, end, FEW) is None
    await a_tape(log, 1)
    assert await replay(log, Position("other", 3), FEW) is None


@pytest.mark.parametrize(
    "content",
    [b"torn", encode(Strip(0, 0, [Step(START_MS, START_MS - 1, [])]))],
)
async def test_a_tape_that_no_market_wrote_is_not_replayed(content: bytes) -> None:
    """What is no strip, and a step that cannot be taken."""
    log = a_log()
    await a_tape(log, 2)
    assert await replay(log, await keep(log, content), FEW) is None


async def test_what_left_the_log_is_not_replayed() -> None:
    """A market with a hole would be another one."""
    log = a_log()
    _, _, end = await a_tape(log, 1_005)
    assert await replay(log, end, FEW) is None


async def test_a_snapshot_that_cannot_be_read_is_as_good_as_none() -> None:
    """As of a later version."""
    log = a_log()
    _, _, end = await a_tape(log, 1)
    await log.snapshot(TAPE, end, b"later")
    assert await replay(log, end, FEW) is None


def test_a_market_goes_on_from_what_was_told() -> None:
    """Prices, volumes and counts join; it is another market, with the same past."""
    market, floor = open_market("test", START_MS, 900, FEW)
    other = Market("other", FEW, START_MS)
    assert not agree(other, floor)
    adopt(other, floor)
    assert agree(other, floor)
    assert other.snapshot() != market.snapshot()
    before = {quote.symbol: quote for quote in floor.quotes()}
    for tick in other.step(0.1):
        was = before[tick.symbol]
        assert tick.seq > was.seq
        if isinstance(tick, Quote):
            assert abs(tick.last - was.last) < 0.01 * was.last
            assert tick.prev_close == was.prev_close
            assert tick.day_volume >= was.day_volume


def test_a_halt_that_was_told_goes_on() -> None:
    """Until the time that was told."""
    market, floor = open_market("test", START_MS, 60, [WILD])
    while floor.status("WILD").state is State.TRADING:
        step = advance(market, market.now_ms + 1_000)
        assert step is not None
        floor.take(step, Moved())
    assert agree(market, floor)
    other = Market("other", [WILD], floor.now_ms)
    assert not agree(other, floor)
    adopt(other, floor)
    assert agree(other, floor)
    until_ms = floor.status("WILD").until_ms
    assert until_ms is not None
    assert other.statuses()[0].until_ms == until_ms
    assert other.step((until_ms - other.now_ms - 1) / 1_000) == []
    assert other.step(0.001)[0].seq == floor.status("WILD").seq + 1


@pytest.mark.parametrize("figure", ["seq", "last", "bid", "ask", "day_volume"])
def test_one_figure_that_differs_is_seen(figure: str) -> None:
    """What was told counts, also where mathematics differs in the last digit."""
    market, floor = open_market("test", START_MS, 900, FEW)
    quotes, statuses = floor.quotes(), floor.statuses()
    assert market.agrees(quotes, statuses)
    more: int = getattr(quotes[1], figure) + 1
    quotes[1] = msgspec.structs.replace(quotes[1], **{figure: more})
    assert not market.agrees(quotes, statuses)
    # Of what it does not trade it can say nothing.
    assert market.agrees([msgspec.structs.replace(quotes[1], symbol="ZZZZ")], statuses)
