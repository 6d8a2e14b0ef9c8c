"""One GET that waits for something to tell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

POLL_BYTES: Final = 100 * 1024
"""What one answer takes, but for a single frame that is larger."""


class Poll:
    """A GET that waits for its answer, until it is `taken` to be written."""

    __slots__ = ("frames", "ready", "request", "room_bytes", "taken")

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.ready = asyncio.get_running_loop().create_future()
        self.frames: list[bytes] = []
        self.room_bytes = POLL_BYTES
        self.taken = False

    @property
    def waits(self) -> bool:
        """Whether something can be added to its answer, and be read by somebody."""
        transport = self.request.transport
        return not self.taken and transport is not None and not transport.is_closing()

    def add(self, chunk: bytes) -> None:
        """Add frames to the answer; it leaves at the end of the turn."""
        self.frames.append(chunk)
        self.room_bytes -= len(chunk)
        if not self.ready.done():
            self.ready.set_result(None)
