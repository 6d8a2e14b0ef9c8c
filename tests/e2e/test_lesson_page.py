"""The lesson: its twenty lines work, and are the ones that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from .onlooker import PHONE, Look, Onlooker, onlookers
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SCRIPT = Path(__file__).parents[2] / "static" / "js" / "lesson.js"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One server for all tests, that lets pages from disk in."""
    with ServerProcess(None, "--allow-origin", "null") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def look(browser: Browser, server: ServerProcess) -> AsyncIterator[Look]:
    """Look at the lesson; at the end no onlooker may have heard a complaint."""
    async with onlookers(browser) as come:

        async def come_here(
            url: str = f"{server.url}/lesson", **more: tuple[int, int]
        ) -> Onlooker:
            return await come(url, **more)

        yield come_here


async def test_what_one_says_all_hear_as_text(look: Look) -> None:
    """A greeting first; then the message, for its sender too, never as HTML."""
    ada, bob = await look(), await look()
    for onlooker in (ada, bob):
        await expect(onlooker.see("#lesson-log li")).to_have_count(1)
    name = await ada.see("#who .who__name").inner_text()
    await ada.page.fill("[name=text]", "<b>Hello</b> مرحبا 你好")
    await ada.page.press("[name=text]", "Enter")
    for onlooker in (ada, bob):
        last = onlooker.see("#lesson-log li").last
        await expect(last).to_have_text(f"{name}: <b>Hello</b> مرحبا 你好")
        await expect(onlooker.see("#lesson-log b")).to_have_count(0)
        frame = onlooker.see("#lesson-frame")
        await expect(frame).to_contain_text('"type": "event"')
        await expect(frame).to_contain_text('"channel": "chat:lesson"')
    await expect(ada.see("[name=text]")).to_have_value("")
    await expect(ada.see("#connection")).to_have_attribute("data-state", "live")


async def test_the_source_is_the_script_that_runs(look: Look) -> None:
    """Shown are the very lines that were loaded, about twenty of them."""
    ada = await look()
    script = SCRIPT.read_text("utf-8").strip()
    await expect(ada.see("#lesson-source")).to_have_text(script)
    lines = [line for line in script.splitlines() if line.strip()]
    assert len(lines) <= 22


async def test_the_page_from_disk_works(
    look: Look, server: ServerProcess, tmp_path: Path
) -> None:
    """Saved as it stands and opened from disk, it hears and says."""
    ada = await look()
    page = await ada.see("#disk-page").inner_text()
    page, found = re.subn(r"127\.0\.0\.1:8080", f"127.0.0.1:{server.port}", page)
    assert found == 1
    file = tmp_path / "chat.html"
    file.write_text(page, encoding="utf-8")
    disk = await look(file.as_uri())
    await expect(disk.see("#log li")).to_have_count(1)
    await disk.page.fill("[name=text]", "from disk")
    await disk.page.press("[name=text]", "Enter")
    await expect(disk.see("#log li").last).to_have_text("Ada: from disk")
    await expect(ada.see("#lesson-log li").last).to_have_text("Ada: from disk")


async def test_a_phone_has_it_all_in_its_width(look: Look) -> None:
    """At 360 px nothing is wider than the window but what scrolls by itself."""
    ada = await look(size=PHONE)
    await expect(ada.see("#lesson-source")).to_contain_text("WebSocket")
    assert not await ada.overflows()
