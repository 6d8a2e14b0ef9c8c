"""Writes outboxes: what gathers for a session in one turn of the loop leaves at once.

No task for each session: marked sessions are flushed together at the end of the turn,
yielding every few milliseconds. A waiting task exists only while a peer does not read.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Protocol

from ..errors import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import Disconnect
    from ..runtime.tasks import Tasks
    from ..runtime.wheel import Wheel
    from ..seams.wire import Wire
    from .outbox import Outbox

logger = logging.getLogger("hubbub.flusher")

SLICE_S = 0.0015
"""Fan-out and flush give the loop back after this long."""

_CHECK_EVERY = 32


class Flushed(Protocol):
    """What has an outbox to be written: a session."""

    id: str
    outbox: Outbox
    wire: Wire

    def flush(self, now: float) -> float | None:
        """Write what fits; return when there is more to write; None: nothing waits."""

    def close(self, disconnect: Disconnect) -> None:
        """End it from this side."""


class Flusher:
    """Knows which sessions have something to write, and when."""

    def __init__(self, tasks: Tasks, wheel: Wheel) -> None:
        self._tasks = tasks
        self._wheel = wheel
        self._marked: dict[Flushed, None] = {}
        self._timed: dict[Flushed, float] = {}
        self._stalled: set[Flushed] = set()
        self._scheduled = False
        self.rounds = 0
        """How often all that was marked has had its flush."""

    @property
    def busy(self) -> bool:
        """Whether a flush is still to come in this round."""
        return self._scheduled

    def mark(self, session: Flushed) -> None:
        """Flush this session at the end of the turn."""
        self._marked[session] = None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def mark_all(self, sessions: Sequence[Flushed]) -> None:
        """Flush all of these at the end of the turn."""
        if sessions:
            self._marked.update(dict.fromkeys(sessions))
            self.mark(sessions[0])

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
        self.rounds += 1

    def _postpone(self, rest: list[Flushed]) -> None:
        # They were marked first, so they go first.
        self._marked = dict.fromkeys(rest) | self._marked
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _flush(self, session: Flushed, now: float) -> None:
        try:
            due = session.flush(now)
        except Exception:
            # One session's fault must not keep the others from their frames.
            logger.exception("session %s: cannot be written to", session.id)
            session.outbox.clear()
            session.close(SERVER_ERROR)
            return
        if due is not None:
            self._come_again(session, due, now)

    def _come_again(self, session: Flushed, due: float, now: float) -> None:
        if session.wire.room() <= 0:
            self._await_room(session)
        elif due <= now:
            self.mark(session)
        elif due < self._timed.get(session, math.inf):
            self._timed[session] = due
            self._wheel.call_later(due - now, lambda: self._is_time(session))

    def _is_time(self, session: Flushed) -> None:
        self._timed.pop(session, None)
        self.mark(session)

    def _await_room(self, session: Flushed) -> None:
        if session not in self._stalled:
            self._stalled.add(session)
            self._tasks.spawn(self._until_writable(session), "stalled-session")

    async def _until_writable(self, session: Flushed) -> None:
        try:
            await session.wire.writable()
        except OSError:
            return
        finally:
            self._stalled.discard(session)
        self.mark(session)
