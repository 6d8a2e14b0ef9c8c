"""How many sessions this node can let in, and when many may come back.

Measured in CPU seconds, because it is asked for when the node is idle or at its end. A
rush begins with an opening. Each second it is looked at, and it ends when hardly
anybody came in that second, so that what the last of them cost is in the measure: the
handshake and, after it, all that they asked for. Its rate is its openings for each CPU
second of the process. The best rush counts: in it the process had least else to do.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNMEASURED_RATE: Final = 500.0
"""Sessions a CPU second, until there was a rush."""
LOOK_S: Final = 1.0
ENOUGH: Final = 100
"""So many openings tell something, in a rush and in a second of it: with fewer, what
else the process did would be in the measure."""
MOST_LOOKS: Final = 30
"""A stream of openings that does not end is measured by so many seconds of it."""

SHARE: Final = 0.5
"""How much of the node's time those who come back may take; the rest is to serve."""
FLOOR_MS: Final = 1_000
"""The first comes back then: a node that starts anew needs about that long."""
MOST_SPREAD_MS: Final = 60_000.0
"""The last comes back that much later at most, however many there are.

Longer would look like an outage; other nodes take some, and the listener's queue holds
who comes too soon.
"""


class Timers(Protocol):
    """Calls back later; the hub's wheel."""

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call back once, after `delay_s`."""


class Arrivals:
    """Measures the rushes of one process."""

    def __init__(self, cpu_s: Callable[[], float] = time.process_time) -> None:
        self._cpu_s = cpu_s
        self._best: float | None = None
        self._openings = self._seen = self._looks = 0
        self._began_cpu_s = 0.0

    @property
    def rate(self) -> float:
        """Sessions that can be opened in one CPU second."""
        return self._best or UNMEASURED_RATE

    def opened(self, timers: Timers) -> None:
        """Note that a session begins."""
        if not self._openings:
            self._seen = self._looks = 0
            self._began_cpu_s = self._cpu_s()
            self._look_later(timers)
        self._openings += 1

    def returns_ms(self, count: int) -> Iterator[int]:
        """Yield when each of `count` is to come back, in ms: ever later, evenly."""
        step_ms = 1_000 / (self.rate * SHARE)
        if count * step_ms > MOST_SPREAD_MS:
            step_ms = MOST_SPREAD_MS / count
        return (FLOOR_MS + int(step_ms * each) for each in range(count))

    def _look_later(self, timers: Timers) -> None:
        timers.call_later(LOOK_S, lambda: self._look(timers))

    def _look(self, timers: Timers) -> None:
        self._looks += 1
        fresh, self._seen = self._openings - self._seen, self._openings
        if fresh >= ENOUGH and self._looks < MOST_LOOKS:
            self._look_later(timers)
            return
        self._end()

    def _end(self) -> None:
        openings, self._openings = self._openings, 0
        spent_s = self._cpu_s() - self._began_cpu_s
        if openings >= ENOUGH and spent_s > 0:
            self._best = max(self._best or 0.0, openings / spent_s)
