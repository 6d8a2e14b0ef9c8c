"""This machine's Chromium, for the tests that look at pages in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import async_playwright

from tests.machine import CHROMIUM_FLAGS, chromium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start it; closed again at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=list(CHROMIUM_FLAGS)
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def open_tab() -> AsyncIterator[tuple[Page, list[str]]]:
    """An empty tab, and all that its console says."""
    async with open_browser() as browser:
        page = await browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page, said
