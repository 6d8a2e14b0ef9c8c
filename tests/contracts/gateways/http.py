"""HTTP/1.1 at the level of TCP: it reads only when it is told to (RFC 9112)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.gateways.tcp import Tcp

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Head:
    """A response's status and headers, their names in lower case."""

    status: int
    headers: Mapping[str, str]


class Http(Tcp):
    """One connection, for one request behind the other."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._is_chunked = False
        self._left_bytes = 0

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
        await self.pour(head + (body or b""))

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

    def _chunk(self) -> bytes | None:
        size, found, rest = self._read.partition(b"\r\n")
        length = int(size, 16) if found else 0
        if not found or len(rest) < length + 2:
            return None
        self._read = rest[length + 2 :]
        return rest[:length]
