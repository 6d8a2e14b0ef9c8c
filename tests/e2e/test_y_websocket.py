"""Stock Yjs clients on our wire: y-websocket in Node beside our page; and `kill -9`."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest
from playwright.async_api import expect

from server.gateways.yjs import codec
from tests.browsers import open_browser
from tests.gateways.note_house import Closed, Yjs

from .lone_node import raise_lone_node
from .server_process import ServerProcess
from .stock import STATIC, kill, needs_npm, start_node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.model import Standing

ANSWER_S = 20.0

needs_node = needs_npm("ws")

# A stock provider that does what lines of JSON on its standard input say. `text` waits
# until the text is as expected: what is asked is whether it comes to be.
CLIENT = """
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { WebsocketProvider } from "y-websocket";

const [url, note, name] = process.argv.slice(1);
const doc = new Y.Doc();
const text = doc.getText("content");
const options = { WebSocketPolyfill: WebSocket, maxBackoffTime: 200 };
const provider = new WebsocketProvider(url, note, doc, options);
provider.awareness.setLocalStateField("user", { name });
const complaints = [];
console.error = console.warn = (...words) => complaints.push(words.join(" "));

const until = (holds) => new Promise((resolve) => {
  const timer = setInterval(() => {
    if (holds()) { clearInterval(timer); resolve(); }
  }, 5);
});
const names = () =>
  [...provider.awareness.getStates().values()].map(({ user }) => user?.name).sort();
const acts = {
  synced: () => until(() => provider.synced),
  insert: ({ at, text: words }) => text.insert(at, words),
  delete: ({ at, length }) => text.delete(at, length),
  text: async ({ expected }) => { await until(() => String(text) === expected); },
  read: () => String(text),
  others: async ({ expected }) => {
    await until(() => JSON.stringify(names()) === JSON.stringify(expected));
  },
  names: () => names(),
  closed: () => new Promise((resolve) => provider.once("closed", resolve)),
  offline: () => provider.disconnect(),
  online: () => provider.connect(),
  complaints: () => complaints,
};
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const answer = await acts[order.act](order);
  process.stdout.write(JSON.stringify(answer ?? null) + "\\n");
}
process.exit(0);
"""


@dataclass
class NodeClient:
    """A stock y-websocket provider in a process of its own."""

    process: asyncio.subprocess.Process

    async def do(self, act: str, **how: object) -> object:
        """Have it do something, and wait until it is done."""
        order = msgspec.json.encode({"act": act, **how}) + b"\n"
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order)
        async with asyncio.timeout(ANSWER_S):
            answer = await self.process.stdout.readline()
        assert answer, f"the client died of {act}"
        found: object = msgspec.json.decode(answer)
        return found


@asynccontextmanager
async def stock(url: str, note: str, name: str) -> AsyncIterator[NodeClient]:
    """Start a stock client on a note."""
    process = await start_node(CLIENT, url, note, name)
    try:
        yield NodeClient(process)
    finally:
        await kill(process)


class TestStock:
    """y-websocket as it comes from npm."""

    pytestmark = needs_node

    async def test_an_outage_costs_it_nothing(self) -> None:
        """What it writes meanwhile is kept then; it hears no word that it lacks."""
        async with raise_lone_node() as node:
            notes = f"{node.ws_url}/ws/notes"
            async with stock(notes, "n", "A") as a, stock(notes, "n", "B") as b:
                for peer in (a, b):
                    await peer.do("synced")
                await a.do("insert", at=0, text="before ")
                await b.do("text", expected="before ")
                node.cut_off()
                await a.do("insert", at=7, text="meanwhile ")
                await asyncio.sleep(0.2)
                assert await b.do("read") == "before "
                node.reunite()
                await b.do("text", expected="before meanwhile ")
                await b.do("insert", at=17, text="after")
                await a.do("text", expected="before meanwhile after")
                for peer in (a, b):
                    assert await peer.do("complaints") == []
            assert node.opened == 2

    @pytest.mark.browser
    @pytest.mark.timeout(120)
    @pytest.mark.skipif(
        not (STATIC / "vendor" / "notes.js").exists(),
        reason="browser modules not built",
    )
    async def test_it_and_our_page_write_into_one_note(self, tmp_path: Path) -> None:
        """Both converge, emoji too; each sees the other; a late joiner sees all."""
        with ServerProcess(tmp_path / "data") as server:
            notes = f"{server.ws_url}/ws/notes"
            async with (
                open_browser() as browser,
                stock(notes, "shared", "Nodd") as peer,
            ):
                page = await browser.new_page()
                await page.goto(f"{server.url}/notes/shared")
                await page.locator(".cm-content").click()
                await page.keyboard.type("page 😀 ")
                await peer.do("text", expected="page 😀 ")
                await peer.do("insert", at=8, text="peer 🦊")
                line = page.locator(".cm-line").first
                await expect(line).to_contain_text("page 😀 peer 🦊", timeout=15_000)
                await expect(page.locator("#people .avatar")).to_have_count(1)
                async with stock(notes, "shared", "Late") as late:
                    await late.do("text", expected="page 😀 peer 🦊")
                    assert await late.do("complaints") == []
                assert await peer.do("complaints") == []

    async def test_offline_edits_meet_after_a_restart(self, tmp_path: Path) -> None:
        """Two clients, edits on both sides while the server is dead: equal after."""
        with ServerProcess(tmp_path / "data") as server:
            notes = f"{server.ws_url}/ws/notes"
            async with stock(notes, "n", "A") as a, stock(notes, "n", "B") as b:
                await a.do("insert", at=0, text="middle")
                await b.do("text", expected="middle")
                await a.do("synced")
                await asyncio.to_thread(server.kill)
                await a.do("insert", at=0, text="🦊 ")
                await b.do("insert", at=6, text=" 😀")
                await b.do("delete", at=0, length=3)
                await asyncio.to_thread(server.start)
                for client in (a, b):
                    await client.do("text", expected="🦊 dle 😀")
                async with stock(notes, "n", "C") as late:
                    await late.do("text", expected="🦊 dle 😀")

    async def test_it_sees_who_is_there_under_their_own_names(
        self, tmp_path: Path
    ) -> None:
        """All presence comes at once to a joiner; names are the server's."""
        with ServerProcess(tmp_path / "data") as server:
            notes = f"{server.ws_url}/ws/notes"
            async with stock(notes, "n", "Root") as a, stock(notes, "n", "God") as b:
                await a.do("synced")
                await b.do("synced")
                async with asyncio.timeout(ANSWER_S):
                    names = await self._names(server)
                    while len(names) < 2:
                        names = await self._names(server)
                assert not {"Root", "God"} & set(names)

    async def _names(self, server: ServerProcess) -> list[str]:
        """The names in a note, as a joiner is told."""
        async with aiohttp.ClientSession() as http:
            url = f"{server.ws_url}/ws/notes/n"
            async with http.ws_connect(url) as ws:
                await ws.send_bytes(codec.sync_step1(b"\0") + codec.saved(1))
                found: list[str] = []
                while True:
                    (message,) = codec.decode(await ws.receive_bytes())
                    if message == codec.SaveRequest(1):
                        return found
                    if isinstance(message, codec.Awareness):
                        states = [entry.state or "{}" for entry in message.entries]
                        found += [
                            msgspec.json.decode(state)["user"]["name"]
                            for state in states
                            if "user" in state
                        ]

    async def test_a_denied_client_stays_away(self, tmp_path: Path) -> None:
        """After 4403 it does not try again."""
        with ServerProcess(tmp_path / "data") as server:
            async with stock(f"{server.ws_url}/ws/notes", "ACME", "A") as a:
                closed = await a.do("closed")
        assert isinstance(closed, list | dict)
        code = closed["code"] if isinstance(closed, dict) else closed[0]["code"]
        assert code == 4403


# What `saved` promises


@dataclass
class Author:
    """Writes numbered words into a note, and remembers which were acknowledged."""

    name: str
    made: int = 0
    saved: int = 0
    doc: Yjs | None = None

    async def write(self, server: ServerProcess, http: aiohttp.ClientSession) -> None:
        """Write until the connection is lost."""
        try:
            async with http.ws_connect(f"{server.ws_url}/ws/notes/kill") as ws:
                before, self.doc = self.doc, Yjs(ws)
                if before is not None:
                    self.doc.doc, self.doc.text = before.doc, before.text
                await self._sync(self.doc)
                while True:
                    await self._type(self.doc)
                    while self.made - self.saved > 20:
                        self._note(await self.doc.receive())
        except (Closed, aiohttp.ClientError, OSError):
            return

    async def _sync(self, peer: Yjs) -> None:
        await peer.send(codec.sync_step1(peer.doc.get_state()))
        while not isinstance(message := await peer.receive(), codec.SyncStep1):
            self._note(message)
        await peer.answer(message)

    async def _type(self, peer: Yjs) -> None:
        self.made += 1
        word = f"<{self.name}{self.made}>"
        update = peer.insert(0, word)
        await peer.send(codec.update(update), codec.saved(self.made))

    def _note(self, message: codec.Message | Standing) -> None:
        if isinstance(message, codec.SaveRequest):
            self.saved = max(self.saved, message.number)


async def kill_while_writing(data_dir: Path, kills: int, seed: int) -> None:
    """Have two authors write while the server is killed; compare with what is kept."""
    moments = random.Random(seed)
    with ServerProcess(data_dir) as server:
        async with aiohttp.ClientSession() as http:
            authors = [Author("a"), Author("b")]
            for _ in range(kills):
                writing = [
                    asyncio.create_task(author.write(server, http))
                    for author in authors
                ]
                goal = authors[0].saved + moments.randint(3, 120)
                async with asyncio.timeout(ANSWER_S):
                    # Its event is a frame that somebody else takes in.
                    while authors[0].saved < goal:  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                await asyncio.to_thread(server.kill)
                await asyncio.wait(writing)
                await asyncio.to_thread(server.start)
                check(await read(server, http), authors)


async def read(server: ServerProcess, http: aiohttp.ClientSession) -> str:
    """Return the note as somebody sees it who has nothing."""
    async with http.ws_connect(f"{server.ws_url}/ws/notes/kill") as ws:
        reader = Yjs(ws)
        await reader.send(codec.sync_step1(b"\0"))
        await reader.expect(codec.SyncStep2)
        return str(reader.text)


def check(text: str, authors: list[Author]) -> None:
    """Every word that was acknowledged is there, none twice."""
    for author in authors:
        words = [f"<{author.name}{number}>" for number in range(1, author.made + 1)]
        kept = [text.count(word) for word in words]
        assert kept[: author.saved] == [1] * author.saved, "acknowledged and lost"
        assert max(kept) <= 1, "kept twice"


async def test_a_saved_edit_survives_kill_9(tmp_path: Path) -> None:
    """Two kills while two write: nothing acknowledged is lost, nothing is doubled."""
    await kill_while_writing(tmp_path / "data", kills=2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_saved_edit_survives_many_kills(tmp_path: Path) -> None:
    """Ten kills while two write: nothing acknowledged is lost, nothing is doubled."""
    await kill_while_writing(tmp_path / "data", kills=10, seed=2)
