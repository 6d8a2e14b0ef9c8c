"""The sessions that are being told that they end: few at a time, and all awaited.

Rules:
1. Of many, a batch is told in each turn of the loop, so that those who stay, and those
   who wait for an answer, are served meanwhile.
2. They are told in random order, and each its own time to come back, at the rate at
   which this node can let them in: else they would all come at once, and those of one
   channel, who often came together, would come together again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from .flusher import SLICE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..errors import Disconnect
    from ..runtime.arrivals import Arrivals

logger = logging.getLogger("hubbub.farewells")

Draw: TypeAlias = "Callable[[int], int]"
"""Returns a random whole number below the given one."""

LAST_WORDS_S: Final = 0.5
BATCH: Final = 32
"""So many are told in a turn at most, fewer where that takes longer than a slice."""


class Leaving(Protocol):
    """What is told: a session."""

    id: str

    def close(self, disconnect: Disconnect) -> None:
        """End it from this side; nothing for one that has ended."""


class Farewells:
    """Who is still to be told."""

    def __init__(self, arrivals: Arrivals, draw: Draw = random.randrange) -> None:
        self._arrivals = arrivals
        self._draw = draw
        self._waiting: set[object] = set()
        self._all_told = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, leaving: object) -> None:
        """Note that a session is to be told, or that a wire waits for the answer."""
        self._waiting.add(leaving)

    def told(self, leaving: object) -> None:
        """Note that it was told, or has the answer, or was given up."""
        self._waiting.discard(leaving)
        if not self._waiting:
            self._all_told.set()

    async def all_told(self, seconds: float | None = None) -> None:
        """Wait until nobody is still to be told, and no answer is waited for.

        For `seconds` and LAST_WORDS_S at most: who was told at the last moment may
        answer; None: however long that takes.
        """
        most_s = None if seconds is None else seconds + LAST_WORDS_S
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while self._waiting:
                    self._all_told.clear()
                    await self._all_told.wait()

    def send_away(self, sessions: Iterable[Leaving], disconnect: Disconnect) -> None:
        """Tell them to go: some now, the others in the next turns of the loop."""
        leaving = list(sessions)
        self._waiting.update(leaving)
        self._tell_some(leaving, self._each_its_own(disconnect, len(leaving)))

    def _each_its_own(self, disconnect: Disconnect, count: int) -> Iterator[Disconnect]:
        if not disconnect.returns:
            return repeat(disconnect)
        return map(disconnect.retry, self._arrivals.returns_ms(count))

    def _tell_some(
        self, leaving: list[Leaving], disconnects: Iterator[Disconnect]
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SLICE_S
        for _ in range(min(BATCH, len(leaving))):
            self._tell(self._take_any(leaving), next(disconnects))
            if loop.time() > deadline:
                break
        if leaving:
            loop.call_soon(self._tell_some, leaving, disconnects)

    def _take_any(self, leaving: list[Leaving]) -> Leaving:
        # Shuffled one by one: all at once would take longer than a turn may.
        chosen = self._draw(len(leaving))
        leaving[chosen], leaving[-1] = leaving[-1], leaving[chosen]
        return leaving.pop()

    def _tell(self, session: Leaving, disconnect: Disconnect) -> None:
        try:
            session.close(disconnect)
        except Exception:
            # One session's fault must not keep the others from being told.
            logger.exception("session %s: cannot be told to go", session.id)
            self.told(session)
