"""Somebody who looks at a page, and what the browser complained about meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
)

WITHIN_MS = 15_000
DESKTOP = (1280, 800)
PHONE = (360, 640)


@dataclass
class Onlooker:
    """A browser context with one page; `complaints` is what its console had in red."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    @classmethod
    async def arrive(
        cls, browser: Browser, url: str, size: tuple[int, int] = DESKTOP
    ) -> Self:
        """Open a page, as a visitor of one's own."""
        width, height = size
        context = await browser.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(WITHIN_MS)
        onlooker = cls(context, await context.new_page())
        onlooker.page.on("console", onlooker._hear)
        onlooker.page.on("pageerror", onlooker._feel)
        await onlooker.page.goto(url)
        return onlooker

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _feel(self, error: Error) -> None:
        self.complaints.append(error.message)

    def see(self, selector: str) -> Locator:
        """Return what is at a place of the page."""
        return self.page.locator(selector)

    async def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        wide: bool = await self.page.evaluate(
            "document.documentElement.scrollWidth > innerWidth"
        )
        return wide


Look: TypeAlias = Callable[..., Awaitable[Onlooker]]


@asynccontextmanager
async def onlookers(browser: Browser) -> AsyncIterator[Look]:
    """What lets them arrive; at the end none may have heard a complaint."""
    there: list[Onlooker] = []

    async def come(url: str, **more: tuple[int, int]) -> Onlooker:
        onlooker = await Onlooker.arrive(browser, url, **more)
        there.append(onlooker)
        return onlooker

    yield come
    for onlooker in there:
        await onlooker.context.close()
        assert onlooker.complaints == []
