"""What the tests of pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.browsers import open_browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """This machine's Chromium, one for all tests of a file."""
    async with open_browser() as found:
        yield found
