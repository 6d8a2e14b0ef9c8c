"""One room, every way in at once: all see one order, and each is cut in the middle."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.browsers import open_browser

from .crowd import guest, until
from .room_guests import (
    CHANNEL,
    BareSocketGuest,
    Crosser,
    EventSourceGuest,
    Line,
    PageGuest,
    all_have,
)
from .server_process import ServerProcess
from .socketio_guests import PythonSocketIoGuest, SocketIoGuest
from .stock import desk, needs_node

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

    from .room_guests import Guest
    from .stock import Desk

# Alone, as the tests of several nodes: it looks at what has come when a line is cut.
pytestmark = [
    *needs_node,
    pytest.mark.browser,
    pytest.mark.nodes,
    pytest.mark.timeout(240),
]

MESSAGES = 1_000
PACE_S = 0.06
FIRST_CUT = 150
EACH_LATER = 70
LENGTH = 50
"""How many messages are said in the room while one is cut off."""
SETTLES_S = 60.0


@dataclass
class House:
    """What guests need to get in: all of it is closed at the end."""

    server: ServerProcess
    http: aiohttp.ClientSession
    browser: Browser
    stack: AsyncExitStack

    async def line(self) -> Line:
        """Lay a line to the server."""
        return await self.stack.enter_async_context(Line(self.server.port))

    async def desk(self) -> Desk:
        """Start a Node."""
        return await self.stack.enter_async_context(desk())

    async def cookie(self) -> str:
        """Return that of somebody new."""
        return await guest(self.http, self.server)

    async def page(self) -> PageGuest:
        """Bring somebody with a browser."""
        came = PageGuest("page", await self.line())
        came.page = await self.browser.new_page()
        return came

    async def stock(self, name: str, *transports: str) -> SocketIoGuest:
        """Bring the stock Socket.IO client, without a cookie, as Node has none."""
        line, node = await self.line(), await self.desk()
        return SocketIoGuest(name, line, node, transports, retries=30)

    async def python(self) -> PythonSocketIoGuest:
        """Bring python-socketio's."""
        return PythonSocketIoGuest("python", await self.line(), await self.cookie())

    async def bare(self) -> BareSocketGuest:
        """Bring a WebSocket."""
        line, cookie = await self.line(), await self.cookie()
        return BareSocketGuest("bare", line, self.http, cookie)

    async def stream(self) -> EventSourceGuest:
        """Bring an EventSource."""
        line, cookie = await self.line(), await self.cookie()
        return EventSourceGuest("stream", line, await self.desk(), self.http, cookie)

    async def stream_then_bare(self) -> Crosser:
        """Bring an EventSource whose last id goes to a WebSocket."""
        name, line, cookie = "stream-bare", await self.line(), await self.cookie()
        node = await self.desk()
        before = EventSourceGuest(name, line, node, self.http, cookie)
        return Crosser(before, BareSocketGuest(name, line, self.http, cookie))

    async def stock_then_stream(self) -> Crosser:
        """Bring a Socket.IO client whose last position goes to an EventSource."""
        name, line, cookie = "stock-stream", await self.line(), await self.cookie()
        node = await self.desk()
        before = SocketIoGuest(name, line, node, ["websocket"], cookie=cookie)
        return Crosser(before, EventSourceGuest(name, line, node, self.http, cookie))


async def speak(guest: Guest, count: int) -> None:
    """Say numbered things at a pace."""
    for number in range(1, count + 1):
        await guest.say(f"{guest.name}-{number}")
        await asyncio.sleep(PACE_S)


async def cut_in_the_middle(
    guest: Guest, witness: BareSocketGuest, start: int
) -> tuple[int, int]:
    """Cut a guest off for a part of what is said.

    Returns how much the guest had heard in its midst, and at its end: at its beginning
    something is still on its way through the guest's own process.
    """
    said = await witness.heard()
    await until(lambda: len(said) >= start, SETTLES_S)
    await guest.line.cut_off()
    moving = asyncio.Task(guest.move())
    await until(lambda: len(said) >= start + LENGTH // 2, SETTLES_S)
    before = len(await guest.heard())
    await until(lambda: len(said) >= start + LENGTH, SETTLES_S)
    after = len(await guest.heard())
    await guest.line.mend()
    await moving
    return before, after


async def test_all_ways_into_one_room(tmp_path: Path) -> None:
    """1,000 messages from eight guests, each cut off once: one order, each once.

    Who can be told that a return was whole is told so, by each of the gateways.
    """
    async with AsyncExitStack() as stack:
        server = stack.enter_context(ServerProcess(tmp_path / "data"))
        jar = aiohttp.DummyCookieJar()
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        browser = await stack.enter_async_context(open_browser())
        house = House(server, http, browser, stack)
        witness = await house.bare()
        await witness.join()
        page = await house.page()
        polling = await house.stock("polling", "polling")
        upgrading = await house.stock("upgrading", "polling", "websocket")
        resuming: list[Guest] = [
            polling,
            upgrading,
            await house.python(),
            await house.stream(),
            await house.bare(),
            await house.stream_then_bare(),
            await house.stock_then_stream(),
        ]
        guests = [page, *resuming]
        for each in guests:
            await each.join()
        async with asyncio.TaskGroup() as group:
            cuts = [
                group.create_task(cut_in_the_middle(each, witness, start))
                for each, start in zip(
                    guests, itertools.count(FIRST_CUT, EACH_LATER), strict=False
                )
            ]
            for each in guests:
                group.create_task(speak(each, MESSAGES // len(guests)))
        await all_have([witness, *guests], MESSAGES, SETTLES_S)

        order = await witness.heard()
        texts = [text for _, text in order]
        everything = {
            f"{each.name}-{number}"
            for each in guests
            for number in range(1, MESSAGES // len(guests) + 1)
        }
        twice = [text for text in texts if texts.count(text) > 1]
        assert twice == []
        assert len(order) == MESSAGES
        assert set(texts) == everything
        for each in resuming:
            assert await each.heard() == order, each.name
            assert await each.returns() == [True], each.name
        assert [text for _, text in await page.heard()] == texts
        assert await page.returns() == [True]
        for each, cut in zip(guests, cuts, strict=True):
            before, after = cut.result()
            assert before == after < MESSAGES - LENGTH, f"{each.name} was not cut off"
            own = [text for text in texts if text.rpartition("-")[0] == each.name]
            assert own == [f"{each.name}-{n}" for n in range(1, len(own) + 1)]
        assert await polling.transport() == "polling"
        assert await upgrading.transport() == "websocket"
        assert (await _top(http, server)).partition(".")[2] == str(MESSAGES)
        for each in (witness, *resuming):
            await each.leave()
        await browser.close()


async def _top(http: aiohttp.ClientSession, server: ServerProcess) -> str:
    """Return the room's newest position."""
    async with http.ws_connect(f"{server.ws_url}/ws") as ws:
        await ws.send_json({"type": "history", "channel": CHANNEL, "id": 1})
        position: str = (await ws.receive_json())["position"]
        return position
