"""A WebSocket at the level of TCP: it reads only when it is told to."""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from tests.gateways.tcp import Tcp

if TYPE_CHECKING:
    from collections.abc import Sequence

_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n{more}\r\n"
)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def upgrade(path: str, offers: Sequence[str] = ()) -> bytes:
    """Return the request for a WebSocket; `offers`: one header of extensions each."""
    more = "".join(f"Sec-WebSocket-Extensions: {each}\r\n" for each in offers)
    return _HANDSHAKE.format(path=path, more=more).encode()


class RawPeer(Tcp):
    """One WebSocket, frame by frame (RFC 6455 section 5)."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.agreed = ""
        """What the server answered to the offers of extensions."""
        self.compressed = False
        """Whether the newest frame's first reserved bit was set."""

    @classmethod
    async def connect(
        cls,
        port: int,
        path: str,
        receive_bytes: int | None = None,
        *,
        offers: Sequence[str] = (),
    ) -> RawPeer:
        """Shake hands; for the rest see `dial` and `upgrade`."""
        peer = await cls.dial(port, receive_bytes)
        await peer.shake_hands(path, offers)
        return peer

    async def shake_hands(self, path: str, offers: Sequence[str] = ()) -> None:
        """Become a WebSocket; see `upgrade`."""
        await self.pour(upgrade(path, offers))
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "sec-websocket-extensions":
                self.agreed = value

    async def send(self, opcode: int, payload: bytes = b"") -> None:
        """Send one masked frame; bits beside the opcode's go into the first byte."""
        await self.send_part(0x80 | opcode, payload)

    async def send_part(self, first: int, payload: bytes) -> None:
        """Send one masked frame with this first byte, so that more may follow."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        length = len(payload)
        if length < 126:
            head = bytes((first, 0x80 | length))
        elif length < 65_536:
            head = bytes((first, 0xFE)) + length.to_bytes(2, "big")
        else:
            head = bytes((first, 0xFF)) + length.to_bytes(8, "big")
        await self.pour(head + mask + masked)

    async def say(self, words: object) -> None:
        """Send a JSON frame."""
        await self.send(TEXT, json.dumps(words).encode())

    async def receive(self) -> tuple[int, bytes]:
        """Return the next frame's opcode and payload; raise OSError at the end."""
        while (found := self._frame()) is None:
            await self._more()
        return found

    async def hear(self) -> dict[str, object]:
        """Return the next JSON frame."""
        opcode, payload = await self.receive()
        assert opcode == TEXT
        words: dict[str, object] = json.loads(payload)
        return words

    async def end(self) -> int:
        """Read to the end; return the close code, 0 where none came."""
        code = 0
        try:
            while True:
                opcode, payload = await self.receive()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
        except OSError:
            return code

    async def goodbye(self) -> tuple[int, str]:
        """Read on to the server's close; return its code and reason."""
        while (found := await self.receive())[0] != CLOSE:
            pass
        return int.from_bytes(found[1][:2], "big"), found[1][2:].decode()

    def reset(self) -> None:
        """Drop the connection with a reset."""
        linger = struct.pack("ii", 1, 0)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._sock.close()

    def end_sending(self) -> None:
        """Say that nothing more comes, and go on reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def _frame(self) -> tuple[int, bytes] | None:
        read = self._read
        if len(read) < 2:
            return None
        length, start = read[1] & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(read[2:start], "big")
        if len(read) < start or len(read) < start + length:
            return None
        self._read = read[start + length :]
        self.compressed = bool(read[0] & 0x40)
        return read[0] & 0x0F, read[start : start + length]
