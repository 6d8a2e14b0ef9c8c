"""The native wire (docs/reference/native-wire.md)."""

from __future__ import annotations

import asyncio
import json

from tests.contracts.gateways.driver import ANSWER_S, Ended, Gone
from tests.contracts.gateways.json_driver import JsonDriver, Words, answer, event_of
from tests.contracts.gateways.websocket import Closed, WebSocket


def ended(code: int) -> Ended:
    """Say how it was told to go: 3500-3999 and 4500-4999 mean for good."""
    return Ended(code, code // 500 not in (3500 // 500, 4500 // 500))


class Native(JsonDriver):
    """`/ws`: any number of channels."""

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        super().__init__(port, who, receive_bytes)
        self._ws = WebSocket(self)
        self._id = 0
        self.presence = False
        """Whether it wants to be told who comes and goes."""

    async def join(self, channel: str | None = None, since: str | None = None) -> bool:
        """See `Driver.join`."""
        if not self._ws.is_open:
            await self._ws.open(f"/live/ws?as={self.who}")
        wanted = self.channel if channel is None else channel
        command: Words = {"channel": wanted, "presence": self.presence}
        if since is not None:
            command["since"] = since
        reply = await self._ask("subscribe", command)
        return self.begin(reply) if wanted == self.channel else False

    async def come_back(self) -> bool:
        """See `Driver.come_back`."""
        self.cut()
        return await self.join(since=self.position)

    async def say(self, text: str, key: str | None = None) -> str:
        """See `Driver.say`."""
        command = {"channel": self.channel} | event_of(self.channel, text, key)
        return str((await self._ask("publish", command))["position"])

    async def say_poison(self, poison: bytes) -> None:
        """See `Driver.say_poison`."""
        frame = b'{"type":"publish","channel":"%s","data":%s}'
        await self._send(frame % (self.channel.encode(), poison))
        # It has no id that could be trusted to be readable.
        await self._answer(None)

    async def hear(self) -> Words:
        """See `JsonDriver.hear`."""
        try:
            words: Words = json.loads(await self._ws.receive())
        except Closed as closed:
            raise Gone(ended(closed.code)) from None
        return words

    def cut(self) -> None:
        """See `Driver.cut`."""
        self._ws.cut()

    async def _ask(self, command: str, fields: Words) -> Words:
        self._id += 1
        words = {"type": command, "id": self._id} | fields
        await self._send(json.dumps(words).encode())
        return await self._answer(self._id)

    async def _send(self, frame: bytes) -> None:
        try:
            await self._ws.send_text(frame)
        except Closed as closed:
            raise Gone(ended(closed.code)) from None

    async def _answer(self, command_id: int | None) -> Words:
        async with asyncio.timeout(ANSWER_S):
            while True:
                words = await self.hear_and_note()
                is_answer = words["type"] in ("reply", "error")
                if is_answer and words.get("id") == command_id:
                    return answer(words)
