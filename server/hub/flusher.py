"""Writes outboxes: what gathers for a session in one turn of the loop leaves at once.

No task for each session: marked sessions are flushed together at the end of the turn,
yielding every few milliseconds. A waiting task exists only while a peer does not read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runtime.tasks import Tasks
    from ..runtime.wheel import Wheel
    from .session import Session

SLICE_S = 0.002
"""Fan-out and flush give the loop back after this long."""

_CHECK_EVERY = 32


class Flusher:
    """Knows which sessions have something to write, and when."""

    def __init__(self, tasks: Tasks, wheel: Wheel) -> None:
        self._tasks = tasks
        self._wheel = wheel
        self._marked: dict[Session, None] = {}
        self._conflating: set[Session] = set()
        self._stalled: set[Session] = set()
        self._scheduled = False

    def mark(self, session: Session) -> None:
        """Flush this session at the end of the turn."""
        self._marked[session] = None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        loop = asyncio.get_running_loop()
        now = loop.time()
        marked, self._marked = self._marked, {}
        for count, session in enumerate(marked, 1):
            self._flush(session, now)
            if count % _CHECK_EVERY == 0 and loop.time() - now > SLICE_S:
                self._postpone(list(marked)[count:])
                return

    def _postpone(self, rest: list[Session]) -> None:
        # They were marked first, so they go first.
        self._marked = dict.fromkeys(rest) | self._marked
        if self._marked and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _flush(self, session: Session, now: float) -> None:
        session.flush(now)
        if not session.outbox:
            return
        if session.wire.room() <= 0:
            self._await_room(session)
            return
        due = session.outbox.next_due(now)
        if due is None or due <= now:
            self.mark(session)
        elif session not in self._conflating:
            self._conflating.add(session)
            self._wheel.call_later(due - now, lambda: self._conflated(session))

    def _conflated(self, session: Session) -> None:
        self._conflating.discard(session)
        if session.outbox:
            self.mark(session)

    def _await_room(self, session: Session) -> None:
        if session not in self._stalled:
            self._stalled.add(session)
            self._tasks.spawn(self._until_writable(session), "stalled-session")

    async def _until_writable(self, session: Session) -> None:
        try:
            await session.wire.writable()
        except OSError:
            return
        finally:
            self._stalled.discard(session)
        self.mark(session)
