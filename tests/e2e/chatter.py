"""People who chat: each in a browser of their own, or many lines by one socket."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from playwright.async_api import expect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Locator,
        Page,
        WebSocketRoute,
    )

    from .server_process import ServerProcess

WITHIN_MS = 20_000
expect.set_options(timeout=WITHIN_MS)
AT_ONCE = 32
LIST_WHAT_IS_THERE = """() => [...document.querySelectorAll("#messages .message")].map(
    (row) => row.querySelector(".message__body").innerText.trim())"""
# A browser says of each refused connection that it was refused.
EXPECTED = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "WebSocket connection")


class Line:
    """The socket of a page, which can be cut. Install it before the page is opened."""

    def __init__(self) -> None:
        self.is_cut = False
        self.swallows = 0
        """So many acknowledgements get lost, each with its connection."""
        self.refusals: list[dict[str, object]] = []
        """What publications are answered with instead of reaching the server."""
        self._open: set[WebSocketRoute] = set()

    async def install(self, context: BrowserContext) -> None:
        """Stand between the context's pages and their server."""
        await context.route_web_socket("**/ws", self._connect)

    async def cut(self) -> None:
        """Take the connection away, until `mend`."""
        self.is_cut = True
        for page in tuple(self._open):
            await self._drop(page)

    def mend(self) -> None:
        """Let the page connect again."""
        self.is_cut = False

    async def _drop(self, page: WebSocketRoute) -> None:
        self._open.discard(page)
        await page.close(code=4000, reason="cut")

    async def _connect(self, page: WebSocketRoute) -> None:
        if self.is_cut:
            await page.close(code=4000, reason="cut")
            return
        self._open.add(page)
        server = page.connect_to_server()
        asked: set[str] = set()

        def to_server(text: str | bytes) -> None:
            frame = str(text)
            if '"type":"publish"' in frame:
                if self.refusals:
                    page.send(_refusal(frame, self.refusals.pop(0)))
                    return
                asked.add(frame.rpartition('"id":')[2].rstrip("}"))
            server.send(text)

        async def to_page(text: str | bytes) -> None:
            frame = str(text)
            is_answer = any(f'"id":{number}' in frame for number in asked)
            if self.swallows and '"type":"reply"' in frame and is_answer:
                self.swallows -= 1
                await self._drop(page)
                await server.close()
                return
            if page in self._open:
                page.send(text)

        page.on_message(to_server)
        server.on_message(to_page)


def _refusal(command: str, error: dict[str, object]) -> str:
    number = command.rpartition('"id":')[2].rstrip("}")
    words = f'"code":{error["code"]},"message":"{error["message"]}","temporary":false'
    return f'{{"type":"error","id":{number},{words}}}'


@dataclass
class Chatter:
    """One person in a browser of their own, and what its console complained about."""

    server: ServerProcess
    context: BrowserContext
    page: Page
    line: Line
    complaints: list[str] = field(default_factory=list)
    tolerated: tuple[str, ...] = EXPECTED

    @classmethod
    async def arrive(
        cls,
        browser: Browser,
        server: ServerProcess,
        name: str,
        size: tuple[int, int] = (1280, 800),
    ) -> Chatter:
        """Bring a visitor who has chosen a name."""
        width, height = size
        context = await browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB"
        )
        context.set_default_timeout(WITHIN_MS)
        await context.request.get(f"{server.url}/lesson")
        headers = {"Origin": server.url}
        answer = await context.request.post(
            f"{server.url}/api/name", data={"name": name}, headers=headers
        )
        assert answer.ok
        line = Line()
        await line.install(context)
        return await cls(server, context, await context.new_page(), line).listen()

    async def listen(self) -> Chatter:
        """Begin to note what the console complains about."""

        def hear(message: ConsoleMessage) -> None:
            if not any(words in message.text for words in self.tolerated):
                self.complaints.append(f"{message.type}: {message.text}")

        self.page.on("console", hear)
        self.page.on("pageerror", lambda error: self.complaints.append(error.message))
        await self.page.add_init_script(
            """addEventListener("securitypolicyviolation", (event) => {
                 console.error("policy:", event.violatedDirective, event.blockedURI);
               });"""
        )
        return self

    async def second_tab(self) -> Chatter:
        """Return the same person in another tab."""
        page = await self.context.new_page()
        return await Chatter(self.server, self.context, page, self.line).listen()

    async def open(self, room: str) -> None:
        """Open a room, and wait until its newest messages are there."""
        await self.page.goto(f"{self.server.url}/chat/{room}")
        await expect(self.page.locator("#loading")).to_be_hidden(timeout=WITHIN_MS)

    async def retry_now(self) -> None:
        """Press the banner's retry; it may have come back by itself meanwhile."""
        await self.page.locator("#absence [data-retry]").dispatch_event("click")

    @property
    def field(self) -> Locator:
        """Where one writes."""
        return self.page.locator("#composer textarea")

    @property
    def rows(self) -> Locator:
        """The messages in the page."""
        return self.page.locator("#messages .message")

    async def say(self, text: str) -> None:
        """Write a text and send it by Enter."""
        await self.field.fill(text)
        await self.field.press("Enter")

    async def texts(self) -> list[str]:
        """The messages in the page, as they are read."""
        found: list[str] = await self.page.evaluate(LIST_WHAT_IS_THERE)
        return found

    async def sees(self, *texts: str) -> None:
        """Wait until these are the messages in the page, all of them kept."""
        bodies = self.rows.locator(".message__body")
        await expect(bodies).to_have_text(list(texts))
        await expect(self.rows.and_(self.page.locator("[data-state]"))).to_have_count(0)


async def say_all(server: ServerProcess, room: str, texts: Sequence[str]) -> None:
    """Have somebody say many things, in this order."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{server.ws_url}/ws/chat/{room}") as ws,
    ):
        await ws.receive_json()
        waiting = asyncio.Semaphore(AT_ONCE)

        async def hear() -> None:
            for _ in texts:
                while (await ws.receive_json())["type"] != "reply":
                    pass
                waiting.release()

        async with asyncio.TaskGroup() as group:
            group.create_task(hear())
            for number, text in enumerate(texts, 1):
                await waiting.acquire()
                said = {"type": "publish", "id": number, "data": {"text": text}}
                await ws.send_json(said)
