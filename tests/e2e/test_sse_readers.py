"""Event streams as others read them: Chromium, and three libraries that people use.

The four disagree about nothing that we write: each yields what was sent. They come back
by themselves, or are brought back here with the id that they know.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import httpx
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from httpx_sse import aconnect_sse

from server.app import build_app
from server.gateways.sse.codec import event_lines, retry_line
from server.gateways.sse.stream import Stream
from server.keys import HUB
from server.settings import Settings
from tests.browsers import open_browser

from .lone_node import raise_lone_node
from .stock import kill, needs_npm, start_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Page

    from .lone_node import LoneNode

    Said: TypeAlias = "list[str] | str"
    """Type, data and last id of an event; or `closed`."""

ANSWER_S = 20.0
DEFAULT_RETRY_S = 2.9
"""A reader that does not obey `retry:` comes back after three seconds."""
PIECE_BYTES = 7

pytestmark = needs_npm("eventsource")

# Tells each event as a line of JSON: type, data, last id. `closed` is the end.
READER = """
import { EventSource } from "eventsource";
import { createParser } from "eventsource-parser";

const [library, url, types] = process.argv.slice(1);
const tell = (said) => process.stdout.write(JSON.stringify(said) + "\\n");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const follow = () => {
  const source = new EventSource(url);
  for (const type of JSON.parse(types)) {
    source.addEventListener(type, (e) => tell([e.type, e.data, e.lastEventId]));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) tell("closed");
  });
};

const parse = async () => {
  let [last, retry] = ["", 3000];
  const onEvent = ({ event, data, id }) => {
    last = id ?? last;
    tell([event ?? "message", data, last]);
  };
  const onRetry = (ms) => { retry = ms; };
  for (;;) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await fetch(url, { headers });
      if (answer.status === 204) break;
      const parser = createParser({ onEvent, onRetry });
      for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
        parser.feed(text);
      }
    } catch { /* it was cut */ }
    await pause(retry);
  }
  tell("closed");
};
await (library === "eventsource" ? follow() : parse());
"""

# The same in a page.
FOLLOW = """([url, types, withCredentials]) => {
  const source = window.source = new EventSource(url, { withCredentials });
  for (const type of types) {
    source.addEventListener(type, (e) => tell([e.type, e.data, e.lastEventId]));
  }
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) tell("closed");
  });
}"""


class Reader:
    """What one reader has yielded so far."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[Said] = asyncio.Queue()

    def tell(self, said: Said) -> None:
        """Note what it yields."""
        self._said.put_nowait(said)

    async def next(self, within_s: float = ANSWER_S) -> Said:
        """Wait for what it yields next."""
        async with asyncio.timeout(within_s):
            return await self._said.get()

    async def take(self, count: int) -> list[Said]:
        """Wait for so many."""
        return [await self.next() for _ in range(count)]


@asynccontextmanager
async def in_node(
    library: str, url: str, types: Sequence[str]
) -> AsyncIterator[Reader]:
    """Read by a library of npm's."""
    process = await start_node(READER, library, url, json.dumps(types))
    reader = Reader()

    async def read() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            reader.tell(msgspec.json.decode(line))

    reading = asyncio.create_task(read())
    try:
        yield reader
    finally:
        await kill(process)
        await reading


@asynccontextmanager
async def in_python(url: str) -> AsyncIterator[Reader]:
    """Read by httpx-sse."""
    reader = Reader()

    async def read() -> None:
        last, retry_ms = "", 3_000
        async with httpx.AsyncClient(timeout=None, trust_env=False) as client:  # noqa: S113 - a stream has no end
            while True:
                headers = {"Last-Event-ID": last} if last else {}
                try:
                    async with aconnect_sse(client, "GET", url, headers=headers) as got:
                        if got.response.status_code == 204:
                            break
                        async for each in got.aiter_sse():
                            last, retry_ms = each.id, each.retry or retry_ms
                            reader.tell([each.event, each.data, each.id])
                except httpx.TransportError:
                    pass
                await asyncio.sleep(retry_ms / 1_000)
        reader.tell("closed")

    reading = asyncio.create_task(read())
    try:
        yield reader
    finally:
        reading.cancel()
        await asyncio.wait([reading])


@asynccontextmanager
async def browser_page(where: str) -> AsyncIterator[tuple[Page, Reader]]:
    """A page, and what it tells."""
    async with open_browser() as browser:
        page, reader = await browser.new_page(), Reader()
        await page.expose_function("tell", reader.tell)
        await page.goto(where)
        yield page, reader


@asynccontextmanager
async def in_chromium(
    url: str, types: Sequence[str], page_path: str
) -> AsyncIterator[Reader]:
    """Read by a page's EventSource."""
    where = f"{httpx.URL(url).copy_with(path=page_path, query=None)}"
    async with browser_page(where) as (page, reader):
        await page.evaluate(FOLLOW, [url, list(types), False])
        yield reader
        await page.evaluate("source.close()")


READERS = [
    pytest.param("chromium", marks=pytest.mark.browser),
    *("eventsource", "eventsource-parser", "httpx-sse"),
]


def read_by(
    name: str, url: str, types: Sequence[str], page_path: str = "/"
) -> AbstractAsyncContextManager[Reader]:
    """Read a stream by one of the four."""
    if name == "chromium":
        return in_chromium(url, types, page_path)
    return in_python(url) if name == "httpx-sse" else in_node(name, url, types)


# What can be awkward

NASTY = [
    ("message", "line\nfeed", "1"),
    ("message", "carriage\rreturn", "2"),
    ("message", "both\r\nof them", "3"),
    ("empty", "", "4"),
    ("message", " led by a space", "5"),
    ("a:colon", "in the type", "6"),
    ("message", "é" * 3_000, "7"),
    ("message", "an empty id", ""),
    ("message", "\ufeffa byte order mark", "9"),
    ("message", "nul\0 in it", "10"),
    ("message", "u\u2028u\x85v\vend no line", "11"),
    ("message", "trailing\n", "12"),
    ("message", "\n", "13"),
    ("message", "data: x\nid: 99\nretry: 1", "14"),
    ("message", ": no comment \U0001f600", "15"),
]
AGAIN = ("message", "come back", "16")
ARRIVING = [
    [event, data.replace("\r\n", "\n").replace("\r", "\n"), last_id]
    for event, data, last_id in NASTY
]
TYPES = sorted({event for event, *_ in NASTY})


class NastyServer:
    """Sends everything that can be awkward; who comes back twice is told to stay away.

    It sends in pieces that respect neither lines nor characters.
    """

    def __init__(self) -> None:
        self.came_with: list[str | None] = []
        app = web.Application()
        app.add_routes([web.get("/", self._page), web.get("/nasty", self._nasty)])
        self.server = TestServer(app)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html>", content_type="text/html")

    async def _nasty(self, request: web.Request) -> web.StreamResponse:
        self.came_with.append(request.headers.get("Last-Event-ID"))
        sent = {1: NASTY, 2: [AGAIN]}.get(len(self.came_with))
        if sent is None:
            return web.Response(status=204)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        body = retry_line(50) + b"".join(event_lines(*each) for each in sent)
        for start in range(0, len(body), PIECE_BYTES):
            await response.write(body[start : start + PIECE_BYTES])
        return response


@pytest.mark.parametrize("name", READERS)
async def test_nasty_events_are_read_alike(name: str) -> None:
    """By each as they were sent; then it comes back in time, and stays away at 204."""
    nasty = NastyServer()
    async with nasty.server:
        url = str(nasty.server.make_url("/nasty"))
        async with read_by(name, url, TYPES) as reader:
            assert await reader.take(len(NASTY)) == ARRIVING
            assert await reader.next(DEFAULT_RETRY_S) == list(AGAIN)
            assert await reader.next() == "closed"
            await asyncio.sleep(0.3)
    assert nasty.came_with == [None, "15", "16"]


# The real route


def cut(server: LoneNode) -> None:
    """Cut the connection of the only stream, without a word."""
    (session,) = [s for s in server.hub.sessions.values() if s.gateway == "sse"]
    assert isinstance(session.wire, Stream)
    session.wire._transport.abort()  # noqa: SLF001 - as a network does it


@pytest.mark.parametrize("name", READERS)
async def test_a_reader_that_is_cut_misses_nothing(name: str) -> None:
    """It comes back with its last id: all that was said, in order, each once."""
    texts = [data for _, data, _ in NASTY]
    async with raise_lone_node() as server:
        url = f"{server.url}/sse/open:x"
        types = ["subscribed", "message"]
        async with read_by(name, url, types, "/healthz") as reader:
            await reader.next()
            heard: list[Said] = []
            for text in texts[:5]:
                await server.hub.publish("open:x", text)
            heard += await reader.take(5)
            cut(server)
            for text in texts[5:10]:
                await server.hub.publish("open:x", text)
            again = await reader.next()
            assert isinstance(again, list)
            assert json.loads(again[1])["recovered"] is True
            for text in texts[10:]:
                await server.hub.publish("open:x", text)
            heard += await reader.take(len(texts) - 5)
    words = [json.loads(said[1]) for said in heard]
    assert [each["data"] for each in words] == texts
    assert [each["position"] for each in words] == [said[2] for said in heard]


@pytest.mark.browser
async def test_a_listed_page_of_another_origin_reads_and_says() -> None:
    """Chromium lets it, after a preflight; a page that is not listed gets nothing."""
    say = """async ([url, withCredentials]) => {
      const answer = await fetch(url, {
        method: "POST",
        credentials: withCredentials ? "include" : "omit",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ data: "from afar" }),
      });
      return (await answer.json()).position;
    }"""
    friend, stranger = NastyServer(), NastyServer()
    async with friend.server, stranger.server:
        origin = str(friend.server.make_url("")).rstrip("/")
        app = build_app(Settings(allow_origin=(origin,)))
        async with TestServer(app) as server:
            url = str(server.make_url("/sse/open:x"))
            types = ["message"]
            async with browser_page(origin) as (page, reader):
                await page.evaluate(FOLLOW, [url, types, True])
                position = await page.evaluate(say, [url, True])
                heard = await reader.next()
                assert heard[2] == position
            await app[HUB].publish("open:x", "for friends")
            where = str(stranger.server.make_url("/"))
            async with browser_page(where) as (page, reader):
                await page.evaluate(FOLLOW, [url, types, False])
                assert await reader.next() == "closed"
                failed = f"{say.strip()}"
                refusal = await page.evaluate(
                    f"async (how) => ({failed})(how).catch((error) => error.name)",
                    [url, False],
                )
                assert refusal == "TypeError"
