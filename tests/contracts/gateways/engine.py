"""Engine.IO v4 as a client has it: by WebSocket, and by long-polling."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from tests.contracts.gateways.http import Http
from tests.contracts.gateways.websocket import Closed, WebSocket

if TYPE_CHECKING:
    from tests.contracts.gateways.driver import Driver

_OPEN, _CLOSE, _PING, _PONG, _MESSAGE = "0", "1", "2", "3", "4"
SEPARATOR = "\x1e"


class TooLarge(Exception):
    """A payload was refused for its size (HTTP 413)."""


class Engine(Protocol):
    """One connection. What it cannot do because it ended raises `Closed`."""

    def __init__(self, owner: Driver) -> None: ...

    async def open(self) -> None:
        """Connect."""

    async def send(self, message: bytes) -> None:
        """Send a text message."""

    async def receive(self) -> str:
        """Return the next text message."""

    def cut(self) -> None:
        """Drop it without a word."""


class WebSocketEngine:
    """`?transport=websocket` from the beginning."""

    def __init__(self, owner: Driver) -> None:
        self._owner = owner
        self._ws = WebSocket(owner)

    async def open(self) -> None:
        """See `Engine.open`."""
        await self._ws.open(
            f"/live/socket.io/?EIO=4&transport=websocket&as={self._owner.who}"
        )
        opened = (await self._ws.receive()).decode()
        assert opened[0] == _OPEN

    async def send(self, message: bytes) -> None:
        """See `Engine.send`."""
        await self._ws.send_text(_MESSAGE.encode() + message)

    async def receive(self) -> str:
        """See `Engine.receive`."""
        while True:
            packet = (await self._ws.receive()).decode()
            if packet[:1] == _MESSAGE:
                return packet[1:]
            if packet == _PING and not self._owner.mute:
                await self._ws.send_text(_PONG.encode())

    def cut(self) -> None:
        """See `Engine.cut`."""
        self._ws.cut()


class PollingEngine:
    """`?transport=polling` for ever: a GET waits while it reads, a POST speaks."""

    def __init__(self, owner: Driver) -> None:
        self._owner = owner
        self._target = ""
        self._get: Http | None = None
        self._post: Http | None = None
        self._asked = False
        self._packets: list[str] = []

    async def open(self) -> None:
        """See `Engine.open`."""
        self._target = f"/live/socket.io/?EIO=4&transport=polling&as={self._owner.who}"
        self._packets.clear()
        self._get = await Http.dial(self._owner.port, self._owner.receive_bytes)
        self._post = await Http.dial(self._owner.port)
        self._asked = False
        opened = await self._packet()
        assert opened[0] == _OPEN
        self._target += f"&sid={json.loads(opened[1:])['sid']}"

    async def send(self, message: bytes) -> None:
        """See `Engine.send`."""
        await self._say(_MESSAGE.encode() + message)

    async def receive(self) -> str:
        """See `Engine.receive`."""
        while True:
            packet = await self._packet()
            if packet[:1] == _MESSAGE:
                return packet[1:]
            if packet == _PING and not self._owner.mute:
                await self._say(_PONG.encode())
            if packet == _CLOSE:
                raise Closed(0)

    def cut(self) -> None:
        """See `Engine.cut`."""
        for http in filter(None, (self._get, self._post)):
            http.close()
        self._get = self._post = None

    async def _packet(self) -> str:
        while not self._packets:
            if self._get is None:
                raise Closed(0)
            try:
                if not self._asked:
                    await self._get.send("GET", self._target)
                    self._asked = True
                head = await self._get.head()
                payload = await self._get.body()
            except OSError:
                raise Closed(0) from None
            self._asked = False
            if head.status != 200:
                raise Closed(head.status)
            self._packets = payload.decode().split(SEPARATOR)
        return self._packets.pop(0)

    async def _say(self, packet: bytes) -> None:
        if self._post is None:
            raise Closed(0)
        headers = {"Content-Type": "text/plain;charset=UTF-8"}
        try:
            await self._post.send("POST", self._target, headers, packet)
            head = await self._post.head()
            answer = await self._post.body()
        except OSError:
            raise Closed(0) from None
        if head.status == 413:
            raise TooLarge
        if head.status != 200:
            raise Closed(head.status)
        assert answer == b"ok"
