"""Socket.IO v5 as the stock client has it (docs/reference/socketio-wire.md)."""

from __future__ import annotations

import asyncio
import json
from typing import ClassVar

from tests.contracts.gateways.driver import ANSWER_S, Ended, Gone, Refused
from tests.contracts.gateways.engine import (
    Engine,
    PollingEngine,
    TooLarge,
    WebSocketEngine,
)
from tests.contracts.gateways.json_driver import JsonDriver, Words, answer, event_of
from tests.contracts.gateways.websocket import Closed

_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR = "0", "1", "2", "3", "4"
UNSURE = "?"
"""Where it stands while it joins: it is told the place right behind the answer."""


class SocketIo(JsonDriver):
    """A socket of each namespace that it needs; a room is a channel."""

    NAMESPACES: ClassVar = True
    ENGINE: ClassVar[type[Engine]] = WebSocketEngine

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        super().__init__(port, who, receive_bytes)
        self._engine: Engine | None = None
        self._connected: set[str] = set()
        self._ack = -1
        self._pid = self._offset = ""
        """What the stock client keeps of its last connection (lib/socket.ts)."""
        self._code, self._returns = 0, True

    async def join(self, channel: str | None = None, since: str | None = None) -> bool:
        """See `Driver.join`."""
        wanted = self.channel if channel is None else channel
        kind, _, room = wanted.partition(":")
        await self._connect(kind, {})
        command: Words = {"room": room}
        if since is not None:
            command["since"] = since
        reply = await self._emit(kind, "join", command)
        async with asyncio.timeout(ANSWER_S):
            while self._offset == UNSURE:
                await self._hear()
        return self.begin(reply) if wanted == self.channel else False

    async def come_back(self) -> bool:
        """See `Driver.come_back`; where that was not to be, it joins anew."""
        self.cut()
        pid, kind = self._pid, self.channel.partition(":")[0]
        auth: Words = {"pid": pid}
        if self._offset:
            auth["offset"] = self._offset
        await self._connect(kind, auth)
        if self._pid == pid:
            return True
        await self.join()
        return False

    async def say(self, text: str, key: str | None = None) -> str:
        """See `Driver.say`."""
        kind, _, room = self.channel.partition(":")
        command = {"channel": room} | event_of(self.channel, text, key)
        return str((await self._emit(kind, "publish", command))["position"])

    async def say_poison(self, poison: bytes) -> None:
        """See `Driver.say_poison`."""
        kind, _, room = self.channel.partition(":")
        self._ack += 1
        packet = b'2/%s,%d["publish",{"channel":"%s","data":%s}]'
        await self._send(packet % (kind.encode(), self._ack, room.encode(), poison))
        await self._answer(kind, self._ack)

    async def hear(self) -> Words:
        """See `JsonDriver.hear`."""
        while True:
            words = await self._hear()
            if words is not None:
                return words

    def cut(self) -> None:
        """See `Driver.cut`."""
        if self._engine is not None:
            self._engine.cut()
        self._engine = None
        self._connected.clear()

    async def _connect(self, kind: str, auth: Words) -> None:
        """Connect to the namespace of a kind; raises `Refused`."""
        if self._engine is None:
            self._code, self._returns = 0, True
            self._engine = self.ENGINE(self)
            await self._engine.open()
        if kind in self._connected:
            return
        await self._send(f"{_CONNECT}/{kind},{json.dumps(auth)}".encode())
        async with asyncio.timeout(ANSWER_S):
            while kind not in self._connected:
                await self._hear()

    async def _emit(self, kind: str, event: str, command: Words) -> Words:
        self._ack += 1
        packet = f"{_EVENT}/{kind},{self._ack}{json.dumps([event, command])}"
        await self._send(packet.encode())
        return await self._answer(kind, self._ack)

    async def _answer(self, kind: str, ack: int) -> Words:
        async with asyncio.timeout(ANSWER_S):
            while True:
                words = await self.hear_and_note()
                if words.get("ack") == (kind, ack):
                    return answer(words)

    async def _send(self, packet: bytes) -> None:
        if self._engine is None:
            raise Gone(Ended(0, returns=True))
        try:
            await self._engine.send(packet)
        except Closed:
            raise Gone(Ended(self._code, self._returns)) from None
        except TooLarge:
            raise Refused(413, "too large") from None

    async def _hear(self) -> Words | None:
        """Take in the next packet; return what it says, if it is of the native wire."""
        if self._engine is None:
            raise Gone(Ended(0, returns=True))
        try:
            packet = await self._engine.receive()
        except Closed:
            raise Gone(Ended(self._code, self._returns)) from None
        kind, space, rest = packet[:1], "", packet[1:]
        if rest[:1] == "/":
            space, _, rest = rest[1:].partition(",")
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        rest = rest[len(digits) :]
        content = json.loads(rest) if rest else None
        return self._take(kind, space, int(digits or -1), content)

    def _take(self, kind: str, space: str, ack: int, content: object) -> Words | None:
        if kind == _CONNECT:
            assert isinstance(content, dict)
            self._connected.add(space)
            self._pid = content.get("pid", "")
        elif kind == _CONNECT_ERROR:
            assert isinstance(content, dict)
            raise Refused(0, content["message"])
        elif kind == _DISCONNECT:
            # The stock client does not come back by itself from this.
            self._returns = False
        elif kind == _ACK:
            assert isinstance(content, list)
            words: Words = content[0]
            return words | {"ack": (space, ack)}
        elif kind == _EVENT:
            assert isinstance(content, list)
            return self._event(*content)
        return None

    def _event(self, event: str, *args: object) -> Words | None:
        if self._pid and args and isinstance(args[-1], str):
            self._offset = args[-1]
        if event == "closing":
            closing = args[0]
            assert isinstance(closing, dict)
            self._code = closing["code"]
        first = args[0] if args else None
        return first if isinstance(first, dict) and "type" in first else None


class Polling(SocketIo):
    """The same, without a WebSocket."""

    ENGINE: ClassVar[type[Engine]] = PollingEngine
