"""A connection at the level of TCP: it reads only when it is told to."""

from __future__ import annotations

import asyncio
import socket
from typing import Self

READ_BYTES = 65_536


class Tcp:
    """One connection to a port of this machine; others say what is spoken on it.

    What reads raises ConnectionResetError where it has ended; it may be cancelled, and
    read on later.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._read = b""
        """What was read and not yet taken."""

    @classmethod
    async def dial(cls, port: int, receive_bytes: int | None = None) -> Self:
        """Connect; `receive_bytes` bounds the kernel's buffer, None does not."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made = cls(sock)
        await made._loop.sock_connect(sock, ("127.0.0.1", port))
        return made

    async def pour(self, data: bytes) -> None:
        """Send bytes as they are; raise OSError where the server is gone."""
        await self._loop.sock_sendall(self._sock, data)

    def close(self) -> None:
        """Drop the connection."""
        self._sock.close()

    async def read(self) -> bytes:
        """Return what has come, at least a byte."""
        read = await self._loop.sock_recv(self._sock, READ_BYTES)
        if not read:
            raise ConnectionResetError
        return read

    async def _more(self) -> None:
        self._read += await self.read()
