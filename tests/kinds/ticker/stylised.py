"""What prices of real markets have in common, measured on a series, and its bounds.

The bounds leave room for the chance of short samples, but not for a plain random
walk: `test_market.py` shows that one, and others that lack something, to fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt
from statistics import fmean, median

from server.kinds.ticker.market import Market
from server.kinds.ticker.ticks import Quote, Trade

ABS_LAGS = range(1, 31)
STEP_S = 2


def returns(values: Sequence[float]) -> list[float]:
    """Return the differences of neighbours; of logarithms, they are returns."""
    return [after - before for before, after in pairwise(values)]


def excess_kurtosis(values: Sequence[float]) -> float:
    """Return how much fatter the tails are than a normal distribution's (0)."""
    mean = fmean(values)
    squares = [(value - mean) ** 2 for value in values]
    return fmean(square**2 for square in squares) / fmean(squares) ** 2 - 3.0


def correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Return Pearson's correlation of two series of one length."""
    mean_left, mean_right = fmean(left), fmean(right)
    left = [value - mean_left for value in left]
    right = [value - mean_right for value in right]
    covariance = sum(map(float.__mul__, left, right))
    return covariance / sqrt(
        sum(value * value for value in left) * sum(value * value for value in right)
    )


def autocorrelation(values: Sequence[float], lag: int) -> float:
    """Return the correlation of a series with itself, `lag` places later."""
    return correlation(values[:-lag], values[lag:])


def leverage(values: Sequence[float], ahead: int = 5) -> float:
    """Return the correlation of a return with the size of those that follow it."""
    sizes = [abs(value) for value in values]
    following = [
        fmean(sizes[at + 1 : at + 1 + ahead]) for at in range(len(values) - ahead)
    ]
    return correlation(values[: len(following)], following)


def facts(minutes: Sequence[float]) -> dict[str, float]:
    """Return the measured facts of a series of one-minute returns, by name."""
    sizes = [abs(value) for value in minutes]
    memory = [autocorrelation(sizes, lag) for lag in ABS_LAGS]
    return {
        "kurtosis": excess_kurtosis(minutes),
        "predictable": max(abs(autocorrelation(minutes, lag)) for lag in range(1, 11)),
        "memory, 1 min": memory[0],
        "memory, 1-30 min": fmean(memory),
        "memory, 30 min": memory[-1],
    }


BOUNDS = {
    "kurtosis": (2.0, 40.0),
    "predictable": (0.0, 0.12),
    "memory, 1 min": (0.15, 1.0),
    "memory, 1-30 min": (0.06, 1.0),
    "memory, 30 min": (0.02, 1.0),
}
"""From measurements of 60 seeds; plain random walks lie outside all but the second."""


def violations(measured: dict[str, float]) -> set[str]:
    """Return the names of the facts that lie outside of their bounds."""
    return {
        name
        for name, value in measured.items()
        if not BOUNDS[name][0] <= value <= BOUNDS[name][1]
    }


def middle(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each fact over several series."""
    return {name: median(each[name] for each in measured) for name in measured[0]}


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one symbol: its prices by the step, its volumes by the minute.

    Prices are logarithms: `middles` those between bid and ask after each step of
    `STEP_S`, `trades` those of every trade.
    """

    middles: list[float]
    volumes: list[float]
    trades: list[float]

    @property
    def minutes(self) -> list[float]:
        """The one-minute returns of the middle between bid and ask."""
        return self.every(60)

    def every(self, seconds: int) -> list[float]:
        """Return the returns over so many seconds each."""
        return returns(self.middles[:: seconds // STEP_S])


def observe(market: Market, minutes: int) -> list[Observed]:
    """Run `market` for so many minutes, and return what each symbol did."""
    mids = {quote.symbol: log((quote.bid + quote.ask) / 2) for quote in market.quotes()}
    seen = {code: Observed([mid], [], []) for code, mid in mids.items()}
    for _ in range(minutes):
        volumes = dict.fromkeys(mids, 0)
        for _ in range(60 // STEP_S):
            for tick in market.step(STEP_S):
                if isinstance(tick, Quote):
                    mids[tick.symbol] = log((tick.bid + tick.ask) / 2)
                elif isinstance(tick, Trade):
                    seen[tick.symbol].trades.append(log(tick.price))
                    volumes[tick.symbol] += tick.size
            for code, mid in mids.items():
                seen[code].middles.append(mid)
        for code, volume in volumes.items():
            seen[code].volumes.append(float(volume))
    return list(seen.values())
