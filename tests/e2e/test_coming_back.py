"""Pages in a real browser that are sent away come back when they were told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from server.app import build_app
from server.errors import FORCED_RECONNECT, SHUTDOWN
from server.keys import HUB
from server.runtime.arrivals import FLOOR_MS
from tests.looptime import until

from .onlooker import WITHIN_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from server.errors import Disconnect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[TestServer]:
    """A server in this process, so that its hub is at hand."""
    running = TestServer(build_app())
    async with running:
        yield running


COUNT = """
window.dialled = 0;
window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    window.dialled += 1;
  }
};
"""


async def dialled(page: Page) -> int:
    """How many connections the page has begun."""
    return int(await page.evaluate("() => window.dialled"))


async def stop_time(page: Page) -> None:
    """Have the page's time stand still, but for `run_for`."""
    now_ms = await page.evaluate("() => Date.now()")
    await page.clock.pause_at((now_ms + 1_000) / 1_000)


@pytest.mark.parametrize("path", ["/chat/lobby", "/notes/welcome"])
@pytest.mark.parametrize(
    "disconnect", [SHUTDOWN, FORCED_RECONNECT], ids=lambda each: each.reason
)
async def test_a_page_comes_back_when_it_was_told_to(
    browser: Browser, server: TestServer, path: str, disconnect: Disconnect
) -> None:
    """Not before, though it would by its own rules; nor later than a fifth more."""
    hub = server.app[HUB]
    page = await browser.new_page()
    pill = page.locator("#connection")
    await page.add_init_script(COUNT)
    await page.clock.install()
    await page.goto(str(server.make_url(path)))
    await expect(pill).to_have_attribute("data-state", "live", timeout=WITHIN_MS)
    await stop_time(page)
    assert await dialled(page) == 1
    (session,) = hub.sessions.values()
    hub.disconnect_all(disconnect)
    await until(lambda: session.closed)
    await expect(pill).to_have_attribute(
        "data-state", "reconnecting", timeout=WITHIN_MS
    )
    await page.clock.run_for(FLOOR_MS - 1)
    assert await dialled(page) == 1
    await page.clock.run_for(FLOOR_MS // 5 + 1)
    assert await dialled(page) == 2
    await page.clock.resume()
    await expect(pill).to_have_attribute("data-state", "live", timeout=WITHIN_MS)
    assert await dialled(page) == 2
    await page.close()
