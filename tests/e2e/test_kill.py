"""`kill -9` under load: what was acknowledged is there, once, in order."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from .server_process import ServerProcess

AUTHORS = 4
WAITING = 16
"""How many messages each author sends before it waits for an acknowledgement."""


@dataclass
class Author:
    """Sends numbered messages, and sends again what was not acknowledged.

    Its session ends with the server; the user, for whom keys are idempotent, is the
    one of its cookie.
    """

    name: str
    cookie: str
    room: str
    sent: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def speak(self, server: ServerProcess, http: aiohttp.ClientSession) -> None:
        """Send until the connection is lost."""
        headers = {"Origin": server.url, "Cookie": self.cookie}
        url = f"{server.ws_url}/ws"
        try:
            async with http.ws_connect(url, headers=headers) as ws:
                for key, text in tuple(self.pending.items()):
                    await self._send(ws, key, text)
                while True:
                    while len(self.pending) < WAITING:
                        self.sent += 1
                        key, text = f"{self.name}-{self.sent}", f"{self.sent}"
                        self.pending[key] = text
                        await self._send(ws, key, text)
                    self._note(await ws.receive_json())
        except (aiohttp.ClientError, OSError, TypeError):
            # aiohttp raises TypeError from receive_json when the socket was closed.
            return

    async def _send(
        self, ws: aiohttp.ClientWebSocketResponse, key: str, text: str
    ) -> None:
        said = {"text": f"{self.name} {text}"}
        await ws.send_json(
            {
                "type": "publish",
                "channel": f"chat:{self.room}",
                "data": said,
                "key": key,
                "id": int(text),
            }
        )

    def _note(self, reply: dict[str, str]) -> None:
        if reply["type"] == "reply":
            key = reply["key"]
            first = self.acknowledged.setdefault(key, reply["position"])
            assert first == reply["position"], "acknowledged twice, at two positions"
            self.pending.pop(key, None)
            self.progress.set()


@dataclass
class Reader:
    """Follows a room over all kills, by the position of what it saw last."""

    room: str
    offsets: list[int] = field(default_factory=list)
    since: str | None = None

    async def read(self, server: ServerProcess, http: aiohttp.ClientSession) -> None:
        """Resume, and read until the connection is lost."""
        since = f"?since={self.since}" if self.since else ""
        url = f"{server.ws_url}/ws/chat/{self.room}{since}"
        try:
            async with http.ws_connect(url) as ws:
                reply = await ws.receive_json()
                assert reply["recovered"] is (self.since is not None)
                self.since = self.since or reply["position"]
                for each in reply["publications"]:
                    self._note(each["position"])
                while True:
                    self._note((await ws.receive_json())["position"])
        except (aiohttp.ClientError, OSError, TypeError):
            return

    def _note(self, position: str) -> None:
        self.offsets.append(int(position.partition(".")[2]))
        self.since = position


async def history(
    server: ServerProcess, http: aiohttp.ClientSession, room: str
) -> list[dict[str, str]]:
    """Read a room from its beginning, page by page."""
    found: list[dict[str, str]] = []
    async with http.ws_connect(f"{server.ws_url}/ws/chat/{room}") as ws:
        first = await ws.receive_json()
        epoch = first["position"].partition(".")[0]
        after = f"{epoch}.0"
        while True:
            ask = {"type": "history", "after": after, "limit": 200, "id": 1}
            await ws.send_json(ask)
            page = (await ws.receive_json())["publications"]
            if not page:
                return found
            found += page
            after = page[-1]["position"]


async def guest(server: ServerProcess, http: aiohttp.ClientSession) -> str:
    """Return a new visitor's cookie."""
    headers = {"Origin": server.url}
    async with http.post(
        f"{server.url}/api/name", json={"name": "Ada"}, headers=headers
    ) as answer:
        cookie = answer.cookies["hubbub_guest"]
    return f"{cookie.key}={cookie.value}"


async def kill_under_load(data_dir: Path, kills: int, seed: int) -> None:
    """Have authors speak while the server is killed, and compare with the store."""
    moments = random.Random(seed)
    with ServerProcess(data_dir) as server:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            authors = [
                Author(f"author{n}", await guest(server, http), f"room{n % 2}")
                for n in range(AUTHORS)
            ]
            reader = Reader("room0")
            for _ in range(kills):
                speaking = [
                    asyncio.create_task(author.speak(server, http))
                    for author in authors
                ]
                speaking.append(asyncio.create_task(reader.read(server, http)))
                target = len(authors[0].acknowledged) + moments.randint(5, 150)
                while len(authors[0].acknowledged) < target:
                    authors[0].progress.clear()
                    await authors[0].progress.wait()
                await asyncio.to_thread(server.kill)
                await asyncio.gather(*speaking)
                await asyncio.to_thread(server.start)
            assert reader.offsets == list(range(1, len(reader.offsets) + 1))
            for room in ("room0", "room1"):
                kept = await history(server, http, room)
                check(room, kept, [a for a in authors if a.room == room])


def check(room: str, kept: list[dict[str, str]], authors: list[Author]) -> None:
    """Compare what a room keeps with what its authors were told."""
    offsets = [int(each["position"].partition(".")[2]) for each in kept]
    assert offsets == list(range(1, len(kept) + 1)), f"{room} has holes"
    by_key = {each["key"]: each["position"] for each in kept}
    assert len(by_key) == len(kept), f"{room} keeps something twice"
    for author in authors:
        assert author.acknowledged.items() <= by_key.items(), "acknowledged and lost"
        own = [
            int(key.partition("-")[2])
            for key in by_key
            if key.startswith(f"{author.name}-")
        ]
        assert own == sorted(own), f"{author.name}'s messages are out of order"


async def test_an_acknowledged_message_survives_kill_9(tmp_path: Path) -> None:
    """Two kills under load: nothing acknowledged is lost, doubled or out of order."""
    await kill_under_load(tmp_path, kills=2, seed=1)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_an_acknowledged_message_survives_many_kills(tmp_path: Path) -> None:
    """Ten kills under load: nothing acknowledged is lost, doubled or reordered."""
    await kill_under_load(tmp_path, kills=10, seed=2)


async def test_the_server_stops_on_sigterm_and_tells_its_clients(
    tmp_path: Path,
) -> None:
    """SIGTERM: every client is told to come back (3001), and the exit code is 0."""
    with ServerProcess(tmp_path) as server:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            sockets = [
                await http.ws_connect(f"{server.ws_url}/ws/chat/lobby")
                for _ in range(20)
            ]
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            for ws in sockets:
                async for _ in ws:
                    pass
                assert ws.close_code == 3001
            assert await stopping == 0


def test_a_second_process_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """One data directory has one process: a second one exits, and says why."""
    with ServerProcess(tmp_path), pytest.raises(RuntimeError, match="another Hubbub"):
        ServerProcess(tmp_path).start()
