"""A clock that tests set."""

from __future__ import annotations


class ManualClock:
    """Stands still until `advance` is called."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._start_ms = now_ms
        self._passed_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return self._start_ms + round(self._passed_s * 1_000)

    def monotonic(self) -> float:
        """Return seconds since this clock was made."""
        return self._passed_s
