"""HTTP/1.1 at the level of TCP: it reads only when it is told to (RFC 9112)."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Head:
    """A response's status and headers, their names in lower case."""

    status: int
    headers: Mapping[str, str]


class Http:
    """One connection, for one request behind the other.

    What reads raises ConnectionResetError where it was cut; it may be cancelled, and
    read on later.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._read = b""
        self._is_chunked = False
        self._left_bytes = 0

    @classmethod
    async def connect(cls, port: int, receive_bytes: int | None = None) -> Http:
        """Connect; `receive_bytes` bounds the kernel's buffer, None does not."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        http = cls(sock)
        await http._loop.sock_connect(sock, ("127.0.0.1", port))
        return http

    async def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Send a request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode()
        await self._loop.sock_sendall(self._sock, head + (body or b""))

    async def head(self) -> Head:
        """Return the head of the next response."""
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        self._is_chunked = headers.get("transfer-encoding") == "chunked"
        self._left_bytes = int(headers.get("content-length", "0"))
        return Head(int(status.split()[1]), headers)

    async def part(self) -> bytes:
        """Return what has come of the body; empty at its end."""
        if self._is_chunked:
            while (chunk := self._chunk()) is None:
                await self._more()
            return chunk
        if self._left_bytes and not self._read:
            await self._more()
        part = self._read[: self._left_bytes]
        self._read = self._read[len(part) :]
        self._left_bytes -= len(part)
        return part

    async def body(self) -> bytes:
        """Return the whole body."""
        body = b""
        while part := await self.part():
            body += part
        return body

    def cut(self) -> None:
        """Drop it without a word."""
        self._sock.close()

    def _chunk(self) -> bytes | None:
        size, found, rest = self._read.partition(b"\r\n")
        length = int(size, 16) if found else 0
        if not found or len(rest) < length + 2:
            return None
        self._read = rest[length + 2 :]
        return rest[:length]

    async def _more(self) -> None:
        read = await self._loop.sock_recv(self._sock, READ_BYTES)
        if not read:
            raise ConnectionResetError
        self._read += read
