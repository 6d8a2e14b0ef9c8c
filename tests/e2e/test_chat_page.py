"""The chat page in real browsers: each message once, in one order, whatever happens."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from .chatter import Chatter, say_all
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Browser, Route

    Arrive = Callable[..., Awaitable[Chatter]]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]

_rooms = (f"room-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def lasting() -> Iterator[ServerProcess]:
    """One server for all tests that let it live; each has a room of its own."""
    with ServerProcess() as process:
        yield process


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with a store, to be killed and started again."""
    with ServerProcess(tmp_path / "data") as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def arrive(browser: Browser) -> AsyncIterator[Arrive]:
    """Bring people; at the end they go, and none may have heard a complaint."""
    there: list[Chatter] = []

    async def come(
        server: ServerProcess, name: str, **more: tuple[int, int]
    ) -> Chatter:
        chatter = await Chatter.arrive(browser, server, name, **more)
        there.append(chatter)
        return chatter

    yield come
    for chatter in there:
        await chatter.context.close()
        assert chatter.complaints == []


@pytest.fixture
def room() -> str:
    """A room that no other test has."""
    return next(_rooms)


async def test_what_is_sent_is_there_at_once_and_stays_the_same_element(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """A sees a lighter row within the frame, then the same one kept; B sees it once."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await ada.open(room)
    await bob.open(room)
    await ada.field.fill("Hello **Bob**")
    states = await ada.page.evaluate(
        """() => {
          document.querySelector("#composer").requestSubmit();
          const row = document.querySelector("#messages .message");
          row.witness = true;
          return [row.dataset.state, row.querySelector(".message__body").innerText];
        }"""
    )
    assert states == ["pending", "Hello **Bob**"]
    await ada.sees("Hello Bob")
    await bob.sees("Hello Bob")
    assert await ada.rows.evaluate("row => row.witness")
    assert await bob.rows.locator("strong").inner_text() == "Bob"
    assert await bob.rows.locator(".message__author").inner_text() == "Ada"


@pytest.mark.long
async def test_a_lost_acknowledgement_doubles_nothing(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Stored, the socket lost before the answer, sent again: one message everywhere."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await bob.open(room)
    await ada.open(room)
    ada.line.swallows = 1
    await ada.say("only once")
    await ada.say("and then this")
    await ada.sees("only once", "and then this")
    await bob.sees("only once", "and then this")
    await ada.page.reload()
    await ada.sees("only once", "and then this")


async def test_what_is_written_while_the_server_is_dead_arrives_once_in_order(
    mortal: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Killed and started on the same data: three queued messages, and no banner."""
    ada, bob = await arrive(mortal, "Ada"), await arrive(mortal, "Bob")
    await ada.open(room)
    await bob.open(room)
    await ada.say("before")
    await bob.sees("before")
    mortal.kill()
    banner = ada.page.locator("#absence")
    await expect(banner).to_contain_text("What you write is kept", timeout=5000)
    for text in ("one", "two", "three"):
        await ada.say(text)
    pending = ada.page.locator('.message[data-state="pending"]')
    await expect(pending).to_have_count(3)
    mortal.start()
    await ada.retry_now()
    await ada.sees("before", "one", "two", "three")
    await bob.sees("before", "one", "two", "three")
    await expect(banner).to_be_hidden()


@pytest.mark.long
async def test_what_is_on_its_way_survives_a_reload(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Written without a connection, page reloaded, connected: stored once."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await bob.open(room)
    await ada.open(room)
    await ada.line.cut()
    await ada.say("kept on this device")
    await ada.page.reload()
    await expect(ada.page.locator('.message[data-state="pending"]')).to_have_count(1)
    ada.line.mend()
    await ada.retry_now()
    await ada.sees("kept on this device")
    await bob.sees("kept on this device")
    await ada.page.reload()
    await ada.sees("kept on this device")


async def test_a_refused_message_says_why_and_is_retried_in_place(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Retry, by keyboard alone, succeeds in the same element."""
    ada = await arrive(lasting, "Ada")
    await ada.open(room)
    await ada.say("first")
    await ada.sees("first")
    ada.line.refusals = [{"code": 107, "message": "bad request: not today"}]
    await ada.say("second")
    failed = ada.page.locator('.message[data-state="failed"]')
    await expect(failed).to_contain_text("Not sent: not today")
    await failed.evaluate("row => { row.witness = true; }")
    await ada.page.locator("#timeline").focus()
    await ada.page.keyboard.press("Tab")
    await expect(failed.get_by_role("button", name="Retry")).to_be_focused()
    await ada.page.keyboard.press("Enter")
    await ada.sees("first", "second")
    assert await ada.rows.last.evaluate("row => row.witness")


async def test_a_refused_message_can_be_discarded(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """It goes, also from the device; the focus goes back to where one writes."""
    ada = await arrive(lasting, "Ada")
    await ada.open(room)
    ada.line.refusals = [{"code": 107, "message": "bad request: not today"}]
    await ada.say("never mind")
    await ada.page.get_by_role("button", name="Discard").click()
    await expect(ada.rows).to_have_count(0)
    await expect(ada.field).to_be_focused()
    await ada.page.reload()
    await expect(ada.page.locator("#empty")).to_be_visible()


@pytest.mark.long
async def test_who_was_away_sees_exactly_what_the_others_see(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """200 messages while B had no connection: the same list, and where it began."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await say_all(lasting, room, [f"before {number}" for number in range(20)])
    await ada.open(room)
    await bob.open(room)
    await bob.line.cut()
    await bob.say("mine, meanwhile")
    await say_all(lasting, room, [f"missed {number}" for number in range(200)])
    await expect(ada.rows).to_have_count(220)
    bob.line.mend()
    await bob.retry_now()
    away = bob.page.locator(".line--away")
    await expect(away).to_have_text("200 messages while you were away")
    await expect(away).to_be_in_viewport()
    await expect(ada.rows).to_have_count(221)
    await expect(bob.page.locator(".message[data-state]")).to_have_count(0)
    assert await bob.texts() == await ada.texts()
    assert (await bob.texts())[-1] == "mine, meanwhile"


@pytest.mark.long
async def test_scrolling_back_moves_no_line_and_keeps_the_page_small(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Through 500 messages to the first: each line stays put, at most 400 are there."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, room, [f"line {number} " * 9 for number in range(500)])
    await ada.open(room)
    await expect(ada.rows).to_have_count(50)
    moved = await ada.page.evaluate(
        """async () => {
          const view = document.querySelector("#timeline");
          const list = document.querySelector("#messages");
          const frame = () => new Promise(requestAnimationFrame);
          let moved = 0;
          const isAtStart = () => !document.querySelector("#beginning").hidden;
          for (let turn = 0; turn < 400 && !isAtStart(); turn++) {
            view.scrollTop = Math.max(300, view.scrollTop - 700);
            await frame();
            const top = view.getBoundingClientRect().top;
            const line = [...list.querySelectorAll(".message")]
              .find((row) => row.getBoundingClientRect().top > top);
            const before = line.getBoundingClientRect().top;
            const firstRow = list.firstElementChild;
            const hasCome = () => list.firstElementChild !== firstRow;
            for (let wait = 0; wait < 20 && !hasCome(); wait++) await frame();
            const after = line.getBoundingClientRect().top;
            moved = Math.max(moved, Math.abs(after - before));
          }
          return { moved, isAtStart: isAtStart() };
        }"""
    )
    assert moved["isAtStart"]
    assert moved["moved"] < 2
    assert await ada.rows.count() <= 400
    assert (await ada.texts())[0].startswith("line 0 ")
    await say_all(lasting, room, ["the newest"])
    jump = ada.page.locator("#jump")
    await expect(jump).to_have_text("1 new")
    await jump.click()
    newest = ada.rows.last.locator(".message__body")
    await expect(newest).to_have_text("the newest")
    await expect(newest).to_be_in_viewport()
    await expect(jump).to_be_hidden()


async def test_a_new_message_does_not_move_who_reads_the_past(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Scrolled up: a button counts what is new. At the end, the view stays there."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, room, [f"line {number}" for number in range(50)])
    await ada.open(room)
    view = ada.page.locator("#timeline")
    await view.evaluate("view => { view.scrollTop = 100; }")
    jump = ada.page.locator("#jump")
    await expect(jump).to_be_visible()
    await expect(jump).to_have_text("Newest")
    before = await view.evaluate("view => view.scrollTop")
    await say_all(lasting, room, ["new one", "new two", "new three"])
    await expect(jump).to_have_text("3 new")
    assert await view.evaluate("view => view.scrollTop") == before
    await jump.click()
    await expect(jump).to_be_hidden()
    await say_all(lasting, room, ["and one more"])
    last = ada.rows.last.locator(".message__body")
    await expect(last).to_have_text("and one more")
    await expect(last).to_be_in_viewport()


@pytest.mark.long
async def test_a_server_that_forgot_the_room_takes_nothing_of_ones_own(
    arrive: Arrive, room: str
) -> None:
    """A memory server starts anew: its list is shown, and what was pending is sent."""
    with ServerProcess() as server:
        ada = await arrive(server, "Ada")
        await ada.open(room)
        await ada.say("forgotten by the server")
        await ada.sees("forgotten by the server")
        await ada.line.cut()
        await ada.say("still on its way")
        server.restart()
        await say_all(server, room, ["a new beginning"])
        ada.line.mend()
        await ada.retry_now()
        await ada.sees("a new beginning", "still on its way")


async def test_messages_are_there_before_any_socket(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """What is said between the HTML and the socket comes once, behind what is there."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, room, ["one", "two"])
    ada.line.is_cut = True
    await ada.open(room)
    await ada.sees("one", "two")
    pill = ada.page.locator("#connection")
    await expect(pill).not_to_have_attribute("data-state", "live")
    await ada.rows.first.evaluate("row => { row.witness = true; }")
    await say_all(lasting, room, ["three", "four"])
    await ada.sees("one", "two")
    ada.line.mend()
    await ada.retry_now()
    await ada.sees("one", "two", "three", "four")
    assert await ada.rows.first.evaluate("row => row.witness")
    await say_all(lasting, room, ["five"])
    await ada.sees("one", "two", "three", "four", "five")


async def test_a_slow_script_misses_and_doubles_nothing(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """The HTML is there, its script comes late, and others go on talking meanwhile."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, room, [f"before {number}" for number in range(60)])
    asked, may_come = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asked.set()
        await may_come.wait()
        await route.continue_()

    await ada.page.route("**/js/chat/page.js*", hold)
    opening = asyncio.create_task(ada.open(room))
    await asked.wait()
    await say_all(lasting, room, [f"between {number}" for number in range(60)])
    may_come.set()
    await opening
    await expect(ada.page.locator("#connection")).to_have_attribute(
        "data-state", "live"
    )
    await expect(ada.rows.last.locator(".message__body")).to_have_text("between 59")
    wanted = [f"before {number}" for number in range(10, 60)]
    wanted += [f"between {number}" for number in range(60)]
    assert (await ada.texts())[-110:] == wanted


@pytest.mark.parametrize("kept", [("before",), ()], ids=["store", "memory"])
async def test_a_server_that_restarts_behind_its_page_is_resumed_or_begun_anew(
    arrive: Arrive, room: str, tmp_path: Path, kept: tuple[str, ...]
) -> None:
    """With a store the page goes on from its HTML; a server that forgot begins anew."""
    with ServerProcess(tmp_path / "data" if kept else None) as server:
        ada = await arrive(server, "Ada")
        await say_all(server, room, ["before"])
        ada.line.is_cut = True
        await ada.open(room)
        await ada.sees("before")
        server.restart()
        await say_all(server, room, ["after"])
        ada.line.mend()
        await ada.retry_now()
        await ada.sees(*kept, "after")
        await say_all(server, room, ["and on"])
        await ada.sees(*kept, "after", "and on")


async def test_a_tall_page_asks_for_older_messages_once_it_can(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """What came with the HTML does not fill it, and it cannot be scrolled."""
    ada = await arrive(lasting, "Ada", size=(1280, 4000))
    await say_all(lasting, room, [f"line {number}" for number in range(70)])
    ada.line.is_cut = True
    await ada.open(room)
    await expect(ada.rows).to_have_count(50)
    ada.line.mend()
    await ada.retry_now()
    await expect(ada.rows).to_have_count(70)
    assert await ada.texts() == [f"line {number}" for number in range(70)]
    await expect(ada.page.locator("#beginning")).to_be_visible()


async def test_who_comes_back_sees_what_is_true_now(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """By the browser's back and by the page's own: never the HTML's old past as new."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, f"{room}-b", ["elsewhere"])
    await say_all(lasting, room, ["one"])
    await ada.open(room)
    await ada.page.goto(f"{lasting.url}/ticker")
    await say_all(lasting, room, ["two"])
    await ada.page.go_back()
    await ada.sees("one", "two")
    await ada.page.locator(f'[data-room="{room}-b"]').click()
    await ada.sees("elsewhere")
    await say_all(lasting, room, ["three"])
    await ada.page.go_back()
    await ada.sees("one", "two", "three")


@pytest.mark.parametrize("size", [(1280, 800), (360, 640)])
async def test_without_javascript_a_room_can_be_read(
    lasting: ServerProcess, browser: Browser, room: str, size: tuple[int, int]
) -> None:
    """Names and texts, no skeleton that waits for ever, and nothing to write in."""
    texts = ["<b>bold</b> & more", "مرحبا بالجميع", "w" * 300]
    await say_all(lasting, room, texts)
    width, height = size
    context = await browser.new_context(
        java_script_enabled=False, viewport={"width": width, "height": height}
    )
    page = await context.new_page()
    await page.goto(f"{lasting.url}/chat/{room}")
    rows = page.locator("noscript .message")
    await expect(rows.locator(".message__body")).to_have_text(texts)
    await expect(rows.first.locator(".message__author")).not_to_be_empty()
    await expect(rows.first).to_be_in_viewport()
    await expect(page.locator("#loading")).to_be_hidden()
    await expect(page.locator("#composer")).to_be_hidden()
    await context.close()


LONG_WORD = "w" * 4000
ZALGO = "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334" * 300
HOSTILE = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg onload=window.pwned=1>",
    "<svg><script>window.pwned=1</script></svg>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<body onload=window.pwned=1>",
    "<input autofocus onfocus=window.pwned=1>",
    "<details open ontoggle=window.pwned=1>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=1>",
    "<style>* { display: none }</style>",
    "<link rel=stylesheet href=//a.example/x.css>",
    "<base href=//a.example/>",
    "<meta http-equiv=refresh content='0;url=//a.example'>",
    "<form action=//a.example><button>go</button></form>",
    "<a href='javascript:window.pwned=1'>a</a>",
    "[a](javascript:window.pwned=1)",
    "[a](JAVASCRIPT:window.pwned=1)",
    "[a](java&#115;cript:window.pwned=1)",
    "[a](&#x6A;avascript:window.pwned=1)",
    "[a](data:text/html,<script>window.pwned=1</script>)",
    "[a](vbscript:window.pwned=1)",
    "[a](file:///etc/passwd)",
    "[a](//a.example/x)",
    "[a](<javascript:window.pwned=1>)",
    "![a](https://a.example/x.png)",
    "![a](x onerror=window.pwned=1)",
    "<javascript:window.pwned=1>",
    '[a](https://a.example/"onmouseover="window.pwned=1)',
    '```"><img src=x onerror=window.pwned=1>\nx\n```',
    "`<img src=x onerror=window.pwned=1>`",
    "**_~~`a`~~_** > # - 1. [**a _b_**](https://a.example/_c_)",
    "> " * 60 + "deep",
    "\n".join("  " * depth + "- deep" for depth in range(40)),
    "*" * 2000 + "a" + "*" * 1999,
    "\u202egnp.exe \u2066\u2067\u202d\u2068 after",
    LONG_WORD,
    "`" + "w" * 3998 + "`",
    "https://a.example/" + "w" * 3900,
    ZALGO[:3900],
    "|" + "a|" * 40 + "\n|" + "-|" * 40 + "\n|" + "wide|" * 40,
]


@pytest.mark.parametrize("size", [(1280, 800), (360, 640)])
async def test_nothing_that_is_said_harms_the_page(
    lasting: ServerProcess, arrive: Arrive, room: str, size: tuple[int, int]
) -> None:
    """Forty hostile messages: no script, no complaint of the policy, no wide page."""
    ada = await arrive(lasting, "Ada", size=size)
    assert len(HOSTILE) == 40
    await say_all(lasting, room, HOSTILE)
    await ada.open(room)
    await say_all(lasting, room, ["the last one"])
    await expect(ada.rows).to_have_count(41)
    found = await ada.page.evaluate(
        """() => ({
          pwned: window.pwned ?? null,
          pageWidth: document.documentElement.scrollWidth - innerWidth,
          viewWidth: (view => view.scrollWidth - view.clientWidth)(
            document.querySelector("#timeline")),
          links: [...document.querySelectorAll("#messages a")]
            .map((link) => link.protocol).filter((name) => !/^https?:$/.test(name)),
          strangers: document.querySelectorAll("#messages :is(script, style, img, svg "
            + "script, iframe, form, input, link, meta, base, details, [onerror], "
            + "[onload])").length,
          overlap: [...document.querySelectorAll("#messages .message")]
            .some((row, at, all) => at > 0 && row.getBoundingClientRect().top
              < all[at - 1].getBoundingClientRect().bottom - 1),
        })"""
    )
    assert found == {
        "pwned": None,
        "pageWidth": 0,
        "viewWidth": 0,
        "links": [],
        "strangers": 0,
        "overlap": False,
    }
    await ada.rows.locator("a").first.focus()


async def test_html_that_the_server_should_never_send_is_dropped(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """The page's own list holds, were the server's sanitiser at fault."""
    ada = await arrive(lasting, "Ada")
    # The browser's parser tells what it would not have run, though it runs nothing.
    ada.tolerated = ("policy:", "Content Security Policy")
    await ada.open(room)
    found = await ada.page.evaluate(
        """async () => {
          const { messageNodes } = await import("/static/js/chat/message-html.js");
          const holder = document.createElement("div");
          holder.append(messageNodes(`<p dir="auto" class="x" onclick="pwned=1" dir="x">
            a<img src=x onerror=pwned=1><script>pwned=1</scr` + `ipt>
            <a href="javascript:pwned=1" title="t">b</a><a href="https://c/" id=d>e</a>
            <svg><p>f</p></svg><style>g</style><pre tabindex="1">h</pre></p>
            <ol start="x"><li value=3>i</ol>${"<em>".repeat(90)}`));
          document.body.append(holder);
          const html = holder.innerHTML.replace(/\\s+/g, " ");
          holder.remove();
          return html;
        }"""
    )
    link = 'target="_blank" rel="noopener noreferrer nofollow"'
    assert found.startswith(
        f'<p dir="auto"> a <a title="t" {link}>b</a><a href="https://c/" {link}>e</a> '
    )
    assert "<pre>h</pre>" in found
    assert "<ol><li>i" in found
    assert found.count("<em>") < 90


async def test_a_message_has_at_most_4000_characters(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """The field says how much is left, and sends no more than may be sent."""
    ada = await arrive(lasting, "Ada")
    await ada.open(room)
    counter = ada.page.locator("#composer-counter")
    await ada.field.fill("\N{GRINNING FACE}" * 3700)
    await expect(counter).to_have_text("300 left")
    await ada.say("w" * 10_000)
    await expect(counter).to_have_text("6,000 characters too many")
    await expect(ada.field).to_have_attribute("aria-invalid", "true")
    await expect(ada.rows).to_have_count(0)
    await ada.say("w" * 4000)
    await ada.sees("w" * 4000)


async def test_typing_is_shown_and_goes(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """With the message at once, without one within 6 s; never to oneself."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await bob.page.clock.install()
    await ada.open(room)
    await bob.open(room)
    typing = bob.page.locator("#typing")
    await ada.field.press_sequentially("hm")
    await expect(typing).to_have_text("Ada is typing…")
    await ada.field.press("Enter")
    await bob.sees("hm")
    await expect(typing).to_be_empty()
    await ada.field.press_sequentially("again")
    await expect(typing).to_have_text("Ada is typing…")
    await expect(ada.page.locator("#typing")).to_be_empty()
    await bob.page.clock.fast_forward(6000)
    await expect(typing).to_be_empty()


async def test_two_tabs_of_one_person_are_one_person(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Oneself first; another's two tabs count one, and who goes falls with the last."""
    zoe, bob = await arrive(lasting, "Zoe"), await arrive(lasting, "Bob")
    await zoe.open(room)
    await bob.open(room)
    other = await bob.second_tab()
    await other.open(room)
    people = zoe.page.locator("#people-list li .person__name")
    await expect(people).to_have_text(["Zoe", "Bob"])
    await expect(zoe.page.locator("#people-count")).to_have_text("2")
    await other.say("from the second tab")
    await zoe.sees("from the second tab")
    await bob.sees("from the second tab")
    await bob.page.close()
    await other.say("still here")
    await zoe.sees("from the second tab", "still here")
    await expect(people).to_have_text(["Zoe", "Bob"])
    await other.page.close()
    await expect(people).to_have_text(["Zoe"])


async def test_the_whole_flow_needs_no_mouse(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Write two lines, send, go to another room, come back, scroll by keys."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, room, [f"line {number}" for number in range(49)])
    await ada.open(room)
    keys = ada.page.keyboard
    await expect(ada.field).to_be_focused()
    await keys.type("two")
    await keys.press("Shift+Enter")
    await keys.type("lines")
    await keys.press("Enter")
    await expect(ada.rows).to_have_count(50)
    await expect(ada.rows.last.locator("br")).to_have_count(1)
    await ada.page.locator("#go-to-room-name").focus()
    await keys.type(f"{room} Café!")
    hint = ada.page.locator("#go-to-room-hint")
    await expect(hint).to_have_text(f"Opens {room}-cafe")
    await keys.press("Enter")
    await expect(ada.page.locator("#page-title")).to_have_text(f"{room}-cafe")
    await expect(ada.page).to_have_url(f"{lasting.url}/chat/{room}-cafe")
    await expect(ada.page.locator("#empty")).to_be_visible()
    await expect(ada.field).to_be_focused()
    await keys.type("a draft")
    await ada.page.go_back()
    await expect(ada.page.locator("#page-title")).to_have_text(room)
    await expect(ada.rows).to_have_count(50)
    await expect(ada.field).to_have_value("")
    await ada.page.locator("#timeline").focus()
    await keys.press("Home")
    await expect(ada.rows.first).to_be_in_viewport()
    await ada.page.go_forward()
    await expect(ada.field).to_have_value("a draft")


async def test_a_room_with_something_new_has_a_dot(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """It comes when somebody speaks there, and goes when one has been there."""
    ada = await arrive(lasting, "Ada")
    await say_all(lasting, f"{room}-other", ["old"])
    await ada.open(room)
    other = ada.page.locator(f'[data-room="{room}-other"]')
    await expect(other).to_contain_text("old")
    await expect(other.locator(".room__dot")).to_have_count(0)
    await say_all(lasting, f"{room}-other", ["something new"])
    await expect(other).to_contain_text("something new")
    await expect(other.locator(".room__dot")).to_have_count(1)
    await other.click()
    await ada.sees("old", "something new")
    await expect(other.locator(".room__dot")).to_have_count(0)
    await ada.page.reload()
    await expect(other).to_contain_text("something new")
    await expect(other.locator(".room__dot")).to_have_count(0)


@pytest.mark.long
async def test_a_new_name_is_what_others_read_from_then_on(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Renamed in the page: the next message, and the list of people, have the name."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await ada.open(room)
    await bob.open(room)
    await ada.say("as Ada")
    await ada.page.locator("#who").click()
    await ada.page.locator("#name-input").fill("Countess")
    await ada.page.keyboard.press("Enter")
    people = bob.page.locator("#people-list li .person__name")
    await expect(people).to_have_text(["Bob", "Countess"])
    await ada.say("as Countess")
    await bob.sees("as Ada", "as Countess")
    authors = bob.rows.locator(".message__author")
    await expect(authors).to_have_text(["Ada", "Countess"])


async def test_a_phone_shows_one_thing_at_a_time(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """At 360 px: no sideways scroll, rooms in one tap, and choosing one closes them."""
    ada = await arrive(lasting, "W" * 40, size=(360, 640))
    await say_all(lasting, f"{room}-b", ["hello"])
    await ada.open(room)
    await ada.say("مرحبا بالجميع 上海 " + "w" * 200)
    await expect(ada.page.locator(".message[data-state]")).to_have_count(0)
    wide = "() => document.documentElement.scrollWidth > innerWidth"
    assert not await ada.page.evaluate(wide)
    rooms = ada.page.locator("#rooms")
    await expect(rooms).to_be_hidden()
    await ada.page.locator("[data-pane-toggle=start]").click()
    await rooms.locator(f'[data-room="{room}-b"]').click()
    await expect(rooms).to_be_hidden()
    await ada.sees("hello")
    await expect(ada.field).to_be_in_viewport()
    assert not await ada.page.evaluate(wide)


async def test_enter_that_chooses_a_syllable_sends_nothing(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """Chinese, Japanese and Korean are composed: Enter belongs to that first."""
    ada = await arrive(lasting, "Ada")
    await ada.open(room)
    await ada.field.fill("shanghai")
    composing = {"key": "Enter", "isComposing": True, "bubbles": True}
    await ada.field.dispatch_event("keydown", composing)
    await expect(ada.field).to_have_value("shanghai")
    await expect(ada.rows).to_have_count(0)
    await ada.field.press("Enter")
    await ada.sees("shanghai")
