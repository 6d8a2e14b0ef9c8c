"""The test that the lesson shows."""

from __future__ import annotations

import html
import re
import sys
from typing import TYPE_CHECKING, Any

import server
from server.app import build_app

if TYPE_CHECKING:
    import pytest
    from pytest_aiohttp.plugin import AiohttpClient

SHOWN = re.compile(r'<pre class="code" id="python-test"[^>]*>(.*?)</pre>', re.DOTALL)


async def test_the_shown_test_passes(
    aiohttp_client: AiohttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own ten lines, run as they stand."""
    client = await aiohttp_client(build_app())
    async with client.get("/lesson") as answer:
        found = SHOWN.search(await answer.text())
    assert found is not None
    lines = html.unescape(found[1])
    # Installed, the package has this name.
    monkeypatch.setitem(sys.modules, "hubbub", server)
    names: dict[str, Any] = {}
    exec(lines, names)  # noqa: S102 - the text of our own template
    await names["test_what_ada_says_bob_hears"](aiohttp_client)
