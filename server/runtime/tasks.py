"""One supervised group that every long-lived task belongs to.

An asyncio.TaskGroup must be left by the task that entered it; an application's start
and stop may run in different tasks. So one task of its own enters the group, waits to
be told, and leaves it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger("hubbub.tasks")


AGAIN_S = 0.5
"""After so long, whoever has not obeyed its cancellation is cancelled again.

A TaskGroup keeps it to itself where one of its tasks fails at that moment (until Python
3.13), and whoever goes on after such a failure would never end.
"""


class Tasks:
    """Starts tasks, logs those that die, cancels the rest at the end."""

    def __init__(self) -> None:
        self._keeper: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._entered = asyncio.Event()
        self._leave = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    async def start(self) -> None:
        """Enter the group."""
        self._keeper = asyncio.get_running_loop().create_task(
            self._keep(), name="hubbub-tasks"
        )
        await self._entered.wait()

    async def stop(self) -> None:
        """Cancel what still runs and leave the group."""
        keeper = self._keeper
        if keeper is None:
            return
        self._leave.set()
        await keeper

    def spawn(
        self, work: Coroutine[object, object, None], name: str
    ) -> asyncio.Task[None] | None:
        """Start a task; its death by an exception is logged and harms no other.

        Returns it, for who may have to cancel it; None: all are being ended.
        """
        group = self._group
        if group is None or self._leave.is_set():
            work.close()
            return None
        task = group.create_task(self._guard(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # One that is cancelled before it begins has not begun its work either.
        task.add_done_callback(lambda _: work.close())
        return task

    def later(
        self, work: Callable[[], Coroutine[object, object, None]], name: str
    ) -> None:
        """Start a task from a function that makes its coroutine."""
        self.spawn(work(), name)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._entered.set()
            await self._leave.wait()
            while self._running:
                for task in tuple(self._running):
                    task.cancel()
                await asyncio.wait(tuple(self._running), timeout=AGAIN_S)
        self._group = None

    @staticmethod
    async def _guard(work: Coroutine[object, object, None], name: str) -> None:
        try:
            await work
        except Exception:
            logger.exception("task %s died", name)
