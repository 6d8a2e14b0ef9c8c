"""The lesson's page, saved from its document to a file, chats."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import expect

from server import Settings, build_app
from tests.browsers import open_browser
from tests.docs.pages import examples


@pytest.mark.long
@pytest.mark.browser
async def test_lesson_page_chats(tmp_path: Path) -> None:
    """Two windows of the file from disk hear each other, and themselves."""
    runner = web.AppRunner(build_app(Settings(allow_origin=("null",))))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    page = examples()["lesson-page"]
    assert len(page.splitlines()) <= 22
    file = tmp_path / "chat.html"
    file.write_text(page.replace("127.0.0.1:8080", f"127.0.0.1:{port}"), "utf-8")
    try:
        async with open_browser() as browser:
            one = await browser.new_page()
            two = await browser.new_page()
            for window in (one, two):
                await window.goto(file.as_uri())
                await expect(window.locator("li")).to_have_count(1)

            await one.fill("input", "<b>Hello</b>")
            await one.click("button")

            for window in (one, two):
                line = window.locator("li").nth(1)
                await expect(line).to_have_text("Ada: <b>Hello</b>")
    finally:
        await runner.cleanup()
