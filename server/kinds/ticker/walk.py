"""The hidden price of one symbol: a random walk whose wildness wanders too.

For a step of `dt` seconds, with n normal draws, t a Student-t one, all of variance
1, and `market` the shock that all symbols share (the numbers stand below by name):

    fast' = k fast + sqrt(1 - k^2) (LEAN s + sqrt(1 - LEAN^2) n)     k = e^(-dt/tau)
    slow' = k slow + sqrt(1 - k^2) n
    heat  = FAST_SWING fast + SLOW_SWING slow - FAST_SWING^2 - SLOW_SWING^2
    e     = MARKET_WEIGHT market + OWN_WEIGHT t                      s = e within +-3
    price = price exp(calm exp(heat) sqrt(dt) e)

The heat is such that the mean variance is that of `calm`. Its two factors give
volatility a memory of minutes and of hours; LEAN lets falls stir it up more than
rises. The market never closes, so there is no season within the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, log, sqrt

import msgspec

from .noise import Noise
from .symbols import Symbol

TRADING_DAY_S = 23_400.0
"""What a daily volatility refers to: 6.5 hours."""

FAST_SWING, FAST_TAU_S = 0.35, 300.0
SLOW_SWING, SLOW_TAU_S = 0.45, 7_200.0
MEAN_HEAT = -(FAST_SWING**2) - SLOW_SWING**2
LEAN = -0.3
LEAN_REST = sqrt(1.0 - LEAN**2)
LEAN_BOUND = 3.0
MARKET_WEIGHT, OWN_WEIGHT = sqrt(0.35), sqrt(0.65)

SPREAD_TAU_S = 20.0
HOME_TAU_S = 20 * TRADING_DAY_S
"""How slowly the price is drawn to where it began; else months would ruin it."""

JUMPS_PER_DAY = 0.5
"""So few, since more would drown the memory of the volatility."""
JUMP_MEAN, JUMP_DEVIATION = 0.4, 0.15
"""The size of a jump, in daily volatilities; its sign is a coin's."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What depends on the length of a step alone: how much is kept, and how new."""

    dt_s: float
    root: float
    fast_keep: float
    fast_kick: float
    slow_keep: float
    slow_kick: float
    spread_keep: float
    spread_kick: float
    home_pull: float


@lru_cache(maxsize=64)
def pace_of(dt_ms: int) -> Pace:
    """Return the factors for a step of `dt_ms` milliseconds."""
    dt_s = dt_ms / 1000.0

    def keep_and_kick(tau_s: float) -> tuple[float, float]:
        return exp(-dt_s / tau_s), sqrt(-expm1(-2.0 * dt_s / tau_s))

    return Pace(
        dt_s,
        sqrt(dt_s),
        *keep_and_kick(FAST_TAU_S),
        *keep_and_kick(SLOW_TAU_S),
        *keep_and_kick(SPREAD_TAU_S),
        home_pull=-expm1(-dt_s / HOME_TAU_S),
    )


class WalkState(msgspec.Struct):
    """Where a walk stands: the logarithm of the price in ticks, and the two factors.

    `until_jump_s` counts the seconds down to the next jump.
    """

    log_price: float
    fast: float
    slow: float
    until_jump_s: float


class Walk:
    """The hidden price of one symbol; `move` it, then read `log_price`."""

    __slots__ = ("_home", "_noise", "calm", "state")

    def __init__(
        self, symbol: Symbol, noise: Noise, state: WalkState | None = None
    ) -> None:
        """Start at the symbol's start price, or go on from `state`."""
        self.calm = symbol.daily_volatility / sqrt(TRADING_DAY_S)
        """The deviation of the logarithm of the price over a calm second."""
        self._home = log(symbol.start_ticks)
        self._noise = noise
        self.state = state or WalkState(
            log_price=self._home,
            fast=noise.normal(),
            slow=noise.normal(),
            until_jump_s=noise.exponential() * TRADING_DAY_S / JUMPS_PER_DAY,
        )

    @property
    def log_price(self) -> float:
        """The logarithm of the hidden price in ticks."""
        return self.state.log_price

    def move(self, pace: Pace, market: float) -> float:
        """Take one step, and return the heat: log of volatility over the calm one."""
        state, noise = self.state, self._noise
        heat = FAST_SWING * state.fast + SLOW_SWING * state.slow + MEAN_HEAT
        shock = MARKET_WEIGHT * market + OWN_WEIGHT * noise.shock()
        price = state.log_price + self.calm * exp(heat) * pace.root * shock
        price += (self._home - price) * pace.home_pull
        state.until_jump_s -= pace.dt_s
        if state.until_jump_s <= 0.0:
            price += self._jump()
        state.log_price = price
        lean = LEAN * max(-LEAN_BOUND, min(LEAN_BOUND, shock))
        stir = lean + LEAN_REST * noise.normal()
        state.fast = pace.fast_keep * state.fast + pace.fast_kick * stir
        state.slow = pace.slow_keep * state.slow + pace.slow_kick * noise.normal()
        return heat

    def _jump(self) -> float:
        noise, state = self._noise, self.state
        state.until_jump_s += noise.exponential() * TRADING_DAY_S / JUMPS_PER_DAY
        size = JUMP_MEAN + JUMP_DEVIATION * noise.normal()
        sign = 1.0 if noise.uniform() < 0.5 else -1.0  # noqa: PLR2004 a coin
        return sign * size * self.calm * sqrt(TRADING_DAY_S)


def bridge(start: float, end: float, deviation: float, chance: float) -> float:
    """Return how high a walk went on its way from `start` to `end`.

    `deviation` is that of the whole step, `chance` a draw from [0, 1) that picks
    from the exact distribution of the maximum of a Brownian bridge. For how low
    it went, give all of it with the sign turned.
    """
    spread = (end - start) ** 2 - 2.0 * deviation**2 * log(1.0 - chance)
    return (start + end + sqrt(spread)) / 2.0
