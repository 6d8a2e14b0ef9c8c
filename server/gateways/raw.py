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
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from ..settings import Settings

HIGH_WATER_BYTES = 16 * 1024


class RawWire(ABC):
    """The part of a `Wire` that writes. Raises ConnectionResetError without transport.

    Whose protocol the transport has, knows whether it is full: a subclass.
    """

    __slots__ = (
        "__weakref__",
        "_closing",
        "_fd",
        "_may_hold",
        "_settings",
        "_transport",
    )

    def __init__(self, transport: asyncio.Transport | None, settings: Settings) -> None:
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        self._settings = settings
        self._closing = False
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=0)
        sock = transport.get_extra_info("socket")
        tune(sock, settings)
        is_plain = sock is not None and transport.get_extra_info("sslcontext") is None
        self._fd: int | None = sock.fileno() if is_plain else None
        self._may_hold = True

    @property
    @abstractmethod
    def _is_full(self) -> bool:
        """Whether the transport has asked to wait with writing."""

    @abstractmethod
    async def _drain(self) -> None:
        """Wait while it is full; raise OSError where the connection is lost."""

    def room(self) -> int:
        """See `Wire.room`."""
        transport = self._transport
        if self._closing or transport.is_closing() or self._is_full:
            return 0
        # For a full buffer that is not paused nobody could wait.
        return max(1, HIGH_WATER_BYTES - transport.get_write_buffer_size())

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        if not self._transport.is_closing() and not self.offer(chunk):
            self._hand_over(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        fd = self._fd
        if fd is None or (self._may_hold and self._holds()):
            return False
        try:
            sent = os.write(fd, chunk)
        except OSError:
            sent = 0
        if sent != len(chunk):
            self._hand_over(chunk[sent:])
        return True

    def _holds(self) -> bool:
        """Whether the transport holds something that must go first."""
        self._may_hold = self._transport.get_write_buffer_size() > 0
        return self._may_hold

    def _hand_over(self, chunk: bytes) -> None:
        """Write by the transport; whoever else does, must say that it may hold it."""
        self._may_hold = True
        self._transport.write(chunk)

    def _let_go(self) -> None:
        """Write past the transport no more: its number may soon be another's."""
        self._closing = True
        self._fd = None

    async def writable(self) -> None:
        """See `Wire.writable`."""
        if self._transport.is_closing():
            raise ConnectionResetError
        await self._drain()


def tune(sock: socket.socket | None, settings: Settings) -> None:
    """Bound what the kernel holds for a peer that does not read, and for how long."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        timeout_ms = int(settings.tcp_user_timeout_s * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
