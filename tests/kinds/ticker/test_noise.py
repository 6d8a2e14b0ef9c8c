from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from random import Random
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.ticker.noise import (
    BLOCK,
    Draws,
    Noise,
    Shape,
    exponential,
    normal,
    shock,
    uniform,
)

SHAPES = (uniform, normal, exponential, shock)


def edges() -> Iterator[float]:
    """Yield the lowest and the highest that `random()` can return, by turns."""
    return cycle((0.0, 1.0 - 2**-53))


@pytest.mark.parametrize(
    ("shape", "mean", "variance"),
    [
        (uniform, 0.5, 1 / 12),
        (normal, 0.0, 1.0),
        (exponential, 1.0, 1.0),
        (shock, 0.0, 1.0),
    ],
)
def test_moments(shape: Shape, mean: float, variance: float) -> None:
    """Each shape has the mean and the variance that its name promises."""
    draw = Draws("moments", shape)
    values = [draw() for _ in range(40_000)]
    assert fmean(values) == pytest.approx(mean, abs=0.02)
    assert pvariance(values) == pytest.approx(variance, rel=0.05)


def test_shock_has_fat_tails() -> None:
    """Student's tails reach beyond 4 deviations some fifty times as often."""
    far = {}
    for shape in (normal, shock):
        draw = Draws("tails", shape)
        far[shape] = sum(abs(draw()) > 4 for _ in range(40_000))
    assert far[normal] < 10
    # P(|t5| > 4 sqrt(5/3)) = 0.36 %: 144 of 40,000.
    assert 90 < far[shock] < 200


@pytest.mark.parametrize("shape", SHAPES)
def test_edges(shape: Shape) -> None:
    """The ends of the uniform range give finite draws, never an error."""
    for shift in range(2):
        source = edges()
        for _ in range(shift):
            next(source)
        values = shape(source.__next__, 8)
        assert len(values) == 8
        assert all(abs(value) < 1e7 for value in values)


@given(
    taken=st.integers(0, 3 * BLOCK),
    more=st.integers(1, 2 * BLOCK),
    shape=st.sampled_from(SHAPES),
)
def test_resumes_anywhere(taken: int, more: int, shape: Shape) -> None:
    """Draws opened at a place give what the first ones would have given next."""
    first = Draws("seed", shape)
    for _ in range(taken):
        first()
    assert first.taken == taken
    again = Draws("seed", shape, first.taken)
    assert [again() for _ in range(more)] == [first() for _ in range(more)]
    assert again.taken == first.taken == taken + more


def test_blocks_differ() -> None:
    """Seeds, shapes and blocks of one sequence share nothing."""
    draw, other = Draws("a", uniform), Draws("b", uniform)
    values = [draw() for _ in range(2 * BLOCK)]
    values += [other() for _ in range(BLOCK)]
    assert len(set(values)) == len(values)


def test_only_random_is_drawn_from() -> None:
    """All shapes are functions of `Random.random()`, which alone is stable."""
    for shape in SHAPES:
        assert shape(Random(7).random, 6) == shape(Random(7).random, 6)


def test_noise_resumes() -> None:
    """A place holds all four sequences."""
    noise = Noise("seed")
    for draws, count in (
        (noise.uniform, 3),
        (noise.normal, 5),
        (noise.exponential, BLOCK),
        (noise.shock, BLOCK + 1),
    ):
        for _ in range(count):
            draws()
    again = Noise("seed", noise.place)
    assert again.place == noise.place
    assert again.uniform() == noise.uniform()
    assert again.normal() == noise.normal()
    assert again.exponential() == noise.exponential()
    assert again.shock() == noise.shock()
