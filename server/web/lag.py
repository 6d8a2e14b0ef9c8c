"""How late the event loop is: what it costs everybody that something did not yield."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

INTERVAL_S: Final = 0.5
SAMPLES: Final = 30
"""Fifteen seconds: the usual time between two scrapes."""


class LoopLag:
    """Measures by one timer how much later than asked the loop calls back."""

    def __init__(self) -> None:
        self._late_s: deque[float] = deque(maxlen=SAMPLES)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def worst_s(self) -> float:
        """The greatest lateness of the last 15 s, in seconds."""
        return max(self._late_s, default=0.0)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to measure."""
        self._wait(loop)

    def stop(self) -> None:
        """Measure no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + INTERVAL_S
        self._timer = loop.call_at(due, self._note, loop, due)

    def _note(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late_s.append(max(0.0, loop.time() - due))
        self._wait(loop)
