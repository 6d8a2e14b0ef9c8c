"""The strict policy in a real browser: the shell works, and nothing complains."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from playwright.async_api import expect

from server.web.package import Files, own_files
from tests.browsers import open_tab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from playwright.async_api import Page
    from pytest_aiohttp.plugin import AiohttpServer

pytestmark = pytest.mark.browser

EDITOR = """<div id="editor"></div><script type="module"
 src="{{ asset('js/try-editor.js') }}"></script>"""
TRY_EDITOR = """
import { EditorState, EditorView } from "../vendor/notes.js";
const nonce = document.querySelector("meta[name=hubbub-style-nonce]").content;
new EditorView({
  parent: document.getElementById("editor"),
  state: EditorState.create({ doc: "x", extensions: [EditorView.cspNonce.of(nonce)] }),
});
document.body.dataset.done = "1";
"""
INJECTED = '<script>document.title = "owned"</script><b style="color:red">x</b>'


@pytest.fixture
def files(files: Files, tmp_path: Path) -> Files:
    """The package's own static files, and a notes page with an editor."""
    static = tmp_path / "own"
    ignore = shutil.ignore_patterns("node_modules", "vendor-src")
    shutil.copytree(own_files().static, static, ignore=ignore)
    (static / "js" / "try-editor.js").write_text(TRY_EDITOR, encoding="utf-8")
    notes = files.templates / "notes.html"
    told = notes.read_text("utf-8").replace("{% endblock %}", EDITOR + "{% endblock %}")
    notes.write_text(told, encoding="utf-8")
    lesson = files.templates / "lesson.html"
    told = lesson.read_text("utf-8").replace(
        "{% endblock %}", INJECTED + "{% endblock %}"
    )
    lesson.write_text(told, encoding="utf-8")
    return Files(files.templates, static)


@pytest.fixture
async def tab() -> AsyncIterator[tuple[Page, list[str]]]:
    """An empty tab, and what its console complains about."""
    async with open_tab() as opened:
        yield opened


async def test_the_shell_works_under_the_policy(
    build: Callable[[], web.Application],
    aiohttp_server: AiohttpServer,
    tab: tuple[Page, list[str]],
) -> None:
    """Styles, icons and scripts load; one can take a name and keep it."""
    page, complaints = tab
    server = await aiohttp_server(build())
    await page.goto(str(server.make_url("/ticker")))
    assert await page.evaluate("getComputedStyle(document.body).display") == "grid"
    await page.click("#who")
    await page.fill("#name-input", "Ada Lovelace")
    await page.click("#name-dialog [type=submit]")
    await expect(page.locator(".who__name")).to_have_text("Ada Lovelace")
    await page.goto(str(server.make_url("/chat/lobby")))
    assert await page.inner_text(".who__name") == "Ada Lovelace"
    await page.goto(str(server.make_url("/notes/BAD")))
    assert complaints == [
        "Failed to load resource: the server responded with a status of 404 (Not Found)"
    ]


@pytest.mark.skipif(
    not (own_files().static / "vendor" / "notes.js").exists(),
    reason="browser modules not built",
)
async def test_the_editor_has_its_styles_by_the_nonce(
    build: Callable[[], web.Application],
    aiohttp_server: AiohttpServer,
    tab: tuple[Page, list[str]],
) -> None:
    """The page's policy and what it tells its editor go together."""
    page, complaints = tab
    server = await aiohttp_server(build())
    await page.goto(str(server.make_url("/notes/welcome")))
    await page.wait_for_selector("body[data-done]")
    display = "getComputedStyle(document.querySelector('.cm-scroller')).display"
    assert await page.evaluate(display) == "flex"
    assert complaints == []


async def test_what_is_smuggled_into_a_page_does_nothing(
    build: Callable[[], web.Application],
    aiohttp_server: AiohttpServer,
    tab: tuple[Page, list[str]],
) -> None:
    """Even if some template forgot to escape."""
    page, complaints = tab
    server = await aiohttp_server(build())
    await page.goto(str(server.make_url("/lesson")))
    assert "owned" not in await page.title()
    assert len(complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in complaints)
