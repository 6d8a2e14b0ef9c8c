"""Chance that can be repeated, and resumed at any place.

Only `random.Random.random()` is used below: it is the one method whose sequence
Python promises to keep for a given seed from version to version. The shapes
(normal, Student-t, exponential) are made from it here.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from math import cos, log, pi, sin, sqrt
from random import Random

import msgspec

BLOCK = 256
"""Draws made at once; even, since Box-Muller makes them in pairs."""

SHOCK_FREEDOM = 5
"""Degrees of freedom of the Student-t shocks: fat tails, finite kurtosis."""

Uniform = Callable[[], float]
Shape = Callable[[Uniform, int], list[float]]


def uniform(draw: Uniform, count: int) -> list[float]:
    """Return `count` draws from [0, 1)."""
    return [draw() for _ in range(count)]


def exponential(draw: Uniform, count: int) -> list[float]:
    """Return `count` waits of mean 1, as between events of a Poisson process."""
    return [-log(1.0 - draw()) for _ in range(count)]


def normal(draw: Uniform, count: int) -> list[float]:
    """Return `count` (an even number of) standard normal draws, by Box and Muller."""
    values: list[float] = []
    for _ in range(count // 2):
        radius = sqrt(-2.0 * log(1.0 - draw()))
        angle = 2.0 * pi * draw()
        values += (radius * cos(angle), radius * sin(angle))
    return values


def shock(draw: Uniform, count: int) -> list[float]:
    """Return `count` Student-t draws, scaled to variance 1, by Bailey's polar method.

    Unlike Box and Muller's pair, the two of Bailey's are not independent, so
    only the first is used.
    """
    power = -2.0 / SHOCK_FREEDOM
    # The variance of Student-t is v / (v - 2); this takes it out.
    scale = SHOCK_FREEDOM - 2.0
    return [
        sqrt(scale * ((1.0 - draw()) ** power - 1.0)) * cos(2.0 * pi * draw())
        for _ in range(count)
    ]


class Draws:
    """An endless sequence of draws of one shape; call it for the next one.

    Every block has a seed of its own, so a place in the sequence is one integer
    instead of the 625 of a Mersenne Twister, and going there costs one block.
    """

    __slots__ = ("_at", "_block", "_seed", "_shape", "_values")

    def __init__(self, seed: str, shape: Shape, taken: int = 0) -> None:
        """Start the sequence named `seed` after the first `taken` draws."""
        self._seed = seed
        self._shape = shape
        self._block, self._at = divmod(taken, BLOCK)
        self._values = self._load()

    def __call__(self) -> float:
        """Return the next draw."""
        at = self._at
        if at == BLOCK:
            self._block += 1
            self._values = self._load()
            at = 0
        self._at = at + 1
        return self._values[at]

    @property
    def taken(self) -> int:
        """How many draws were taken since the start of the sequence."""
        return self._block * BLOCK + self._at

    def _load(self) -> list[float]:
        name = f"{self._seed}:{self._shape.__name__}:{self._block}"
        seed = int.from_bytes(sha256(name.encode()).digest())
        return self._shape(Random(seed).random, BLOCK)


class Place(msgspec.Struct, frozen=True, gc=False):
    """How many draws of each shape were taken: where a `Noise` stands."""

    uniform: int = 0
    normal: int = 0
    exponential: int = 0
    shock: int = 0


class Noise:
    """The chance of one symbol: four sequences that nothing else draws from."""

    __slots__ = ("exponential", "normal", "shock", "uniform")

    def __init__(self, seed: str, place: Place | None = None) -> None:
        """Open the sequences of `seed` at `place`; None means their beginning."""
        place = place or Place()
        self.uniform = Draws(seed, uniform, place.uniform)
        self.normal = Draws(seed, normal, place.normal)
        self.exponential = Draws(seed, exponential, place.exponential)
        self.shock = Draws(seed, shock, place.shock)

    @property
    def place(self) -> Place:
        """Where it stands now; `Noise(seed, place)` goes on from there."""
        return Place(
            uniform=self.uniform.taken,
            normal=self.normal.taken,
            exponential=self.exponential.taken,
            shock=self.shock.taken,
        )
