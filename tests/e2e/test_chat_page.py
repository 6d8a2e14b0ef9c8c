"""The chat page in real browsers: each message once, in one order, whatever happens."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect

from tests.machine import CHROMIUM_FLAGS, chromium

from .chatter import WITHIN_MS, Chatter, say_all
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    Arrive = Callable[..., Awaitable[Chatter]]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """This machine's Chromium."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(
            executable_path=chromium(), args=list(CHROMIUM_FLAGS)
        )
        yield found
        await found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def arrive(browser: Browser) -> AsyncIterator[Arrive]:
    """Bring people; at the end they go, and none may have heard a complaint."""
    there: list[Chatter] = []

    async def come(server: ServerProcess, name: str, **more: tuple[int, int]) -> Chatter:
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
    await banner.locator("[data-retry]").click()
    await ada.sees("before", "one", "two", "three")
    await bob.sees("before", "one", "two", "three")
    await expect(banner).to_be_hidden()


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


async def test_who_was_away_sees_exactly_what_the_others_see(
    lasting: ServerProcess, arrive: Arrive, room: str
) -> None:
    """200 messages while B had no connection: the same list, and a line where it began."""
    ada, bob = await arrive(lasting, "Ada"), await arrive(lasting, "Bob")
    await say_all(lasting, room, [f"before {number}" for number in range(20)])
    await ada.open(room)
    await bob.open(room)
    await bob.line.cut()
    await bob.say("mine, meanwhile")
    await say_all(lasting, room, [f"missed {number}" for number in range(200)])
    await expect(ada.rows).to_have_count(220, timeout=WITHIN_MS)
    bob.line.mend()
    await bob.page.locator("#absence [data-retry]").click()
    away = bob.page.locator(".line--away")
    await expect(away).to_have_text("200 messages while you were away")
    await expect(away).to_be_in_viewport()
    await expect(ada.rows).to_have_count(221, timeout=WITHIN_MS)
    await expect(bob.page.locator(".message[data-state]")).to_have_count(0)
    assert await bob.texts() == await ada.texts()
    assert (await bob.texts())[-1] == "mine, meanwhile"


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
            for (let wait = 0; wait < 20 && list.firstElementChild === firstRow; wait++) {
              await frame();
            }
            moved = Math.max(moved, Math.abs(line.getBoundingClientRect().top - before));
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
    await expect(ada.rows.last).to_have_text("the newest", use_inner_text=True)
    await expect(ada.rows.last).to_be_in_viewport()
    await expect(jump).to_be_hidden()
