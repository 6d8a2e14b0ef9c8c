"""The dashboard in real browsers: it is alive, and what is broken there is proved."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from msgspec import to_builtins
from playwright.async_api import expect

from server.app import build_app
from server.keys import HUB
from server.seams.backplane import Node
from server.web import whole
from server.web.assets import Assets
from server.web.figures import Figures
from server.web.whole import Card
from tests.hub.outage import cut_off, reunite

from .cluster import raise_cluster
from .onlooker import DESKTOP, PHONE, WITHIN_MS, Look, Onlooker, onlookers
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

    from server.hub.hub import Hub
    from server.model import JSON
    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

COUNTS = """() => Object.fromEntries(
    [...document.querySelectorAll("[data-count]")].map((cell) =>
        [cell.dataset.count, Number(cell.textContent.replaceAll(",", ""))]))"""
QUIET = Figures({"native": 1204}, 0, 0, 0, 0, 0, 0, 0, 0, {})
KINDS = """() => [...document.querySelectorAll("#frames .frame")]
    .map((row) => row.dataset.kind)"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One server for all tests."""
    with ServerProcess() as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def look(browser: Browser, server: ServerProcess) -> AsyncIterator[Look]:
    """Look at the dashboard; at the end no onlooker may have heard a complaint."""
    async with onlookers(browser) as come:

        async def come_here(
            query: str = "", *, url: str = server.url, **more: tuple[int, int]
        ) -> Onlooker:
            return await come(f"{url}/{query}", **more)

        yield come_here


@dataclass
class Lab:
    """*Break it* on a page."""

    onlooker: Onlooker

    async def send(self, mode: str) -> None:
        """Choose what is sent."""
        await self.onlooker.page.check(f"input[name=lab-mode][value={mode}]")

    async def press(self, name: str) -> None:
        """Press a button once it can be pressed."""
        await self.onlooker.page.click(f"[data-breaks={name}]:enabled")

    async def verdict(self, within_ms: int = 2 * WITHIN_MS) -> str:
        """Wait for what the experiment showed, and that the promises were kept."""
        verdict = self.onlooker.see("#lab-verdict")
        await expect(verdict).to_have_attribute("data-tone", "ok", timeout=within_ms)
        return await verdict.inner_text()

    async def counts(self) -> dict[str, int]:
        """Return the counters."""
        found: dict[str, int] = await self.onlooker.page.evaluate(COUNTS)
        return found

    async def kinds(self) -> list[str]:
        """Return the kinds of the drawer's rows, newest first."""
        found: list[str] = await self.onlooker.page.evaluate(KINDS)
        return found


async def test_the_numbers_live(look: Look) -> None:
    """Four numbers, their lines and the plot; another visitor is counted."""
    ada = await look()
    await expect(ada.see("#board")).to_have_attribute("data-ready", "true")
    await expect(ada.see("#plot canvas").first).to_be_visible()
    sessions = ada.see("#sessions-value")
    await expect(sessions).to_have_text(re.compile(r"^[2-9]$"))
    before = int(await sessions.inner_text())
    bob = await look()
    await expect(sessions).to_have_text(str(before + 2), timeout=WITHIN_MS)
    await expect(bob.see("#sessions-value")).to_have_text(str(before + 2))
    await expect(ada.see(".gateway__count")).to_have_text(str(before + 2))
    for name in ("sessions", "publications", "deliveries", "outbox"):
        path = ada.see(f"#{name}-plot path").last
        await expect(path).to_have_attribute("d", re.compile("^M.+L"))
    await expect(ada.see("#connection")).to_have_attribute("data-state", "live")


async def test_the_tiles_are_there_before_any_socket(look: Look) -> None:
    """Numbers, movers and activity came with the page."""
    onlooker = await look()
    await expect(onlooker.see("#board")).to_have_attribute("data-ready", "true")
    await onlooker.page.route_web_socket("**/ws", lambda socket: socket.close())
    await onlooker.page.reload()
    await expect(onlooker.see("#sessions-value")).to_have_text(re.compile(r"^\d+$"))
    await expect(onlooker.see("#movers th")).to_have_count(5)
    await expect(onlooker.see("#lines .line").first).to_be_visible()
    await expect(onlooker.see("#connection")).not_to_have_attribute(
        "data-state", "live"
    )


async def test_the_tiles_live(look: Look, server: ServerProcess) -> None:
    """A line of any room, a note's guest and the movers come by themselves."""
    ada, bob = await look(), await look()
    await expect(ada.see("#movers .change")).to_have_count(5)
    changes = await ada.see("#movers .change").all_inner_texts()
    assert all(
        re.fullmatch(r"([+\N{MINUS SIGN}]\d+|0)\.\d\d %", one) for one in changes
    )
    async with aiohttp.ClientSession() as guest:
        room = f"{server.ws_url}/ws/chat/far-away?name=Zoe"
        note = f"{server.ws_url}/ws/notes/welcome?format=json&name=Zoe"
        async with guest.ws_connect(room) as chat, guest.ws_connect(note) as notes:
            await notes.receive_json()
            await chat.send_json(
                {"type": "publish", "data": {"text": "**hi** from <b>afar</b>"}}
            )
            for onlooker in (ada, bob):
                newest = onlooker.see("#lines .line").first
                await expect(newest.locator(".line__text")).to_have_text(
                    "hi from <b>afar</b>"
                )
                await expect(newest.locator(".line__room")).to_have_text("far-away")
                await expect(newest.locator("bdi")).to_have_text("Zoe")
                face = onlooker.see('#work .avatar[aria-label="Zoe"]')
                await expect(face).to_be_visible()
                await expect(onlooker.see("#work-meta")).to_have_text("1 open")
    await expect(ada.see("#work .avatar")).to_have_count(0)


async def test_a_tile_is_a_door(look: Look) -> None:
    """The whole tile leads to its app."""
    ada = await look()
    for path in ("/chat", "/ticker", "/notes"):
        door = ada.see(f'.tile__door[href="{path}"]')
        box = await door.evaluate(
            "(door) => { const { x, y, width, height } ="
            " door.closest('.tile').getBoundingClientRect();"
            " return document.elementFromPoint(x + width / 2, y + height - 8)"
            " === door; }"
        )
        assert box, path


async def test_a_flood_comes_whole(look: Look) -> None:
    """2,000 a second for one second: as many received as were sent, and no other."""
    lab = Lab(await look("?flood=1"))
    await lab.press("flood")
    said = await lab.verdict()
    assert said.startswith("2,000 sent · 2,000 received, 0 missed, 0 doubled")
    counts = await lab.counts()
    assert (counts["received"], counts["missed"], counts["doubled"]) == (2000, 0, 0)
    kinds = await lab.kinds()
    assert len(kinds) <= 200
    assert "publication" in kinds


async def test_a_dropped_socket_recovers(look: Look) -> None:
    """Cut in the middle of a flood: what was missed is recovered, nothing doubled."""
    lab = Lab(await look())
    await lab.press("drop")
    said = await lab.verdict()
    assert said.startswith("3,000 sent · 3,000 received, 0 missed, 0 doubled")
    counts = await lab.counts()
    assert counts["recovered"] > 0
    assert (counts["missed"], counts["doubled"], counts["resets"]) == (0, 0, 0)
    kinds = await lab.kinds()
    assert "socket" in kinds
    assert "reply" in kinds


async def test_a_stalled_tab_misses_nothing(look: Look) -> None:
    """For two seconds nothing is read, and the page says so; then all is there."""
    ada = await look("?stall=2")
    lab = Lab(ada)
    await lab.press("stall")
    await expect(ada.see("#lab-status")).to_contain_text("Does not read")
    await expect(ada.see("[data-breaks=drop]")).to_be_disabled()
    said = await lab.verdict()
    assert said.startswith("1,000 sent · 1,000 received, 0 missed, 0 doubled")
    await expect(ada.see("#lab-status")).to_have_text("Reading")


@pytest.mark.long
async def test_a_stall_over_the_bound_is_cut_off_and_recovers(look: Look) -> None:
    """Ten seconds fill the outbox: closed as slow, it comes back and gets the rest."""
    ada = await look()
    lab = Lab(ada)
    await lab.press("stall")
    said = await lab.verdict(within_ms=45_000)
    assert said.startswith("5,000 sent · 5,000 received, 0 missed, 0 doubled")
    counts = await lab.counts()
    assert counts["recovered"] > 1000
    assert (counts["missed"], counts["doubled"], counts["resets"]) == (0, 0, 0)
    await expect(ada.see("[data-fact=slow]")).to_have_text(re.compile("^[1-9]"))


@pytest.mark.long
async def test_a_stalled_tab_gets_the_newest_signals(look: Look) -> None:
    """Signals that waited are merged by key, and every one is accounted for."""
    # Long enough to fill what the browser and the kernels hold on the way to the tab.
    lab = Lab(await look("?stall=8"))
    await lab.send("signals")
    await lab.press("stall")
    said = await lab.verdict()
    assert said.startswith("4,000 sent · ")
    counts = await lab.counts()
    assert counts["merged"] > 0
    assert counts["received"] + counts["merged"] == 4_000


async def test_a_new_epoch_is_told(look: Look) -> None:
    """One reset frame, and the counters say so."""
    lab = Lab(await look())
    await lab.press("epoch")
    assert await lab.verdict() == (
        "The stream is a new one. Recovered: no, and told so by one reset frame."
    )
    counts = await lab.counts()
    assert (counts["resets"], counts["recovered"]) == (1, 0)
    assert "reset" in await lab.kinds()


@pytest.mark.long
async def test_a_new_epoch_in_a_flood_loses_nothing_silently(look: Look) -> None:
    """What falls between two streams is told of, not missed."""
    lab = Lab(await look("?flood=2"))
    await lab.press("flood")
    await expect(lab.onlooker.see("[data-count=received]")).not_to_have_text("0")
    await lab.press("epoch")
    await lab.verdict()
    counts = await lab.counts()
    assert (counts["missed"], counts["doubled"], counts["resets"]) == (0, 0, 1)


@pytest.mark.long
async def test_two_tabs_have_labs_of_their_own(look: Look) -> None:
    """A flood of one is not in the other's counters, and is refused meanwhile."""
    ada = await look("?flood=2")
    other = Onlooker(ada.context, await ada.context.new_page())
    await other.page.goto(f"{ada.page.url}")
    await Lab(ada).press("flood")
    await expect(ada.see("[data-count=received]")).not_to_have_text("0")
    await Lab(other).press("flood")
    verdict = other.see("#lab-verdict")
    await expect(verdict).to_have_attribute("data-tone", "warn")
    await Lab(ada).verdict()
    assert (await Lab(other).counts())["received"] == 0


@pytest.mark.long
async def test_the_drawer_can_be_held(look: Look) -> None:
    """Paused, it stands still while the counters go on; then it shows the newest."""
    ada = await look("?flood=1")
    lab = Lab(ada)
    await expect(ada.see(".frame").first).to_be_attached()
    await ada.page.click("#frames-pause")
    held = await lab.kinds()
    await lab.press("flood")
    await lab.verdict()
    assert await lab.kinds() == held
    await ada.page.click("#frames-pause")
    await expect(ada.see(".frame[data-kind=publication]").first).to_be_attached()
    assert len(await lab.kinds()) <= 200


async def test_a_phone_has_it_all_in_its_width(look: Look) -> None:
    """At 360 px nothing is wider than the window, and the lab works."""
    ada = await look("?flood=1", size=PHONE)
    await expect(ada.see("#movers .change")).to_have_count(5)
    lab = Lab(ada)
    await lab.press("flood")
    await lab.verdict()
    assert not await ada.overflows()


@dataclass
class Fleet:
    """A server that believes in a second node."""

    url: str
    hub: Hub
    alive: bool = True
    beat: int = 0

    def nodes(self) -> list[Node]:
        """Return what lives; each call is another second of the second one."""
        self.beat += 1
        other = Card(self.beat, "far.example", 77, 5, "1", QUIET)
        own = Node(self.hub.node, self.own)
        return [own, Node("n_other123", to_builtins(other))] if self.alive else [own]

    own: JSON = None

    def describe(self, card: JSON) -> None:
        """Take the first node's card."""
        self.own = card


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """Start it; who has gone is forgotten soon."""
    monkeypatch.setattr(whole, "GONE_S", 2.0)
    app = build_app()
    found = Fleet("", app[HUB])
    monkeypatch.setattr(found.hub.backplane, "describe", found.describe)
    monkeypatch.setattr(found.hub.backplane, "nodes", found.nodes)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield found
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
async def test_several_nodes_are_shown(
    look: Look, fleet: Fleet, size: tuple[int, int]
) -> None:
    """Each with its part of the whole; who goes is called gone, then forgotten."""
    ada = await look(url=fleet.url, size=size)
    rows = ada.see("#nodes tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("n_other1")
    await expect(rows.first.locator(".node__host")).to_have_text("far.example:77")
    await expect(rows.first.locator("td").first).to_have_text("1,204")
    await expect(ada.see("#sessions-value")).to_have_text(re.compile(r"^1,20[5-9]$"))
    await expect(ada.see("#nodes-meta")).to_have_text("2 live")
    assert not await ada.overflows()
    fleet.alive = False
    await expect(rows.first).to_contain_text("gone", timeout=WITHIN_MS)
    await expect(ada.see("#nodes-meta")).to_have_text("1 live")
    await expect(ada.see("#nodes-tile")).to_be_hidden(timeout=WITHIN_MS)
    await expect(ada.see("#sessions-value")).to_have_text(re.compile(r"^[1-9]$"))
    await ada.page.close()


async def test_a_node_alone_has_no_tile(look: Look) -> None:
    """With one node the page is what it was."""
    ada = await look()
    await expect(ada.see("#board")).to_have_attribute("data-ready", "true")
    await expect(ada.see("#nodes-tile")).to_be_hidden()


async def test_an_outage_is_told(look: Look, fleet: Fleet) -> None:
    """The pill says that it is paused, and live when that is over."""
    ada = await look(url=fleet.url)
    pill = ada.see("#connection")
    await expect(pill).to_have_attribute("data-state", "live")
    await expect(ada.see("#board")).to_have_attribute("data-ready", "true")
    cut_off(fleet.hub)
    await expect(pill).to_have_attribute("data-state", "paused")
    await expect(ada.see(".pill__word")).to_have_text("Paused")
    reunite(fleet.hub)
    await expect(pill).to_have_attribute("data-state", "live")
    await ada.page.close()


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_all_nodes_show_the_same_and_outlive_one(
    look: Look, own_redis: RedisServer, postgres: Postgres
) -> None:
    """On real ones: sums, lines, faces; a node is killed, then Redis is."""
    async with raise_cluster(own_redis, postgres) as cluster:
        one, two, three = cluster.nodes
        ada, bob = await look(url=one.url), await look(url=three.url)
        for onlooker in (ada, bob):
            await expect(onlooker.see("#nodes tr")).to_have_count(3, timeout=WITHIN_MS)
            # Two sockets each.
            sessions = onlooker.see("#sessions-value")
            await expect(sessions).to_have_text("4", timeout=WITHIN_MS)
        async with aiohttp.ClientSession() as guest:
            room = f"{two.ws_url}/ws/chat/far-away?name=Zoe"
            note = f"{two.ws_url}/ws/notes/welcome?format=json&name=Zoe"
            async with guest.ws_connect(room) as chat, guest.ws_connect(note):
                await chat.send_json({"type": "publish", "data": {"text": "hi"}})
                for onlooker in (ada, bob):
                    line = onlooker.see("#lines .line__text").first
                    await expect(line).to_have_text("hi")
                    face = onlooker.see('#work .avatar[aria-label="Zoe"]')
                    await expect(face).to_be_visible()
        # The first to start leads.
        await ada.page.close()
        one.kill()
        gone = bob.see("#nodes .node--lost .badge")
        await expect(gone).to_have_text("gone", timeout=2 * WITHIN_MS)
        await expect(bob.see("#nodes tr")).to_have_count(2, timeout=2 * WITHIN_MS)
        await expect(bob.see("#sessions-value")).to_have_text("2")
        pill = bob.see("#connection")
        own_redis.kill()
        await expect(pill).to_have_attribute("data-state", "paused", timeout=WITHIN_MS)
        own_redis.start()
        await expect(pill).to_have_attribute("data-state", "live", timeout=WITHIN_MS)
        await expect(bob.see("#nodes-meta")).to_have_text("2 live", timeout=WITHIN_MS)
        await bob.page.close()


@pytest.mark.long
async def test_it_works_without_the_charts_module(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says what is missing, and the numbers work."""
    monkeypatch.setattr(Assets, "vendor", {"notes": True, "charts": False})
    runner = web.AppRunner(build_app())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ada = await look(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
        await expect(ada.see("#board")).to_have_attribute("data-ready", "true")
        await expect(ada.see("#notices .banner")).to_contain_text("The plot is missing")
        await expect(ada.see("#plot")).to_have_count(0)
        # The page goes first: it would complain of the server that went.
        await ada.page.close()
    finally:
        await runner.cleanup()
