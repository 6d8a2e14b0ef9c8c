"""Guests of one chat room, each by another way in, each over a line that can be cut."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.services.forwarder import Forwarder

from .crowd import LOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Page

    from .stock import Desk

ROOM = "all"
CHANNEL = f"chat:{ROOM}"
PAUSE_S = 0.1
ANSWER_S = 3.0


class Line(Forwarder):
    """A line to the server; while it is cut, nobody even answers there."""

    async def cut_off(self) -> None:
        """Break it, until it is mended."""
        await self.__aexit__()

    async def mend(self) -> None:
        """Let the guest come back."""
        await self.__aenter__()


class Guest(ABC):
    """Somebody in the room.

    `line` leads to the server. `cookie` says who they are; None: a stranger.
    """

    def __init__(self, name: str, line: Line, cookie: str | None = None) -> None:
        self.name = name
        self.line = line
        self.cookie = cookie

    @property
    def url(self) -> str:
        """The server, as it is seen over the line."""
        return f"http://127.0.0.1:{self.line.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What a browser's page would say of itself."""
        return (
            {} if self.cookie is None else {"Origin": self.url, "Cookie": self.cookie}
        )

    @abstractmethod
    async def join(self, since: str | None = None) -> None:
        """Enter the room; `since`: where one has left it."""

    async def leave(self) -> None:  # noqa: B027 - the page's browser does
        """Go."""

    async def move(self) -> None:  # noqa: B027 - most do nothing
        """Do what is to be done while the line is cut; most wait and come back."""

    @abstractmethod
    async def heard(self) -> list[list[str]]:
        """Return what one has heard: positions and texts."""

    @abstractmethod
    async def returns(self) -> list[bool]:
        """Return whether each coming back was told to be whole."""

    async def say(self, text: str) -> None:
        """Say something, again and again until it is acknowledged."""
        while not await self.attempt(text):  # noqa: ASYNC110 - others do it
            await asyncio.sleep(PAUSE_S)

    @abstractmethod
    async def attempt(self, text: str) -> bool:
        """Say something; return whether it was acknowledged."""


class PageGuest(Guest):
    """Somebody at our own page, who types. A page lets go of rows: so it is watched."""

    page: Page

    WATCH = """() => {
      const list = document.querySelector("#messages");
      const order = window.order = [];
      window.faults = [];
      window.look = () => {
        const there = [...list.querySelectorAll(".message:not([data-state])")]
          .map((row) => row.querySelector(".message__body").innerText.trim());
        const places = new Map(order.map((text, place) => [text, place]));
        if (new Set(there).size < there.length) faults.push("twice in the page");
        let before = -1;
        for (const text of there) {
          if (!places.has(text)) {
            order.splice(before + 1, 0, text);
            for (const [place, known] of order.entries()) places.set(known, place);
          }
          if (places.get(text) <= before) faults.push(`${text} has moved`);
          before = places.get(text);
        }
      };
      setInterval(look, 50);
    }"""

    async def join(self, since: str | None = None) -> None:
        """Open the page."""
        await self.page.goto(f"{self.url}/chat/{ROOM}")
        await self.page.locator("#loading").wait_for(state="hidden")
        await self.page.evaluate(self.WATCH)

    async def heard(self) -> list[list[str]]:
        """Return the texts that stood in the page; a page shows no positions."""
        await self.page.evaluate("look()")
        return [["", text] for text in await self.page.evaluate("order")]

    async def returns(self) -> list[bool]:
        """Return True once, unless a message stood twice or moved meanwhile."""
        return [not await self.page.evaluate("faults.length")]

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        field = self.page.locator("#composer textarea")
        await field.fill(text)
        await field.press("Enter")
        return True  # the page itself sends it until it is acknowledged


class BareSocketGuest(Guest):
    """A WebSocket and JSON."""

    def __init__(
        self, name: str, line: Line, http: aiohttp.ClientSession, cookie: str
    ) -> None:
        super().__init__(name, line, cookie)
        self._http = http
        self._seen: list[list[str]] = []
        self._returns: list[bool] = []
        self._joined = asyncio.Event()
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[bool]] = {}
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    async def join(self, since: str | None = None) -> None:
        """Connect, and come back whenever that is cut."""
        self._since = since
        self._following = asyncio.Task(self._follow())
        await self._joined.wait()

    async def _follow(self) -> None:
        while True:
            query = {} if self._since is None else {"since": self._since}
            with suppress(*LOST):
                async with self._http.ws_connect(
                    f"{self.url}/ws/{CHANNEL.replace(':', '/')}",
                    params=query,
                    headers=self.headers,
                ) as self._ws:
                    async for message in self._ws:
                        self._take(message.json())
            self._ws = None
            await asyncio.sleep(PAUSE_S)

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "event" and "position" in frame:
            self._note(frame)
        elif "publications" in frame:
            if self._since is not None:
                self._returns.append(frame["recovered"])
            self._since = frame["position"]
            for each in frame["publications"]:
                self._note(each)
            self._joined.set()
        elif answer := self._answers.get(frame.get("id", 0)):
            answer.set_result(frame["type"] == "reply")

    def _note(self, publication: dict[str, Any]) -> None:
        self._since = publication["position"]
        self._seen.append([publication["position"], publication["data"]["text"]])

    async def leave(self) -> None:
        """Close."""
        self._following.cancel()
        await asyncio.wait([self._following])

    async def heard(self) -> list[list[str]]:
        """See `Guest.heard`."""
        return self._seen

    async def returns(self) -> list[bool]:
        """See `Guest.returns`."""
        return self._returns

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        said = {"type": "publish", "id": number, "data": {"text": text}, "key": text}
        try:
            if self._ws is None:
                return False
            await self._ws.send_json(said)
            async with asyncio.timeout(ANSWER_S):
                done: bool = await answer
                return done
        except LOST:
            return False
        finally:
            del self._answers[number]


class EventSourceGuest(Guest):
    """npm's EventSource listens; what they say goes by POST."""

    def __init__(
        self,
        name: str,
        line: Line,
        desk: Desk,
        http: aiohttp.ClientSession,
        cookie: str,
    ) -> None:
        super().__init__(name, line, cookie)
        self._desk = desk
        self._http = http

    async def join(self, since: str | None = None) -> None:
        """Open the stream."""
        query = "" if since is None else f"?since={since}"
        await self._desk.run(
            """
            const [url, isReturn] = args;
            Object.assign(here, { heard: [], begun: [] });
            here.source = new EventSource(url);
            here.source.addEventListener("subscribed", (e) => {
              here.begun.push(JSON.parse(e.data).recovered);
            });
            here.source.addEventListener("message", (e) => {
              here.heard.push([e.lastEventId, JSON.parse(e.data).data.text]);
            });
            await until(() => here.begun.length);
            if (!isReturn) here.begun.shift();
            """,
            *(f"{self.url}/sse/{CHANNEL}{query}", since is not None),
        )

    async def leave(self) -> None:
        """Close the stream."""
        await self._desk.run("here.source.close()")

    async def heard(self) -> list[list[str]]:
        """See `Guest.heard`."""
        found: list[list[str]] = await self._desk.run("return here.heard")
        return found

    async def returns(self) -> list[bool]:
        """See `Guest.returns`."""
        found: list[bool] = await self._desk.run("return here.begun")
        return found

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        said = {"data": {"text": text}, "key": text}
        url = f"{self.url}/sse/{CHANNEL}"
        try:
            async with self._http.post(url, json=said, headers=self.headers) as answer:
                return answer.status == 200
        except LOST:
            return False


class Crosser(Guest):
    """Somebody who leaves by one way at the cut, and comes back by another."""

    def __init__(self, before: Guest, after: Guest) -> None:
        super().__init__(after.name, before.line)
        self._before, self._after = before, after
        self._now = before

    async def join(self, since: str | None = None) -> None:
        """Enter by the first way."""
        await self._before.join(since)

    async def move(self) -> None:
        """Leave, and take the last position along."""
        await self._before.leave()
        last = (await self._before.heard())[-1][0]
        self._now = self._after
        await self._after.join(last)

    async def leave(self) -> None:
        """Go."""
        await self._now.leave()

    async def heard(self) -> list[list[str]]:
        """Return what was heard by either way."""
        heard = await self._before.heard()
        return heard if self._now is self._before else heard + await self._after.heard()

    async def returns(self) -> list[bool]:
        """Return what the second way said."""
        return await self._after.returns()

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        return await self._now.attempt(text)


async def all_have(guests: Sequence[Guest], count: int, within_s: float) -> None:
    """Wait until everybody has heard so many; in vain, say who has not."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    for guest in guests:
        while (heard := len(await guest.heard())) < count:
            assert loop.time() < deadline_s, (
                f"{guest.name} has heard {heard} of {count}"
            )
            await asyncio.sleep(PAUSE_S)
