"""Work that is done in order, one piece at a time, by a task that lives while it lasts.

For what may wait for its own client: an event handler that asks it something must not
keep the answer from being read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...runtime.tasks import Tasks

    Work: TypeAlias = Callable[[], Awaitable[None]]

logger = logging.getLogger("hubbub.socketio")

MOST_WAITING: Final = 64
"""So many packets of one connection wait while a handler is at work."""


class Line:
    """The work of one connection; each piece weighs as much as its packet.

    There is at most one task. `fail` is called where work raises, after it was logged.
    """

    def __init__(self, tasks: Tasks, most_bytes: int, fail: Callable[[], None]) -> None:
        self._tasks = tasks
        self._fail = fail
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[Work, int]] = deque()
        self._waiting_bytes = 0
        self._running = False
        self._room = asyncio.Event()
        self._ended = False

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether something is under way or waits, behind which all else must stand."""
        return self._running

    async def put(self, work: Work, weight_bytes: int) -> None:
        """Have work done after what is there; wait while there is too much."""
        while self._is_full and not self._ended:
            self._room.clear()
            await self._room.wait()
        if not self._ended:
            self.push(work, weight_bytes)

    def finish(self) -> None:
        """Take no more by `put`; what waits is done."""
        self._ended = True
        self._room.set()

    def end(self) -> None:
        """Drop what waits, and take no more by `put`."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self.finish()

    def push(self, work: Work, weight_bytes: int = 0) -> None:
        """Have work done after what is there, even if there is too much."""
        self._waiting.append((work, weight_bytes))
        self._waiting_bytes += weight_bytes
        if not self._running:
            self._running = True
            self._tasks.spawn(self._run(), "socketio-handlers")

    @property
    def _is_full(self) -> bool:
        many = len(self._waiting) >= MOST_WAITING
        return many or self._waiting_bytes > self._most_bytes

    async def _run(self) -> None:
        try:
            while self._waiting:
                work, weight_bytes = self._waiting.popleft()
                self._waiting_bytes -= weight_bytes
                self._room.set()
                try:
                    await work()
                except Exception:
                    logger.exception("a handler failed")
                    self._fail()
        finally:
            self._running = False
