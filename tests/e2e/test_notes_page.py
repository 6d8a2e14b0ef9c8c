"""The notes page in real browsers: one text, its saved state, offline and back."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from server.app import build_app
from server.web.assets import Assets

from .lone_node import raise_lone_node
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from aiohttp.test_utils import BaseTestServer
    from playwright.async_api import Browser, BrowserContext, Dialog, Page

    from .lone_node import LoneNode

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor" / "notes.js"
WITHIN_S = 15.0
WITHIN_MS = WITHIN_S * 1000

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not VENDOR.exists(), reason="browser modules not built"),
]

VIEW = """
const { EditorView, EditorSelection } = await import("/static/vendor/notes.js");
const view = EditorView.findFromDOM(document.querySelector(".cm-editor"));
"""
TEXT = f"async () => {{ {VIEW} return view.state.doc.toString(); }}"
TYPE = f"""async ([text, at]) => {{ {VIEW}
  const from = at ?? view.state.doc.length;
  view.dispatch({{ changes: {{ from, insert: text }}, userEvent: "input.type" }});
}}"""
REPLACE = f"""async ([from, to, insert]) => {{ {VIEW}
  view.dispatch({{ changes: {{ from, to, insert }}, userEvent: "input.type" }});
}}"""

OFFLINE = "Offline, kept on this device"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with a store, which tests kill, pause and start again.

    Each test has notes of its own in it.
    """
    with ServerProcess(tmp_path_factory.mktemp("notes") / "data") as process:
        yield process


class Place(Protocol):
    """Where notes are."""

    @property
    def url(self) -> str:
        """Without a path."""

    @property
    def durable(self) -> bool:
        """Whether they are on a disk."""


class Writer:
    """One person in a browser of their own, and what its console complained about."""

    def __init__(self, context: BrowserContext, server: Place) -> None:
        self.context = context
        self.page: Page
        self.complaints: list[str] = []
        self.saved = "Saved" if server.durable else "Shared, in memory only"
        self._server = server

    async def open(self, note: str = "welcome") -> None:
        """Open a note in a new tab, and wait until it is shown and saved."""
        self.page = await self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await self.page.goto(f"{self._server.url}/notes/{note}")
        await self.sees(self.saved)

    def _hear(self, message: object) -> None:
        text = str(message)
        # A browser says of each refused connection that it was refused.
        if "ERR_CONNECTION_REFUSED" not in text and "WebSocket" not in text:
            self.complaints.append(text)

    async def sees(self, words: str) -> None:
        """Wait until the saved state is in these words."""
        status = self.page.locator("#save-status")
        await expect(status).to_have_text(words, timeout=WITHIN_MS)

    async def stands(self, state: str) -> None:
        """Wait until the pill is in this state."""
        pill = self.page.locator("#connection")
        await expect(pill).to_have_attribute("data-state", state, timeout=WITHIN_MS)

    async def text(self) -> str:
        """The text in the editor."""
        return str(await self.page.evaluate(TEXT))

    async def type(self, text: str, at: int | None = None) -> None:
        """Insert text as typed; `at` None: at the end."""
        await self.page.evaluate(TYPE, [text, at])

    async def reads(self, text: str) -> None:
        """Wait until the editor has this text."""

        async def has_it() -> bool:
            return await self.text() == text

        await until(has_it)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WITHIN_S
    while not await holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.02)


async def writer(browser: Browser, server: Place, name: str) -> Writer:
    """A visitor who has chosen a name."""
    context = await browser.new_context()
    await context.request.get(f"{server.url}/lesson")
    answer = await context.request.post(
        f"{server.url}/api/name", data={"name": name}, headers={"Origin": server.url}
    )
    assert answer.ok
    return Writer(context, server)


@asynccontextmanager
async def pair(
    browser: Browser, server: Place, note: str = "welcome"
) -> AsyncIterator[tuple[Writer, Writer]]:
    """Ada and Bob with one note open; at the end nobody's console has complained."""
    ada = await writer(browser, server, "Ada Lovelace")
    bob = await writer(browser, server, "Bob")
    for each in (ada, bob):
        await each.open(note)
    yield ada, bob
    for each in (ada, bob):
        assert each.complaints == []
        await each.context.close()


async def test_two_write_into_one_note_and_see_where_the_other_is(
    browser: Browser, server: ServerProcess
) -> None:
    """Text, caret with its name, faces and saved state, on both sides."""
    async with pair(browser, server, "both") as (ada, bob):
        await ada.page.locator(".cm-content").click()
        await ada.page.keyboard.type("Hello 😀")
        await bob.reads("Hello 😀")
        caret = bob.page.locator(".caret__name")
        await expect(caret).to_have_text("Ada Lovelace")
        await bob.page.locator(".cm-content").click()
        await bob.page.keyboard.press("Control+End")
        await bob.page.keyboard.type(" and goodbye")
        await ada.reads("Hello 😀 and goodbye")
        await expect(ada.page.locator(".caret__name")).to_have_text("Bob")
        await expect(ada.page.locator("#people .avatar")).to_have_text("B")
        for each in (ada, bob):
            await each.sees("Saved")
            await expect(each.page.locator("#page-title")).to_have_text(
                "Hello 😀 and goodbye"
            )
        rests = ada.page.locator(".caret--rests")
        await rests.wait_for(state="attached", timeout=WITHIN_MS)


async def test_undo_takes_back_only_what_one_wrote_oneself(
    browser: Browser, server: ServerProcess
) -> None:
    """Ada's undo leaves Bob's words, though they are newer."""
    async with pair(browser, server, "undo") as (ada, bob):
        await ada.page.locator(".cm-content").click()
        await ada.page.keyboard.type("ada")
        await bob.reads("ada")
        await bob.type(" bob")
        await ada.reads("ada bob")
        await ada.page.keyboard.press("Control+z")
        await bob.reads(" bob")
        await ada.page.keyboard.press("Control+y")
        await bob.reads("ada bob")


async def test_what_both_wrote_offline_is_merged_after_kill_9(
    browser: Browser, server: ServerProcess
) -> None:
    """Edits on both sides while the server is dead: equal after, nothing doubled."""
    async with pair(browser, server, "offline") as (ada, bob):
        await ada.type("middle")
        await bob.reads("middle")
        await ada.sees("Saved")
        await asyncio.to_thread(server.kill)
        await ada.sees(OFFLINE)
        await bob.sees(OFFLINE)
        for letter in "left ":
            await ada.type(letter, at=len(await ada.text()) - len("middle"))
        await bob.type(" right 😀")
        await ada.sees(OFFLINE)
        await asyncio.to_thread(server.start)
        for each in (ada, bob):
            await each.reads("left middle right 😀")
            await each.sees("Saved")
        pill = ada.page.locator("#connection")
        await expect(pill).to_have_attribute("data-state", "live")


@pytest.mark.long
async def test_what_was_written_offline_survives_a_closed_tab(
    browser: Browser, server: ServerProcess
) -> None:
    """Kept on this device means: closed and opened again, it is sent."""
    async with pair(browser, server, "kept") as (ada, bob):
        await ada.type("before ")
        await bob.reads("before ")
        await asyncio.to_thread(server.kill)
        await ada.sees(OFFLINE)
        await ada.type("after")
        await ada.sees(OFFLINE)
        await ada.page.close(run_before_unload=True)
        await asyncio.to_thread(server.start)
        await ada.open("kept")
        assert await ada.text() == "before after"
        await bob.reads("before after")


async def test_saved_is_said_only_after_the_commit(
    browser: Browser, server: ServerProcess
) -> None:
    """While the server does not commit, it says how much is not saved."""
    async with pair(browser, server, "saved") as (ada, bob):
        server.pause()
        try:
            for letter in "abc":
                await ada.type(letter)
            await ada.sees("Saving 3")
            await ada.type("d")
            await ada.sees("Saving 4")
        finally:
            server.resume()
        await ada.sees("Saved")
        await bob.reads("abcd")


@pytest_asyncio.fixture(loop_scope="module")
async def node() -> AsyncIterator[LoneNode]:
    """One that can be cut off."""
    async with raise_lone_node() as raised:
        yield raised


PAUSED = "Paused, kept on this device"

WORDS = """async ([state, paused, unsaved, kept]) => {
  const { saveWords } = await import("/static/js/notes/save-status.js");
  return saveWords({ state, paused, unsaved, kept, durable: true }).words;
}"""
SAVED_STATES = {
    ("live", False, 0, True): "Saved",
    ("live", False, 2, True): "Saving 2",
    ("live", True, 0, True): "Saved",
    ("live", True, 2, True): PAUSED,
    ("live", True, 2, False): "Paused, 2 not saved",
    ("connecting", False, 0, True): "Opening",
    ("connecting", True, 0, True): PAUSED,
    ("reconnecting", True, 0, False): "Paused",
    ("reconnecting", False, 0, True): OFFLINE,
    ("offline", False, 2, False): "Offline, 2 not saved",
    ("closed", False, 2, True): "Not saved",
}


async def test_the_saved_state_is_in_plain_words(
    browser: Browser, node: LoneNode
) -> None:
    """What is durable is called saved, and nothing else."""
    page = await browser.new_page()
    await page.goto(f"{node.url}/lesson")
    for facts, words in SAVED_STATES.items():
        assert await page.evaluate(WORDS, list(facts)) == words, facts
    await page.close()


async def test_an_outage_is_told_and_one_writes_on(
    browser: Browser, node: LoneNode
) -> None:
    """The pill says so, what is typed is kept here; then it is shared, and so said."""
    async with pair(browser, node, "outage") as (ada, bob):
        opened = node.opened
        node.cut_off()
        for each in (ada, bob):
            await each.stands("paused")
            # What was said before holds.
            await each.sees(each.saved)
        await ada.type("hello ")
        await bob.type("hello")
        for each in (ada, bob):
            await each.sees(PAUSED)
        assert node.opened == opened
        node.reunite()
        for each in (ada, bob):
            await each.stands("live")
            await each.sees(each.saved)
        await until(lambda: same_text(ada, bob))
        assert sorted((await ada.text()).split("hello")) == ["", "", " "]
        assert node.opened == opened


async def same_text(ada: Writer, bob: Writer) -> bool:
    """Whether both have all that was typed."""
    text = await ada.text()
    return len(text) == len("hello hello") and text == await bob.text()


async def test_who_comes_in_an_outage_is_told_of_it(
    browser: Browser, node: LoneNode
) -> None:
    """A tab that is loaded anew meanwhile has its text, and waits."""
    async with pair(browser, node, "reload") as (ada, bob):
        await ada.type("before")
        await bob.reads("before")
        node.cut_off()
        await ada.stands("paused")
        await ada.type(" after")
        await ada.sees(PAUSED)
        await ada.page.reload()
        await ada.stands("paused")
        await ada.sees(PAUSED)
        assert await ada.text() == "before after"
        node.reunite()
        await bob.reads("before after")
        await ada.sees(ada.saved)
        await ada.stands("live")


@pytest.mark.long
@pytest.mark.timeout(60)
async def test_a_long_outage_breaks_no_connection(
    browser: Browser, node: LoneNode
) -> None:
    """An answer that cannot come is not waited for."""
    async with pair(browser, node, "patience") as (ada, bob):
        node.cut_off()
        await ada.type("typed early")
        await ada.stands("paused")
        opened = node.opened
        await asyncio.sleep(12)
        await ada.type(" and late")
        await ada.sees(PAUSED)
        assert node.opened == opened
        node.reunite()
        await bob.reads("typed early and late")
        await ada.sees(ada.saved)
        assert node.opened == opened


@pytest.mark.long
async def test_carets_are_back_two_seconds_after_the_connection(
    browser: Browser, server: ServerProcess
) -> None:
    """After a restart nobody has to move to be seen, and no caret is doubled."""
    async with pair(browser, server, "carets") as (ada, bob):
        for each in (ada, bob):
            await each.page.locator(".cm-content").click()
            await each.page.keyboard.type("x")
        for each in (ada, bob):
            await each.page.locator(".caret").wait_for(state="attached")
        await asyncio.to_thread(server.kill)
        for each in (ada, bob):
            await expect(each.page.locator(".caret")).to_have_count(0)
        await asyncio.to_thread(server.start)
        for each in (ada, bob):
            await each.sees("Saved")
        for each in (ada, bob):
            await expect(each.page.locator(".caret")).to_have_count(1, timeout=2000)
            await expect(each.page.locator("#people .avatar")).to_have_count(1)


@pytest.mark.long
async def test_a_new_name_is_seen_by_the_others(
    browser: Browser, server: ServerProcess
) -> None:
    """A changed name takes effect without a reload, by a new connection."""
    async with pair(browser, server) as (ada, bob):
        await ada.page.locator("#who").click()
        await ada.page.locator("#name-input").fill("Countess")
        await ada.page.keyboard.press("Enter")
        face = bob.page.locator("#people .avatar")
        await expect(face).to_have_attribute("aria-label", "Countess")
        await ada.sees("Saved")


@pytest.mark.long
async def test_an_edit_that_is_refused_is_told_and_can_be_let_go(
    browser: Browser, server: ServerProcess
) -> None:
    """Too large a paste: the reason, the text kept, and a way back to what is saved."""
    async with pair(browser, server, "refused") as (ada, bob):
        await ada.type("small")
        await bob.reads("small")
        await ada.type(" and large" * 30_000)
        await ada.sees("Not saved")
        why = ada.page.locator("#refused")
        await expect(why).to_contain_text("an edit has at most 262144 bytes")
        assert len(await ada.text()) == len("small") + 300_000
        await ada.page.keyboard.type("no")
        assert len(await ada.text()) == len("small") + 300_000
        await ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await ada.page.locator("#copy-text").click()
        await expect(ada.page.locator("#copy-text")).to_have_text("Copied")
        copied = await ada.page.evaluate("navigator.clipboard.readText()")
        assert len(copied) == len("small") + 300_000
        await ada.page.locator("#discard-copy").click()
        await ada.sees("Saved")
        assert await ada.text() == "small"
        assert await bob.text() == "small"


async def test_an_edit_never_cuts_a_character(
    browser: Browser, server: ServerProcess
) -> None:
    """What an input method does to half an emoji is done to the whole one."""
    async with pair(browser, server, "emoji") as (ada, bob):
        await ada.type("a😀b")
        await ada.page.evaluate(REPLACE, [2, 3, "\ude01"])
        await bob.reads("a😁b")
        await ada.page.evaluate(REPLACE, [2, 2, "-"])
        await bob.reads("a😁-b")
        await ada.page.evaluate(REPLACE, [1, 2, ""])
        await bob.reads("a-b")
        await ada.sees("Saved")


@pytest.mark.long
async def test_a_new_note_is_named_after_its_title(
    browser: Browser, server: ServerProcess
) -> None:
    """Title in, note open with that title, and both in everybody's list."""
    async with pair(browser, server) as (ada, bob):
        await ada.page.locator("#new-note-open").click()
        await ada.page.keyboard.type("Größe & Räume")
        await ada.page.keyboard.press("Enter")
        await ada.page.wait_for_url("**/notes/grosse-raume")
        await ada.sees("Saved")
        await ada.page.keyboard.type("text")
        assert await ada.text() == "# Größe & Räume\n\ntext"
        await ada.sees("Saved")
        await expect(ada.page.locator("#page-title")).to_have_text("Größe & Räume")
        await bob.page.reload()
        row = bob.page.locator("#note-list a", has_text="Größe & Räume")
        await expect(row).to_contain_text("Ada Lovelace")


@pytest.mark.long
async def test_leaving_warns_only_of_what_is_kept_nowhere(
    browser: Browser, server: ServerProcess
) -> None:
    """Unsaved and on no disk: the browser asks. On this device: it does not."""
    ada = await writer(browser, server, "Ada")
    broken = "IDBFactory.prototype.open = () => { throw new Error('no database'); };"
    await ada.context.add_init_script(broken)
    await ada.open("unload")
    asked: list[str] = []

    async def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    ada.page.on("dialog", accept)
    server.pause()
    try:
        await ada.page.locator(".cm-content").click()
        await ada.page.keyboard.type("x")
        await ada.sees("Saving 1")
        async with ada.page.expect_event("close"):
            await ada.page.close(run_before_unload=True)
    finally:
        server.resume()
    assert asked == ["beforeunload"]


LINK = 'rel="noopener noreferrer nofollow" target="_blank"'
MARKDOWN = {
    "# Title": '<h2 class="heading-1" dir="auto">Title</h2>',
    "a **b** *c* `d` ~~e~~ \\*": '<p dir="auto">a <strong>b</strong> <em>c</em> '
    "<code>d</code> <del>e</del> *</p>",
    "> quoted": '<blockquote><p dir="auto">quoted</p></blockquote>',
    "3. c\n4. d": '<ol start="3"><li dir="auto">c</li><li dir="auto">d</li></ol>',
    "- [x] done\n- [ ] open": '<ul><li class="task" dir="auto"><input type="checkbox" '
    'disabled="" checked="" aria-label="done">done</li><li class="task" dir="auto">'
    '<input type="checkbox" disabled="" aria-label="to do">open</li></ul>',
    "```js\n<b>\n  two\n```": '<pre tabindex="0" dir="ltr"><code>'
    "&lt;b&gt;\n  two</code></pre>",
    "[a](https://example.org/x)": '<p dir="auto"><a href="https://example.org/x" '
    f"{LINK}>a</a></p>",
    "[a](javascript:alert(1))": '<p dir="auto">a</p>',
    "[a](data:text/html,x)": '<p dir="auto">a</p>',
    "<img src=x onerror=alert(1)>": '<pre tabindex="0"><code>'
    "&lt;img src=x onerror=alert(1)&gt;</code></pre>",
    "a <b>c</b>": '<p dir="auto">a &lt;b&gt;c&lt;/b&gt;</p>',
    "[not a link]": '<p dir="auto">[not a link]</p>',
    "[words][1]\n\n[1]: http://example.org/": '<p dir="auto">'
    f'<a href="http://example.org/" {LINK}>words</a></p>',
    "| a | b |\n|---|--:|\n| 1 |  |\n|  | 2 |": '<table><thead><tr><th dir="auto">a'
    '</th><th dir="auto" data-align="end">b</th></tr></thead><tbody><tr>'
    '<td dir="auto">1</td><td dir="auto" data-align="end"></td></tr><tr>'
    '<td dir="auto"></td><td dir="auto" data-align="end">2</td></tr></tbody></table>',
    "&amp; &#x41; &unknown;": '<p dir="auto">&amp; A &amp;unknown;</p>',
}

RENDER = """async (texts) => {
  const { preview } = await import("/static/js/notes/preview.js");
  return texts.map((text) => preview(text).innerHTML);
}"""


async def test_the_preview_shows_markdown_and_nothing_else(
    browser: Browser, server: ServerProcess
) -> None:
    """Each construct is set; HTML is shown as text; only safe links can be followed."""
    ada = await writer(browser, server, "Ada")
    await ada.open()
    shown = await ada.page.evaluate(RENDER, list(MARKDOWN))
    assert shown == list(MARKDOWN.values())
    await ada.page.locator("#preview-toggle").click()
    await expect(ada.page.locator("#preview h2").first).to_have_text("Welcome")
    await expect(ada.page.locator("#sheet")).to_be_hidden()
    await ada.page.locator("#preview-toggle").click()
    await expect(ada.page.locator("#sheet")).to_be_visible()
    assert ada.complaints == []


async def test_without_the_editor_a_note_can_be_read(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where modules are missing the page says so, shows the text and follows it."""
    missing = property(lambda _: {"notes": False, "charts": False})
    monkeypatch.setattr(Assets, "vendor", missing)
    async with TestServer(build_app()) as server:
        await read_only(browser, server)


async def read_only(browser: Browser, server: BaseTestServer) -> None:
    """Read a note, and see another's edit come."""
    page = await browser.new_page()
    await page.goto(str(server.make_url("/notes/welcome")))
    await expect(page.locator("#sheet")).to_contain_text("This is a shared note.")
    await expect(page.locator(".banner").first).to_contain_text("The editor is missing")
    ws_url = str(server.make_url("/ws/notes/welcome"))
    typed = """(url) => {
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.onopen = () => socket.send(JSON.stringify({
        type: "publish", event: "insert", data: { at: 0, text: "😀 first. " } }));
    }"""
    await page.evaluate(typed, ws_url)
    await expect(page.locator("#sheet")).to_contain_text("😀 first. # Welcome")
    await page.close()


@pytest.mark.long
async def test_a_server_without_a_memory_does_not_double_its_welcome(
    browser: Browser,
) -> None:
    """A browser that kept the welcome note merges it with that of the next start.

    And nothing is called saved there: the page says that it is in memory only.
    """
    with ServerProcess() as forgetful:
        async with pair(browser, forgetful) as (ada, bob):
            before = await ada.text()
            await ada.type("kept by browsers")
            await bob.reads(before + "kept by browsers")
            await asyncio.to_thread(forgetful.restart)
            for each in (ada, bob):
                await each.sees(each.saved)
                assert await each.text() == before + "kept by browsers"
