"""Writes past aiohttp, to the transport or straight to its socket.

Rules (aiohttp 3.14, tried out):
1. Frames are built once, for all, and written whole. Nobody else writes meanwhile.
2. Of our own at most HIGH_WATER_BYTES (and one chunk) stand in the transport: what
   waits longer waits in the outbox, where it can be merged, counted and bounded.
3. While the transport holds nothing, a chunk goes straight to the socket: what the
   transport would do first, without what it does around that, which is a tenth of a
   small write. The rest, and whatever goes wrong, is the transport's.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.abc import AbstractStreamWriter

    from ..settings import Settings

HIGH_WATER_BYTES = 16 * 1024


class RawWire:
    """The part of a `Wire` that writes."""

    __slots__ = (
        "__weakref__",
        "_closing",
        "_fd",
        "_protocol",
        "_settings",
        "_transport",
        "_writer",
    )

    def __init__(
        self, request: web.Request, writer: AbstractStreamWriter, settings: Settings
    ) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._protocol = request.protocol
        self._transport = transport
        self._writer = writer
        self._settings = settings
        self._closing = False
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=0)
        sock = transport.get_extra_info("socket")
        tune(sock, settings)
        is_plain = sock is not None and transport.get_extra_info("sslcontext") is None
        self._fd: int | None = sock.fileno() if is_plain else None

    def room(self) -> int:
        """See `Wire.room`."""
        transport = self._transport
        if self._closing or transport.is_closing() or self._protocol.writing_paused:
            return 0
        # For a full buffer that is not paused nobody could wait.
        return max(1, HIGH_WATER_BYTES - transport.get_write_buffer_size())

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        transport = self._transport
        if transport.is_closing():
            return
        if self._fd is None or transport.get_write_buffer_size():
            transport.write(chunk)
        else:
            self._send(self._fd, chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        fd, transport = self._fd, self._transport
        if (
            fd is None
            or self._closing
            or transport.is_closing()
            or transport.get_write_buffer_size()
        ):
            return False
        self._send(fd, chunk)
        return True

    def _send(self, fd: int, chunk: bytes) -> None:
        # Only while the transport is not closing: else the number may be another's.
        try:
            sent = os.write(fd, chunk)
        except OSError:
            sent = 0
        if sent < len(chunk):
            self._transport.write(chunk[sent:])

    async def writable(self) -> None:
        """See `Wire.writable`."""
        if self._transport.is_closing():
            raise ConnectionResetError
        await self._writer.drain()


def tune(sock: socket.socket | None, settings: Settings) -> None:
    """Bound what the kernel holds for a peer that does not read, and for how long."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        timeout_ms = int(settings.tcp_user_timeout_s * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
