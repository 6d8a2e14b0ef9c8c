"""The event loop's own time, driven by a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LoopTime:
    """Stands still but for `advance`, and for `step_s` each time it is read.

    From its making on, the running loop's timers follow it.
    """

    def __init__(self, step_s: float = 0.0) -> None:
        self.step_s = step_s
        loop = asyncio.get_running_loop()
        self._now_s = loop.time()
        # The loop asks itself for the time, so it believes this one.
        setattr(loop, "time", self.read)  # noqa: B010 - a method, for mypy

    def read(self) -> float:
        """Return monotonic seconds."""
        self._now_s += self.step_s
        return self._now_s

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what falls due happen."""
        self._now_s += seconds
        await turns(5)


async def turns(count: int) -> None:
    """Give the loop so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(holds: Callable[[], object], most_turns: int = 2_000) -> None:
    """Give the loop turns until something holds; fail where it never does."""
    for _ in range(most_turns):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to hold")
