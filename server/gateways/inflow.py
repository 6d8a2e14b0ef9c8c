"""What one WebSocket's peer sends: bytes go in, messages come out, by aiohttp's reader.

Bounded: while more than READ_AHEAD_BYTES of messages wait, the transport is paused, and
what it had read already is not parsed. A message in parts is bounded by its own limit,
and how many frames may come by `flood`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

# Not among the public names, but what `WebSocketReader` demands.
from aiohttp._websocket.reader import WebSocketDataQueue

from .flood import Allowance, Reader

if TYPE_CHECKING:
    from typing import TypeAlias

    from aiohttp import WSMessage
    from aiohttp.http_websocket import WSMessageTextBytes

    Message: TypeAlias = WSMessage | WSMessageTextBytes

READ_AHEAD_BYTES: Final = 128 * 1024
"""A message counts for 128 bytes more than it has."""


class _Hold:
    """Pauses a transport, as aiohttp's queue asks its protocol to."""

    __slots__ = ("_reading_paused", "_transport")

    def __init__(self, transport: asyncio.ReadTransport) -> None:
        self._transport = transport
        self._reading_paused = False

    def pause_reading(self) -> None:
        self._reading_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._reading_paused = False
        self._transport.resume_reading()


class _Queue(WebSocketDataQueue):
    """aiohttp's queue of messages, which also knows how many wait."""

    waiting = 0

    def feed_data(self, data: Message, size: int) -> None:
        self.waiting += 1
        super().feed_data(data, size)


class Inflow:
    """The messages of one peer; true while there is something to take."""

    __slots__ = ("_queue", "_reader")

    def __init__(
        self,
        transport: asyncio.ReadTransport,
        max_message_bytes: int,
        frames_per_s: int,
        *,
        inflates: bool = False,
    ) -> None:
        hold = _Hold(transport)
        loop = asyncio.get_running_loop()
        # It doubles the limit that it is given.
        self._queue = _Queue(
            hold,  # type: ignore[arg-type] # it wants no more of a protocol
            READ_AHEAD_BYTES // 2,
            loop=loop,
        )
        self._reader = Reader(
            self._queue, max_message_bytes, Allowance(frames_per_s), compress=inflates
        )

    def __bool__(self) -> bool:
        return self._queue.waiting > 0 or self._queue.exception() is not None

    def feed(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._reader.feed_data(data)

    async def take(self) -> Message:
        """Return the next message; wait for it, if there is none.

        Text is not decoded. Raises aiohttp's WebSocketError, behind all whole messages,
        where what came is no WebSocket frame or too large; its code says which.
        """
        message = await self._queue.read()
        self._queue.waiting -= 1
        return message
