"""Time that is moved by hand, for what waits by timers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Timer:
    """One call that is due, or was called off."""

    when: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        """See `Cancellable.cancel`."""
        self.cancelled = True


@dataclass
class ManualTimers:
    """A loop's timers, whose time a test sets."""

    now: float = 100.0
    timers: list[Timer] = field(default_factory=list)

    def time(self) -> float:
        """See `Timers.time`."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """See `Timers.call_at`."""
        timer = Timer(when, callback)
        self.timers.append(timer)
        return timer

    @property
    def waiting(self) -> list[Timer]:
        """Those that were not called off."""
        return [each for each in self.timers if not each.cancelled]

    def run_until(self, end: float) -> None:
        """Let time pass, timer by timer."""
        while due := [each for each in self.waiting if each.when <= end]:
            first = min(due, key=lambda each: each.when)
            self.timers.remove(first)
            # A loop's timer fires a little late.
            self.now = max(self.now, first.when) + 1e-6
            first.callback()
        self.now = max(self.now, end)
