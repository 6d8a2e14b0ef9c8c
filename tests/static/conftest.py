"""One Chromium for the tests of the browser's modules, a fresh document for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiohttp import WSMsgType, web
from playwright.async_api import Browser, Error, Page

from tests.browsers import open_browser
from tests.static.tab import Tab

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "static"

PAGE = "<!doctype html><html lang=en><title>test</title><link rel=icon href=data:,>"


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def _harness(request: web.Request) -> web.FileResponse:
    return web.FileResponse(HERE / "harness.js")


async def _socket(request: web.Request) -> web.WebSocketResponse:
    """Acknowledge everything, and say each publication to its author."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    offset = 0
    async for message in ws:
        if message.type is not WSMsgType.TEXT:
            break
        command = message.json()
        reply = {"type": "reply", "id": command["id"], "position": f"ep.{offset}"}
        if command["type"] == "publish":
            offset += 1
            said = {"event": "message", "data": command["data"], "time": 1}
            place = {"channel": command["channel"], "position": f"ep.{offset}"}
            await ws.send_json({"type": "event", **said, **place})
            reply |= {"position": f"ep.{offset}", "durable": False}
        await ws.send_json(reply)
    return ws


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def origin() -> AsyncIterator[str]:
    """Where the modules are served, on a free port."""
    app = web.Application()
    app.router.add_static("/static", STATIC)
    app.router.add_get("/harness.js", _harness)
    app.router.add_get("/ws", _socket)
    app.router.add_get("/", _page)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """This machine's Chromium, one for all tests."""
    async with open_browser() as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page(browser: Browser) -> Page:
    """One for all tests, since a new one takes longer than they do."""
    return await browser.new_page()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(page: Page, origin: str) -> AsyncIterator[Tab]:
    """A fresh document; a fault that the test leaves in `faults` fails it."""
    tab = Tab(page)

    def hear(error: Error) -> None:
        tab.faults.append(error.message)

    page.on("pageerror", hear)
    await page.goto(origin)
    yield tab
    await tab.settle()
    page.remove_listener("pageerror", hear)
    assert tab.faults == []
