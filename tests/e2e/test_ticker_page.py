"""The ticker's page in a real browser, before a real server process."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import aiohttp
import pytest
from playwright.async_api import Browser, Page, Route, ViewportSize

from tests.e2e import server_process
from tests.e2e.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

DESK = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=360, height=640)
SYMBOLS = 20
SLOW_HZ = "1"
"""So slow that pages and the server can be compared between two updates."""

# The library with its `createChart` watched: a test sees what was really plotted.
WATCHED_LIBRARY = """
import * as library from "./charts.js?unwatched";
export * from "./charts.js?unwatched";
globalThis.charts = [];
export function createChart(...given) {
  const chart = library.createChart(...given);
  const seen = { chart, series: [] };
  globalThis.charts.push(seen);
  return new Proxy(chart, { get(target, name) {
    if (name !== "addSeries") return Reflect.get(target, name).bind(target);
    return (...asked) => {
      const series = target.addSeries(...asked);
      seen.series.push(series);
      return series;
    };
  } });
}
"""
PLOTTED = """() => {
  const [candles, volumes] = globalThis.charts[0].series;
  const sizes = volumes.data();
  return candles.data().map(({ time, open, high, low, close }, at) =>
    [time * 1000, open, high, low, close, sizes[at].value]);
}"""
PRICES = """() => Object.fromEntries([...document.querySelectorAll("tr[data-symbol]")]
  .map((row) => [row.dataset.symbol, row.cells[2].textContent.trim()]))"""
SWITCH = """async () => {
  const rows = document.querySelectorAll("tr[data-symbol]");
  for (let at = 0; at < 20; at += 1) {
    rows[(at * 7) % rows.length].click();
    const key = at % 4 < 2 ? "]" : "[";
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    // Now before the answer came, now after it.
    await new Promise((resolve) => setTimeout(resolve, (at % 3) * 60));
  }
}"""
ORDER = """() => [...document.querySelectorAll("tr[data-symbol]:not([hidden])")]
  .map((row) => row.dataset.symbol)"""


class Options(TypedDict, total=False):
    """What a browser context may be told, of what these tests tell it."""

    color_scheme: Literal["light", "dark"]
    has_touch: bool
    reduced_motion: Literal["reduce", "no-preference"]
    viewport: ViewportSize


@dataclass
class Visit:
    """A page, and what its console said in red."""

    page: Page
    faults: list[str] = field(default_factory=list)

    async def prices(self) -> dict[str, str]:
        """What the table shows, by symbol."""
        found: dict[str, str] = await self.page.evaluate(PRICES)
        return found

    async def bars(self) -> list[list[float]]:
        """What the chart has plotted."""
        found: list[list[float]] = await self.page.evaluate(PLOTTED)
        return found

    async def ready(self) -> None:
        """Wait until the table and the chart are there."""
        await self.page.wait_for_selector("tr[data-symbol]")
        await self.page.wait_for_selector("#plot:not([aria-busy]) canvas")


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server whose market moves once a second."""
    with ServerProcess(None, "--market-hz", SLOW_HZ) as running:
        yield running


@asynccontextmanager
async def visit(
    browser: Browser, url: str, *, query: str = "", **options: Unpack[Options]
) -> AsyncIterator[Visit]:
    """Open the ticker in a browser of its own, with its own cookies."""
    asked: Options = {"viewport": DESK, **options}
    context = await browser.new_context(**asked)
    page = await context.new_page()
    seen = Visit(page)

    async def watch(route: Route) -> None:
        if "unwatched" in route.request.url:
            await route.continue_()
        else:
            kind = "text/javascript"
            await route.fulfill(body=WATCHED_LIBRARY, content_type=kind)

    await page.route("**/static/vendor/charts.js*", watch)
    page.on("pageerror", lambda error: seen.faults.append(error.message))
    page.on(
        "console",
        lambda said: seen.faults.append(said.text) if said.type == "error" else None,
    )
    await page.goto(f"{url}/ticker{query}")
    try:
        yield seen
    finally:
        await context.close()


async def told(url: str, channel: str) -> dict[str, Any]:
    """The state that a joiner gets now."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{url}/ws") as ws,
    ):
        await ws.send_json({"type": "subscribe", "id": 1, "channel": channel})
        state: dict[str, Any] = (await ws.receive_json())["state"]
        return state


def scaled(bars: list[list[int]], tick: float) -> list[list[float]]:
    """The server's bars as a plot has them: prices as numbers, no count of trades."""
    return [
        [bar[0], *(round(price * tick, 3) for price in bar[1:5]), bar[5]]
        for bar in bars
    ]


async def agree(visit: Visit, url: str, symbol: str, interval: str) -> None:
    """Wait for a moment in which the chart has exactly the server's bars."""
    plotted: list[list[float]] = []
    expected: list[list[float]] = []
    for _ in range(40):
        state = await told(url, f"ticker:{symbol}")
        expected = scaled(state["bars"][interval], float(state["tick"]))
        plotted = await visit.bars()
        if plotted == expected:
            return
        await asyncio.sleep(0.15)
    assert plotted == expected


async def test_prices_move_on_two_pages_alike(
    server: ServerProcess, browser: Browser
) -> None:
    """Two strangers see the same twenty prices, and they move."""
    async with visit(browser, server.url) as one, visit(browser, server.url) as two:
        await one.ready()
        await two.ready()
        first = await one.prices()
        assert len(first) == SYMBOLS
        moved = f"(before) => JSON.stringify(({PRICES})()) !== before"
        before = json.dumps(first, separators=(",", ":"), ensure_ascii=False)
        await one.page.wait_for_function(moved, arg=before)
        await two.page.wait_for_function(moved, arg=before)
        for _ in range(40):
            left, right = await one.prices(), await two.prices()
            if left == right:
                break
            await asyncio.sleep(0.15)
        assert left == right != first
        assert one.faults + two.faults == []


async def test_the_chart_has_the_servers_bars(
    server: ServerProcess, browser: Browser
) -> None:
    """The past joins the present: every bar and volume is there once, and right."""
    async with visit(browser, server.url, query="?symbol=FJRD&interval=5s") as seen:
        await seen.ready()
        await agree(seen, server.url, "FJRD", "5s")
        before = len(await seen.bars())
        # Over the end of a bar: the open one is closed, and the next one begins.
        await seen.page.wait_for_function(
            "(count) => globalThis.charts[0].series[0].data().length > count",
            arg=before,
        )
        await agree(seen, server.url, "FJRD", "5s")
        assert seen.faults == []


@pytest.mark.long
async def test_switching_leaves_nothing_behind(
    server: ServerProcess, browser: Browser
) -> None:
    """After twenty switches the one chart has the last symbol's bars alone."""
    async with visit(browser, server.url) as seen:
        await seen.ready()
        await seen.page.evaluate(SWITCH)
        await seen.page.click("tr[data-symbol=QUIL]")
        await seen.page.check("input[value='5m']", force=True)
        await seen.page.wait_for_selector("#plot:not([aria-busy])")
        await agree(seen, server.url, "QUIL", "5m")
        assert await seen.page.evaluate("globalThis.charts.length") == 1
        assert seen.page.url.endswith("?symbol=QUIL&interval=5m")
        assert await seen.page.inner_text("#quoted-symbol") == "QUIL"
        assert seen.faults == []


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_lost_server_makes_prices_old_and_its_return_makes_them_new(
    browser: Browser,
) -> None:
    """Dimmed, with their age; then live again, of the new server, without a reload."""
    with ServerProcess() as server:
        async with visit(browser, server.url) as seen:
            await seen.ready()
            assert await seen.page.is_hidden("#freshness")
            server.kill()
            await seen.page.wait_for_selector("#freshness:has-text('1 s old')")
            dimmed = "#prices-body.is-stale, #plot-canvas.is-stale"
            assert await seen.page.locator(dimmed).count() == 2
            await seen.page.wait_for_selector("#connection[data-state=reconnecting]")
            await seen.page.wait_for_selector("#freshness:has-text('3 s old')")
            shown = await seen.prices()
            server.start()
            # It may have come back by itself just now; then this does nothing.
            await seen.page.locator(".pill__retry").dispatch_event("click")
            await seen.page.wait_for_selector("#freshness", state="hidden")
            assert await seen.page.locator(".is-stale").count() == 0
            await agree(seen, server.url, "ACME", "1m")
            assert await seen.prices() != shown


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_a_silent_server_makes_prices_old(browser: Browser) -> None:
    """The connection stands, but nothing comes: after five seconds the page says so."""
    with ServerProcess() as server:
        async with visit(browser, server.url) as seen:
            await seen.ready()
            server.pause()
            await seen.page.wait_for_selector("#freshness:has-text('6 s old')")
            server.resume()
            await seen.page.wait_for_selector("#freshness", state="hidden")
            assert seen.faults == []


@pytest.mark.long
async def test_without_the_chart_the_table_works(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the third-party modules were not built, the page says what is missing."""
    ignored = shutil.ignore_patterns("node_modules", "vendor", "__pycache__")
    for folder in ("server", "static", "templates"):
        shutil.copytree(server_process.ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(server_process.ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(server_process, "ROOT", tmp_path)
    with ServerProcess() as server:
        async with visit(browser, server.url) as seen:
            await seen.page.wait_for_selector("tr[data-symbol]")
            notice = await seen.page.inner_text("#notices .banner:visible")
            assert "The chart is missing" in notice
            assert "The chart is missing" in await seen.page.inner_text("#plot-note")
            first = await seen.prices()
            assert len(first) == SYMBOLS
            await seen.page.click("tr[data-symbol=TARN]")
            assert await seen.page.inner_text("#quoted-symbol") == "TARN"
            await seen.page.wait_for_function(
                "(bid) => document.getElementById('quoted-bid').textContent !== bid",
                arg=await seen.page.inner_text("#quoted-bid"),
            )
            assert seen.faults == []


async def test_the_prices_are_there_before_any_socket(
    server: ServerProcess, browser: Browser
) -> None:
    """They came with the page; without a connection they are soon called old."""
    async with visit(browser, server.url) as seen:
        await seen.ready()
        await seen.page.route_web_socket("**/ws", lambda socket: socket.close())
        await seen.page.reload()
        await seen.page.wait_for_selector("tr[data-symbol=TARN]")
        prices = await seen.prices()
        assert len(prices) == SYMBOLS
        assert all(re.fullmatch(r"[\d,.]+", price) for price in prices.values())
        await seen.page.wait_for_selector("#freshness:not([hidden])")


async def test_a_chart_that_cannot_be_loaded_is_told(
    server: ServerProcess, browser: Browser
) -> None:
    """A network that fails for one file does not take the prices along."""
    async with visit(browser, server.url) as seen:
        await seen.page.route(
            "**/static/vendor/charts.js*", lambda route: route.abort()
        )
        await seen.page.reload()
        await seen.page.wait_for_selector("#plot-note:has-text('could not be loaded')")
        await seen.page.wait_for_selector("tr[data-symbol]")
        assert len(await seen.prices()) == SYMBOLS


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_scrolls_only_downwards(
    server: ServerProcess, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    """At 360 px nothing is cut off, and a tapped symbol comes into view."""
    async with visit(
        browser, server.url, viewport=PHONE, color_scheme=scheme, has_touch=True
    ) as seen:
        await seen.ready()
        inside = "(element) => element.scrollWidth <= element.clientWidth"
        for selector in ("html", "#main", "#ticker", ".ticker__scroll"):
            assert await seen.page.locator(selector).evaluate(inside), selector
        await seen.page.tap("tr[data-symbol=TARN]")
        assert await seen.page.inner_text("#quoted-symbol") == "TARN"
        assert (
            await seen.page.evaluate("document.getElementById('ticker').scrollTop") == 0
        )
        await agree(seen, server.url, "TARN", "1m")
        assert seen.faults == []


async def test_all_of_it_by_keyboard(server: ServerProcess, browser: Browser) -> None:
    """`/` filters, arrows walk, Enter opens, `[` and `]` change the bars."""
    async with visit(browser, server.url) as seen:
        await seen.ready()
        keys = seen.page.keyboard
        await keys.press("/")
        await keys.type("energy")
        assert await seen.page.evaluate(ORDER) == ["DUNA", "EMBR", "PYLO"]
        await keys.press("ArrowDown")
        await keys.press("ArrowDown")
        await keys.press("Enter")
        assert await seen.page.inner_text("#quoted-symbol") == "EMBR"
        selected = "tr[aria-selected=true]"
        assert await seen.page.get_attribute(selected, "data-symbol") == "EMBR"
        await keys.press("]")
        assert await seen.page.is_checked("input[value='5m']")
        for _ in range(3):
            await keys.press("[")
        assert await seen.page.is_checked("input[value='5s']")
        assert seen.page.url.endswith("?symbol=EMBR&interval=5s")
        await keys.press("/")
        await keys.press("Escape")
        assert len(await seen.page.evaluate(ORDER)) == SYMBOLS
        await keys.type("zzz")
        assert await seen.page.is_visible("#no-match")
        assert seen.faults == []


async def test_the_table_sorts_by_any_column(
    server: ServerProcess, browser: Browser
) -> None:
    """Numbers begin with the highest, words with the first; a second press turns it."""
    async with visit(browser, server.url) as seen:
        await seen.ready()
        symbols = await seen.page.evaluate(ORDER)
        await seen.page.click("[data-sort=last]")
        order = await seen.page.evaluate(ORDER)
        assert (order[0], order[-1]) == ("FJRD", "QUIL")
        await seen.page.click("[data-sort=last]")
        assert (await seen.page.evaluate(ORDER))[0] == "QUIL"
        sorted_by = "th[aria-sort=ascending] [data-sort=last]"
        assert await seen.page.locator(sorted_by).count() == 1
        await seen.page.click("[data-sort=symbol]")
        assert await seen.page.evaluate(ORDER) == symbols


async def test_a_hidden_page_paints_nothing_and_comes_back_current(
    server: ServerProcess, browser: Browser
) -> None:
    """No film of what was missed: the first frame after it shows the newest prices."""
    async with visit(browser, server.url, query="?symbol=HUBB&interval=5s") as seen:
        await seen.ready()
        await seen.page.evaluate("""() => {
            globalThis.isHidden = true;
            const get = () => globalThis.isHidden;
            Object.defineProperty(document, "hidden", { get });
            document.dispatchEvent(new Event("visibilitychange"));
        }""")
        await asyncio.sleep(0.1)
        before, bars = await seen.prices(), await seen.bars()
        await asyncio.sleep(2.5)
        assert (await seen.prices(), await seen.bars()) == (before, bars)
        await seen.page.evaluate("""() => {
            globalThis.isHidden = false;
            document.dispatchEvent(new Event("visibilitychange"));
        }""")
        await agree(seen, server.url, "HUBB", "5s")
        assert await seen.prices() != before
        assert seen.faults == []


async def test_the_chart_follows_the_colour_scheme(
    server: ServerProcess, browser: Browser
) -> None:
    """The system goes dark in the evening, and so does the canvas."""
    ground = "() => globalThis.charts[0].chart.options().layout.background.color"
    async with visit(browser, server.url, color_scheme="light") as seen:
        await seen.ready()
        assert await seen.page.evaluate(ground) == "rgb(255, 255, 255)"
        await seen.page.emulate_media(color_scheme="dark")
        await seen.page.wait_for_function(
            f"() => ({ground})() !== 'rgb(255, 255, 255)'"
        )
        assert seen.faults == []


async def test_reduced_motion_means_no_flash(
    server: ServerProcess, browser: Browser
) -> None:
    """Nothing moves for who asked for that; for others a change fades in 400 ms."""
    lasts = """() => {
        const cell = document.querySelector("tr[data-symbol] td.number");
        cell.dataset.flash = "up";
        return getComputedStyle(cell).animationDuration;
    }"""
    async with visit(browser, server.url, reduced_motion="no-preference") as seen:
        await seen.ready()
        assert await seen.page.evaluate(lasts) == "0.4s"
        await seen.page.emulate_media(reduced_motion="reduce")
        assert await seen.page.evaluate(lasts) == "0s"


async def test_an_unknown_symbol_is_told(
    server: ServerProcess, browser: Browser
) -> None:
    """A link to what is not there opens the first symbol, and says so."""
    async with visit(browser, server.url, query="?symbol=zzzz&interval=9m") as seen:
        await seen.ready()
        await seen.page.wait_for_selector("#ticker-problem:has-text('no symbol ZZZZ')")
        assert await seen.page.inner_text("#quoted-symbol") == "ACME"
        assert await seen.page.is_checked("input[value='1m']")
        assert seen.faults == []
