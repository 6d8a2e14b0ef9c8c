"""Server-Sent Events (docs/reference/sse-wire.md; HTML standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.contracts.gateways.driver import ANSWER_S, Ended, Gone, Refused
from tests.contracts.gateways.http import Http
from tests.contracts.gateways.json_driver import JsonDriver, Words, answer, event_of
from tests.contracts.gateways.native import ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One event, as an EventSource shows it."""

    event: str
    content: str


class EventStream:
    """Reads lines of an event stream as they come (section 9.2.6)."""

    def __init__(self, last_event_id: str) -> None:
        self.last_event_id = last_event_id
        self._read = b""
        self._event = ""
        self._lines: list[str] = []
        self._id = last_event_id

    def feed(self, part: bytes) -> Iterator[Shown]:
        """Take in a part of the stream; yield the events that end in it."""
        self._read += part
        *lines, self._read = self._read.split(b"\n")
        for line in lines:
            shown = self._take(line.decode().removesuffix("\r"))
            if shown is not None:
                yield shown

    def _take(self, line: str) -> Shown | None:
        if not line:
            shown = Shown(self._event or "message", "\n".join(self._lines))
            is_shown = bool(self._lines)
            self._event, self._lines = "", []
            self.last_event_id = self._id
            return shown if is_shown else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._lines.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        return None


class Sse(JsonDriver):
    """`GET /sse/{channel}` to read, `POST` on a connection of its own to speak."""

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        super().__init__(port, who, receive_bytes)
        self._http: Http | None = None
        self._post: Http | None = None
        self._stream = EventStream("")
        self._waiting: list[Shown] = []
        self._ended = Ended(0, returns=True)

    async def join(self, channel: str | None = None, since: str | None = None) -> bool:
        """See `Driver.join`."""
        return await self.follow([channel or self.channel], since)

    async def come_back(self) -> bool:
        """See `Driver.come_back`."""
        last_event_id = self._stream.last_event_id
        self.cut()
        return await self.follow([self.channel], last_event_id=last_event_id)

    async def follow(
        self,
        channels: Sequence[str],
        since: str | None = None,
        last_event_id: str = "",
    ) -> bool:
        """Open a stream of one or more channels; raises `Refused`."""
        more = "".join(f"&channel={each}" for each in channels[1:])
        target = f"/live/sse/{channels[0]}?as={self.who}{more}"
        headers = {"Accept": "text/event-stream"}
        if since is not None:
            target += f"&since={since}"
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.cut()
        self._http = await Http.dial(self.port, self.receive_bytes)
        await self._http.send("GET", target, headers)
        head = await self._http.head()
        if head.status != 200:
            answer(json.loads(await self._http.body()))
        self._stream = EventStream(last_event_id)
        self._ended = Ended(0, returns=True)
        async with asyncio.timeout(ANSWER_S):
            shown = await self._next()
        reply = json.loads(shown.content)
        if shown.event != "subscribed":
            answer(reply)
        return self.begin(reply) if channels[0] == self.channel else False

    async def say(self, text: str, key: str | None = None) -> str:
        """See `Driver.say`."""
        body = json.dumps(event_of(self.channel, text, key)).encode()
        return str((await self._send(body))["position"])

    async def say_poison(self, poison: bytes) -> None:
        """See `Driver.say_poison`."""
        await self._send(b'{"data":%s}' % poison)

    async def hear(self) -> Words:
        """See `JsonDriver.hear`."""
        shown = await self._next()
        words: Words = json.loads(shown.content)
        if shown.event == "closing":
            # An EventSource would come back from all; a page is told when not to.
            code = words["code"]
            assert isinstance(code, int)
            self._ended = ended(code)
            return {"type": "closing"}
        return words

    def cut(self) -> None:
        """See `Driver.cut`."""
        for http in filter(None, (self._http, self._post)):
            http.close()
        self._http = self._post = None
        self._waiting.clear()

    async def _next(self) -> Shown:
        while not self._waiting:
            try:
                if self._http is None or not (part := await self._http.part()):
                    raise Gone(self._ended)
            except OSError:
                raise Gone(self._ended) from None
            self._waiting += self._stream.feed(part)
        return self._waiting.pop(0)

    async def _send(self, body: bytes) -> Words:
        target = f"/live/sse/{self.channel}?as={self.who}"
        async with asyncio.timeout(ANSWER_S):
            if self._post is None:
                self._post = await Http.dial(self.port)
            await self._post.send("POST", target, _JSON, body)
            head = await self._post.head()
            found: Words = json.loads(await self._post.body())
        if head.headers.get("connection") == "close":
            self._post.close()
            self._post = None
        if (head.status == 200) != (found["type"] == "reply"):
            raise Refused(head.status, str(found))
        return answer(found)
