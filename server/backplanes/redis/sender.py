"""What waits to be sent: a bounded queue, emptied into one pipeline after another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from ...errors import UNAVAILABLE, Away, Refusal

if TYPE_CHECKING:
    from ...runtime.stats import Traffic
    from .lane import Command, Lane

logger = logging.getLogger("hubbub.redis")

WAITING = 10_000
WAITING_BYTES = 8 * 1024 * 1024
PIPELINE = 512


class Sender:
    """Sends in the order of `put`, over a lane of one connection."""

    def __init__(self, lane: Lane, counts: Traffic) -> None:
        self._lane = lane
        self._counts = counts
        self._waiting: deque[tuple[Command, int]] = deque()
        self._waiting_bytes = 0
        self._some = asyncio.Event()

    def put(self, command: Command, size_bytes: int) -> None:
        """Queue a command. Raises `Refusal` (unavailable) where there is no room."""
        too_big = self._waiting_bytes + size_bytes > WAITING_BYTES
        if too_big or len(self._waiting) >= WAITING:
            self._counts.dropped += 1
            raise Refusal(UNAVAILABLE.because("too much waits to be sent"))
        self._waiting.append((command, size_bytes))
        self._waiting_bytes += size_bytes
        self._some.set()

    async def run(self) -> None:
        """Send what comes, until it fails. Raises `Away`; what was sent is unknown."""
        while True:
            await self._some.wait()
            await self.flush()

    async def flush(self) -> None:
        """Send what waits. Raises `Away`."""
        while self._waiting:
            await self._send_some()
        self._some.clear()

    def clear(self) -> None:
        """Drop what waits: publications heal from the log, rolls are said again."""
        self._counts.dropped += len(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._some.clear()

    async def _send_some(self) -> None:
        count = min(len(self._waiting), PIPELINE)
        taken = [self._waiting.popleft() for _ in range(count)]
        self._waiting_bytes -= sum(size_bytes for _, size_bytes in taken)
        sent = 0
        try:
            replies = await self._lane.ask([command for command, _ in taken])
            failed = [each for each in replies if isinstance(each, Exception)]
            sent = count - len(failed)
        finally:
            self._counts.sent += sent
            self._counts.dropped += count - sent
        for error in failed:
            if isinstance(error, Away):
                raise error
            # One damaged key is no reason to cut this node off.
            logger.warning("what was sent was not taken: %s", error)
