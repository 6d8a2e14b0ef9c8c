"""The load generator of `bench.nodes`: many that only count frames, and one publisher.

Plain asyncio protocols on raw sockets: a WebSocket library here would cost more than
the server that is measured. Frames of a server are not masked and, here, shorter than
64 KiB; they are counted by their heads, not decoded. (For one server at its fastest it
is too slow: `python -m bench` has one in C.)
"""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_AT_ONCE = 50
CONNECTED_WITHIN_S = 20.0
WARM_UP_S = 0.2
WINDOW_WITHIN_S = 30.0
PAYLOAD = "x" * 98  # with its quotes 100 bytes of JSON
_MASK = b"\x01\x02\x03\x04"
_SHORT, _MEDIUM_AT = 126, 4


@dataclass(frozen=True, slots=True)
class Case:
    """`window` publications at once to `subscribers`, then the next so many."""

    subscribers: int
    window: int


def frame_for(peer: str) -> bytes:
    """Return what a publisher sends; a bare server passes on what it gets."""
    payload = f'"{PAYLOAD}"'
    if peer == "hubbub":
        payload = f'{{"type":"publish","data":{payload}}}'
    return masked(payload.encode())


class Subscriber(asyncio.Protocol):
    """Connects, counts text frames, and says when the first has come.

    `on_frames` is called with how many came at once, after the first.
    """

    def __init__(self, path: str, on_frames: Callable[[int], None]) -> None:
        self._path = path
        self._on_frames = on_frames
        self._rest = b""
        self._upgraded = False
        self.transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade (RFC 6455 section 4.1)."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(type(transport).__name__)
        self.transport = transport
        host, port = transport.get_extra_info("peername")[:2]
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Count whole frames; keep what is left."""
        if self._rest:
            data = self._rest + data
        if not self._upgraded:
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._rest = head
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self._fail(head.partition(b"\r\n")[0].decode("latin-1"))
                return
            self._upgraded = True
        count, used = count_frames(data)
        self._rest = data[used:]
        if count and not self.ready.done():
            self.ready.set_result(None)
            count -= 1
        if count:
            self._on_frames(count)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the server was faster to go."""
        self._fail("connection lost")

    def _fail(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(why))


def count_frames(data: bytes) -> tuple[int, int]:
    """Return how many whole frames begin `data`, and how many bytes they are."""
    count = at = 0
    end = len(data)
    while at + 2 <= end:
        length = data[at + 1]
        head = 2
        if length == _SHORT:
            head = _MEDIUM_AT
            if at + head > end:
                break
            length = int.from_bytes(data[at + 2 : at + 4], "big")
        if at + head + length > end:
            break
        at += head + length
        count += 1
    return count, at


def masked(payload: bytes) -> bytes:
    """Return a client's text frame (RFC 6455 section 5.3)."""
    length = len(payload)
    if length < _SHORT:
        head = bytes((0x81, 0x80 | length))
    else:
        head = bytes((0x81, 0x80 | _SHORT)) + length.to_bytes(2, "big")
    mask = (_MASK * (length // 4 + 1))[:length]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + _MASK + mixed.to_bytes(length, "big")


class Crowd:
    """All subscribers of one run, and their common count."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._people: list[Subscriber] = []
        self._received = 0
        self._goal = 0
        self._reached: asyncio.Future[None] | None = None

    def _on_frames(self, count: int) -> None:
        self._received += count
        reached = self._reached
        if reached is not None and self._received >= self._goal and not reached.done():
            reached.set_result(None)

    async def connect(self, count: int) -> None:
        """Connect so many; return when each has had its first frame."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECTED_WITHIN_S):
            while len(self._people) < count:
                some = []
                for _ in range(min(CONNECT_AT_ONCE, count - len(self._people))):
                    _, one = await loop.create_connection(
                        lambda: Subscriber(self._path, self._on_frames),
                        "127.0.0.1",
                        self._port,
                    )
                    some.append(one)
                for one in some:
                    await one.ready
                self._people += some

    def expect(self, frames: int) -> asyncio.Future[None]:
        """Return a future that is done when so many more have come."""
        self._goal = self._received + frames
        self._reached = asyncio.get_running_loop().create_future()
        return self._reached

    def say(self, frame: bytes, times: int) -> None:
        """Have the first of the crowd publish, so many at once."""
        transport = self._people[0].transport
        if transport is not None:
            transport.write(frame * times)

    def close(self) -> None:
        """Hang up, all of them."""
        for one in self._people:
            if one.transport is not None:
                one.transport.abort()
