"""How many sessions a node can let in, measured by the CPU that they took."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from server.runtime.arrivals import (
    ENOUGH,
    FLOOR_MS,
    LOOK_S,
    MOST_LOOKS,
    MOST_SPREAD_MS,
    SHARE,
    UNMEASURED_RATE,
    Arrivals,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Machine:
    """Its CPU and its timers, both moved by the test."""

    cpu_s: float = 0.0
    due: list[Callable[[], None]] = field(default_factory=list)
    arrivals: Arrivals = field(init=False)

    def __post_init__(self) -> None:
        self.arrivals = Arrivals(lambda: self.cpu_s)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """See `Timers`."""
        assert delay_s == LOOK_S
        self.due.append(callback)

    def second(self, openings: int, cpu_s: float) -> None:
        """Let a second pass in which so many came, and what they asked was done."""
        for _ in range(openings):
            self.arrivals.opened(self)
        self.cpu_s += cpu_s
        due, self.due = self.due, []
        for callback in due:
            callback()


@pytest.fixture
def machine() -> Machine:
    """One to which nobody has come."""
    return Machine()


def test_a_default_until_there_was_a_rush(machine: Machine) -> None:
    """A few openings say nothing, whatever they cost."""
    assert machine.arrivals.rate == UNMEASURED_RATE
    machine.second(ENOUGH - 1, 0.001)
    assert machine.arrivals.rate == UNMEASURED_RATE


def test_a_rush_is_measured_with_what_came_after_its_openings(machine: Machine) -> None:
    """Handshakes are cheap; what was asked for then counts, too."""
    machine.second(1_000, 0.4)
    machine.second(600, 0.6)
    assert machine.arrivals.rate == UNMEASURED_RATE, "it is not over"
    machine.second(0, 0.6)
    assert machine.arrivals.rate == pytest.approx(1_600 / 1.6)


def test_no_timer_while_nobody_comes(machine: Machine) -> None:
    """One look at a time in a rush, none after it."""
    assert machine.due == []
    machine.second(100, 0.1)
    assert len(machine.due) == 1
    machine.second(0, 0.1)
    assert machine.due == []


def test_the_best_rush_counts(machine: Machine) -> None:
    """In a slower one the process did other things, too."""
    for cpu_s in (0.5, 0.1, 1.0):
        machine.second(100, cpu_s)
        machine.second(0, 0.0)
    assert machine.arrivals.rate == pytest.approx(1_000)


def test_what_was_spent_between_two_rushes_counts_for_none(machine: Machine) -> None:
    """A rush begins with its first opening."""
    machine.second(100, 10.0)
    machine.second(0, 0.0)
    machine.cpu_s += 100.0
    machine.second(100, 0.05)
    machine.second(0, 0.05)
    assert machine.arrivals.rate == pytest.approx(1_000)


def test_a_rush_that_does_not_end_is_measured_nevertheless(machine: Machine) -> None:
    """After half a minute; then the next begins."""
    for _ in range(MOST_LOOKS):
        machine.second(200, 0.5)
    assert machine.arrivals.rate == pytest.approx(400)
    machine.second(200, 0.04)
    machine.second(0, 0.0)
    assert machine.arrivals.rate == pytest.approx(5_000)


def test_a_clock_that_stood_still_says_nothing(machine: Machine) -> None:
    """There is no rate of what cost nothing."""
    machine.second(100, 0.0)
    machine.second(0, 0.0)
    assert machine.arrivals.rate == UNMEASURED_RATE


def test_all_return_evenly_spread_over_what_they_take(machine: Machine) -> None:
    """At a share of the rate, so that the server can serve meanwhile."""
    machine.second(1_600, 1.6)
    machine.second(0, 0.0)
    returns_ms = list(machine.arrivals.returns_ms(3_000))
    step_ms = 1_000 / (1_000 * SHARE)
    assert returns_ms[0] == FLOOR_MS
    assert returns_ms[-1] == FLOOR_MS + 2_999 * step_ms
    steps_ms = {b - a for a, b in pairwise(returns_ms)}
    assert steps_ms == {step_ms}


def test_nobody_is_kept_away_for_longer_than_a_minute(machine: Machine) -> None:
    """However many they are, still evenly."""
    returns_ms = list(machine.arrivals.returns_ms(100_000))
    assert FLOOR_MS + MOST_SPREAD_MS * 0.99 < max(returns_ms) < 99_999
    assert max(returns_ms) <= FLOOR_MS + MOST_SPREAD_MS
    middle = sum(each < FLOOR_MS + MOST_SPREAD_MS / 2 for each in returns_ms)
    assert middle == pytest.approx(50_000, abs=10)


def test_nobody_returns_where_nobody_was(machine: Machine) -> None:
    """There is nothing to say."""
    assert list(machine.arrivals.returns_ms(0)) == []
