from __future__ import annotations

from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.ticker.noise import Draws, Noise, normal
from server.kinds.ticker.symbols import SYMBOLS, Sector, Symbol
from server.kinds.ticker.walk import Walk, bridge, pace_of

CALM = Symbol("CALM", "Calm", Sector.FOOD, "0.01", "100.00")


def test_a_year_does_not_ruin_prices() -> None:
    """After a year without a stop every price is still of its start's size."""
    pace, market = pace_of(14_400_000), Draws("year", normal)
    walks = [Walk(symbol, Noise(symbol.code)) for symbol in SYMBOLS]
    for _ in range(365 * 6):
        shared = market()
        for walk in walks:
            walk.move(pace, shared)
    for symbol, walk in zip(SYMBOLS, walks, strict=True):
        assert 0.2 < exp(walk.log_price) / symbol.start_ticks < 5


@pytest.mark.parametrize("dt_ms", [250, 1_000, 30_000])
def test_volatility_is_as_promised(dt_ms: int) -> None:
    """However time is cut, the variance of a day is the symbol's, and some jumps'."""
    pace, days = pace_of(dt_ms), 8
    market, squares, seconds = Draws("day", normal), 0.0, 0.0
    for day in range(days):
        walk = Walk(CALM, Noise(f"day {day}"))
        for _ in range(min(10_000, 23_400_000 // dt_ms)):
            before = walk.log_price
            walk.move(pace, market())
            move = walk.log_price - before
            # Jumps come on top of it, and are rare enough to be told apart.
            if abs(move) < CALM.daily_volatility / 5:
                squares += move**2
                seconds += pace.dt_s
    daily = sqrt(squares / seconds * 23_400)
    assert daily == pytest.approx(CALM.daily_volatility, rel=0.25)


def test_jumps() -> None:
    """A jump moves the price by about 0.4 daily volatilities, up as often as down."""
    pace, sizes = pace_of(1), []
    for n in range(200):
        walk = Walk(CALM, Noise(f"jump {n}"))
        walk.state.until_jump_s = 0.0
        before = walk.log_price
        walk.move(pace, 0.0)
        sizes.append((walk.log_price - before) / CALM.daily_volatility)
        assert walk.state.until_jump_s > 0
    assert fmean(map(abs, sizes)) == pytest.approx(0.4, abs=0.05)
    assert 70 < sum(size > 0 for size in sizes) < 130


@given(
    start=st.floats(-10, 10),
    end=st.floats(-10, 10),
    deviation=st.floats(0, 10),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_a_bridge_reaches_its_ends(
    start: float, end: float, deviation: float, chance: float
) -> None:
    """The highest point is never below where the way begins or ends."""
    assert bridge(start, end, deviation, chance) >= max(start, end) - 1e-9


def test_a_bridge_is_as_high_as_walks_are() -> None:
    """The mean of drawn maxima is that of the maxima of finely made walks."""
    dice, steps = Random(5), 400
    drawn, walked = [], []
    for _ in range(1_000):
        path = list(accumulate(dice.gauss(0, 1 / sqrt(steps)) for _ in range(steps)))
        walked.append(max(0.0, *path))
        drawn.append(bridge(0.0, path[-1], 1.0, dice.random()))
    # Steps miss the very top by 0.58 of a step's deviation.
    assert fmean(drawn) == pytest.approx(fmean(walked) + 0.58 / 20, rel=0.05)


def test_it_starts_at_home() -> None:
    """A new walk stands at the symbol's start price."""
    assert Walk(CALM, Noise("home")).log_price == log(10_000)
