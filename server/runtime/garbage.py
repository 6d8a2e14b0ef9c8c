"""Python's collector of cyclic garbage, kept from stalling the loop.

A full collection looks at everything that lives, for 50 ms and more with ten thousand
sessions, and again whenever there is a quarter more. Here each object is looked at
once: what has survived a full collection is frozen, which takes no time at any size.

Frozen objects die by their reference counts, as nearly all do. What is left is what
lived long and then ended in a cycle (the transport of asyncio is one with itself): for
that everything is looked at, rarely, when enough has ended.

It is the whole process that is tuned, so only the command `serve` does it.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .wheel import Wheel

OLDEST: Final = 2
"""The generation whose collection looks at everything that is not frozen."""
FULL_AFTER: Final = 3
"""A full collection comes after so many of the middle generation: it looks at some
20,000 new objects, for about 3 ms."""
LOOK_S: Final = 600.0
ENDED: Final = 1_000
"""When so many sessions have ended, everything is looked at."""


class Garbage:
    """Tunes the collector; `ended` says how many sessions have ended so far."""

    def __init__(self, wheel: Wheel, ended: Callable[[], int]) -> None:
        self._wheel = wheel
        self._ended = ended
        self._ended_before = 0

    @contextmanager
    def tuned(self) -> Iterator[None]:
        """Keep the collector tuned meanwhile."""
        before = gc.get_threshold()
        gc.callbacks.append(_freeze)
        gc.set_threshold(before[0], before[1], FULL_AFTER)
        gc.collect()
        self._wheel.call_later(LOOK_S, self._look)
        try:
            yield
        finally:
            gc.callbacks.remove(_freeze)
            gc.set_threshold(*before)
            gc.unfreeze()

    def _look(self) -> None:
        """Collect what was frozen, if much of it may be garbage."""
        self._wheel.call_later(LOOK_S, self._look)
        ended = self._ended()
        if ended - self._ended_before >= ENDED:
            self._ended_before = ended
            gc.unfreeze()
            gc.collect()


def _freeze(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == OLDEST:
        gc.freeze()
