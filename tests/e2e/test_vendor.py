"""The bundled third-party modules, in a browser, under the pages' strict policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.browsers import open_tab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.test_utils import TestServer
    from playwright.async_api import Page
    from pytest_aiohttp.plugin import AiohttpServer

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
NONCE = "c3R5bGVz"
POLICY = f"default-src 'self'; style-src 'self' 'nonce-{NONCE}'"
PAGE = (
    '<!doctype html><title>vendor</title><script type="module" src="/own.js"></script>'
)

# Two people in one note: "Ada" edits here, "Bob" is a second document, linked by hand.
EDITOR = f"""
import * as notes from "/vendor/notes.js";
const {{ Y, EditorState, EditorView, WebsocketProvider, yCollab, markdown }} = notes;
const open = (name) => {{
  const doc = new Y.Doc();
  const provider = new WebsocketProvider("ws://127.0.0.1:9", "x", doc, {{
    connect: false,
    disableBc: true,
  }});
  provider.awareness.setLocalStateField("user", {{ name, color: "rgb(1, 2, 3)" }});
  return {{ doc, text: doc.getText("t"), awareness: provider.awareness }};
}};
const [ada, bob] = [open("Ada"), open("Bob")];
bob.doc.on("update", (update) => Y.applyUpdate(ada.doc, update));
bob.text.insert(0, "# Hello\\n\\n**strong**");
new EditorView({{
  parent: document.body,
  state: EditorState.create({{
    doc: ada.text.toString(),
    extensions: [
      EditorView.cspNonce.of("{NONCE}"),
      markdown(),
      notes.syntaxHighlighting(notes.classHighlighter),
      yCollab(ada.text, ada.awareness),
    ],
  }}),
}});
const at = Y.relativePositionToJSON(
  Y.createRelativePositionFromTypeIndex(bob.text, 3),
);
bob.awareness.setLocalStateField("cursor", {{ anchor: at, head: at }});
const {{ encodeAwarenessUpdate, applyAwarenessUpdate }} = notes.awarenessProtocol;
applyAwarenessUpdate(
  ada.awareness,
  encodeAwarenessUpdate(bob.awareness, [bob.doc.clientID]),
  "test",
);
"""

CHART = """
import { LineSeries, createChart } from "/vendor/charts.js";
document.body.style.height = "200px";
const chart = createChart(document.body, {
  autoSize: true,
  layout: { attributionLogo: false },
});
chart.addSeries(LineSeries).setData([1, 2, 3].map((time) => ({ time, value: time })));
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (VENDOR / "LICENSES.txt").exists(), reason="browser modules not built"
    ),
]


async def serve(aiohttp_server: AiohttpServer, script: str) -> TestServer:
    """A page that runs one script of its own, beside the bundles."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(
            text=PAGE,
            content_type="text/html",
            headers={"Content-Security-Policy": POLICY},
        )

    async def own(_: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    async def icon(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/own.js", own)
    app.router.add_get("/favicon.ico", icon)
    app.router.add_static("/vendor", VENDOR)
    return await aiohttp_server(app)


@pytest.fixture
async def browser_page() -> AsyncIterator[tuple[Page, list[str]]]:
    """An empty tab, and what its console complains about."""
    async with open_tab() as opened:
        yield opened


async def test_another_s_caret_has_its_colour_under_the_strict_policy(
    aiohttp_server: AiohttpServer, browser_page: tuple[Page, list[str]]
) -> None:
    """Editor, Markdown and carets work with no inline style, and no complaint."""
    page, complaints = browser_page
    server = await serve(aiohttp_server, EDITOR)
    await page.goto(str(server.make_url("/")))
    caret = page.locator(".cm-ySelectionCaret")
    await caret.wait_for(state="attached")
    colour = await caret.evaluate("caret => getComputedStyle(caret).backgroundColor")
    assert colour == "rgb(1, 2, 3)"
    assert await page.locator(".tok-heading").count() > 0
    strong = page.locator(".tok-strong:not(.tok-meta)")
    assert await strong.inner_text() == "strong"
    assert complaints == []


async def test_a_chart_draws_under_the_strict_policy(
    aiohttp_server: AiohttpServer, browser_page: tuple[Page, list[str]]
) -> None:
    """Charts draw, without their logo, which would bring an inline style."""
    page, complaints = browser_page
    server = await serve(aiohttp_server, CHART)
    await page.goto(str(server.make_url("/")))
    await page.locator("canvas").first.wait_for()
    assert complaints == []
