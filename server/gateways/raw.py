"""A connection that is ours: who writes to it, and who knows when it is lost.

Rules (aiohttp 3.14, tried out):
1. Frames are built once, for all, and written whole. Nobody else writes meanwhile.
2. Of our own at most HIGH_WATER_BYTES (and one chunk) stand in the transport: what
   waits longer waits in the outbox, where it can be merged, counted and bounded.
3. While the transport holds nothing, a chunk goes straight to the socket: what the
   transport would do first, without what it does around that, which is a tenth of a
   small write. The rest, and whatever goes wrong, is the transport's.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from ..queues.writer import CATCH_UP_S
from .takeover import take_over

if TYPE_CHECKING:
    from aiohttp import web

    from ..hub.hub import Hub
    from ..settings import Settings

HIGH_WATER_BYTES = 16 * 1024


class RawWire(asyncio.Protocol):
    """The part of a `Wire` that writes; from `take_over` on its transport's protocol.

    Raises ConnectionResetError where the request has lost its connection.
    """

    __slots__ = (
        "__weakref__",
        "_closing",
        "_fd",
        "_freed",
        "_full_since",
        "_hub",
        "_is_plain",
        "_may_hold",
        "_request",
        "_settings",
        "_transport",
    )

    def __init__(self, request: web.Request, hub: Hub, settings: Settings) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._request: web.Request | None = request
        self._transport = transport
        self._settings = settings
        self._closing = False
        self._hub = hub
        self._full_since: float | None = None
        self._freed: asyncio.Future[None] | None = None
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES, low=0)
        sock = transport.get_extra_info("socket")
        tune(sock, settings)
        self._is_plain = transport.get_extra_info("sslcontext") is None
        is_direct = sock is not None and self._is_plain
        self._fd: int | None = sock.fileno() if is_direct else None
        self._may_hold = True

    def take_over(self) -> bytes:
        """Become the connection's protocol; return what its peer has sent already.

        Once, and the last that a handler does: see `takeover`.
        """
        request, self._request = self._request, None
        if request is None:
            raise RuntimeError("a connection is taken over once")
        return take_over(request, self)

    def room(self) -> int:
        """See `Wire.room`."""
        transport = self._transport
        if self._closing or transport.is_closing() or self._full:
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
        if self._full and not self._transport.is_closing():
            if self._freed is None:
                self._freed = asyncio.get_running_loop().create_future()
            await self._freed
        if self._transport.is_closing():
            raise ConnectionResetError

    @property
    def _full(self) -> bool:
        """Whether the transport has asked to wait with writing."""
        return self._full_since is not None

    def is_stuck(self, now: float) -> bool:
        """Whether its peer has not read what was written for CATCH_UP_S."""
        return self._full_since is not None and now - self._full_since > CATCH_UP_S

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full_since = self._hub.now()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._full_since = None
        if self._freed is not None and not self._freed.done():
            self._freed.set_result(None)
        self._freed = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        del exc
        self._let_go()
        self.resume_writing()


def tune(sock: socket.socket | None, settings: Settings) -> None:
    """Bound what the kernel holds for a peer that does not read, and for how long."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        timeout_ms = int(settings.tcp_user_timeout_s * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
