from __future__ import annotations

import pytest

from server.kinds.ticker.market import Market
from server.kinds.ticker.symbols import SYMBOLS, Sector, Symbol
from server.kinds.ticker.tape import (
    CATCH_UP_MS,
    MARK,
    STEP_MS,
    Step,
    Strip,
    TornError,
    advance,
    decode,
    encode,
    repeat,
)
from server.kinds.ticker.ticks import Quote, Status, Trade

START_MS = 1_700_000_012_345
WILD = Symbol("WILD", "Wild & Sons", Sector.FOOD, "0.01", "50.00", 3.0, 2.0)


def a_market() -> Market:
    """Return a market that opens just now."""
    return Market("test", [*SYMBOLS[:2], WILD], START_MS)


def a_run(market: Market, to_ms: int) -> list[Step]:
    """Return the steps to a time."""
    steps: list[Step] = []
    while (step := advance(market, to_ms)) is not None:
        steps.append(step)
    return steps


def test_the_tape_says_all_that_happened() -> None:
    """Quotes, trades and halts come out as they went in, in their order."""
    steps = a_run(a_market(), START_MS + 40_000)
    ticks = [tick for step in steps for tick in step.ticks]
    assert {type(tick) for tick in ticks} == {Quote, Trade, Status}
    strip = Strip(START_MS, START_MS - 100, steps)
    assert decode(encode(strip)) == strip
    assert decode(encode(MARK)) == MARK


def test_a_strip_is_small() -> None:
    """What ten of them a second may cost: less than a kilobyte for twenty symbols."""
    market = Market("test", SYMBOLS, START_MS)
    steps = a_run(market, START_MS + 100)
    assert len(encode(Strip(START_MS, START_MS, steps))) < 1_100


@pytest.mark.parametrize("content", [{"strip": 1}, b"", b"\x93\x01", encode(MARK)[:-1]])
def test_what_is_no_strip_is_told(content: object) -> None:
    """By one error, whatever it is."""
    with pytest.raises(TornError):
        decode(content)  # type: ignore[arg-type]


def test_late_steps_are_cut() -> None:
    """Into pieces of a second, the last one as long as it is."""
    steps = a_run(a_market(), START_MS + 2_250)
    spans = [step.to_ms - step.from_ms for step in steps]
    assert spans == [STEP_MS, STEP_MS, 250]


def test_what_is_too_late_is_leapt_over() -> None:
    """The first step then begins where the market had not been."""
    steps = a_run(a_market(), START_MS + CATCH_UP_MS + 5_000)
    assert steps[0].from_ms == START_MS + 5_000
    assert steps[-1].to_ms == START_MS + CATCH_UP_MS + 5_000


def test_time_never_goes_back() -> None:
    """A time before the market's is one at which it has arrived."""
    market = a_market()
    assert advance(market, START_MS - 1) is None
    assert advance(market, START_MS) is None
    assert market.now_ms == START_MS


def test_steps_repeated_lead_to_the_same_market() -> None:
    """Leaps, cut steps and halts too: what comes next is the same, to the last bit."""
    market, again = a_market(), a_market()
    steps = a_run(market, START_MS + 40_000)
    steps += a_run(market, market.now_ms + 90_130)
    for step in steps:
        repeat(again, step)
    assert again.snapshot() == market.snapshot()
    assert advance(again, again.now_ms + 100) == advance(market, market.now_ms + 100)


def test_a_step_that_no_market_took_is_refused() -> None:
    """Of no length, or backwards."""
    with pytest.raises(ValueError, match="a step takes"):
        repeat(a_market(), Step(START_MS, START_MS - 100, []))
