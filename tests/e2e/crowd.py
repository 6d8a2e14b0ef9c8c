"""A crowd of clients on many nodes, which notes all that it is told.

Each client speaks the native wire as a program would that keeps its position: it goes
to another node when its own is gone, and resumes there.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from .server_process import ServerProcess

PAUSE_S = 0.2
ANSWER_S = 10.0
LOST = (aiohttp.ClientError, OSError, TypeError, TimeoutError)
"""What a lost connection raises; aiohttp's receive_json raises TypeError then."""


@dataclass
class Reader:
    """Follows channels over all faults; fails a test by what `faults` has then."""

    name: str
    seen: dict[str, dict[str, list[tuple[int, str]]]] = field(default_factory=dict)
    """By channel and epoch: (offset, what was said), in the order it came."""
    since: dict[str, str] = field(default_factory=dict)
    told: list[bool] = field(default_factory=list)
    """The `status` frames: whether it was said to be live."""
    resets: int = 0
    unrecovered: int = 0
    connections: int = 0
    faults: list[str] = field(default_factory=list)
    live: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while all channels are subscribed."""

    async def read(
        self,
        http: aiohttp.ClientSession,
        nodes: Iterable[ServerProcess],
        channels: Sequence[str],
    ) -> None:
        """Read until cancelled, at one node after another."""
        for node in itertools.cycle(nodes):
            try:
                url = f"{node.ws_url}/ws?name={self.name}"
                async with http.ws_connect(url) as ws:
                    self.connections += 1
                    await self._follow(ws, channels)
            except LOST:
                pass
            self.live.clear()
            await asyncio.sleep(PAUSE_S)

    async def _follow(
        self, ws: aiohttp.ClientWebSocketResponse, channels: Sequence[str]
    ) -> None:
        missing = set(channels)
        for channel in channels:
            await self._subscribe(ws, channel)
        while True:
            frame = await ws.receive_json()
            channel = frame.get("channel")
            match frame["type"]:
                case "reply" if "recovered" in frame:
                    self._begin(channel, frame)
                    missing.discard(channel)
                    if not missing:
                        self.live.set()
                case "event" if "position" in frame:
                    self._note(channel, frame)
                case "reset":
                    self.resets += 1
                    self.since.pop(channel, None)
                    await self._subscribe(ws, channel)
                case "status":
                    self.told.append(frame["live"])
                case "error":
                    if not frame["temporary"]:
                        self.faults.append(f"refused: {frame}")
                    await asyncio.sleep(PAUSE_S)
                    await self._subscribe(ws, channel)

    async def _subscribe(
        self, ws: aiohttp.ClientWebSocketResponse, channel: str
    ) -> None:
        ask = {"type": "subscribe", "channel": channel, "id": 1}
        if channel in self.since:
            ask["since"] = self.since[channel]
        await ws.send_json(ask)

    def _begin(self, channel: str, reply: dict[str, object]) -> None:
        if channel in self.since and not reply["recovered"]:
            self.unrecovered += 1
            self.since.pop(channel)
        publications = reply["publications"]
        assert isinstance(publications, list)
        if not reply["recovered"]:
            # A new beginning: what the reply brings along is where it begins.
            epoch = str(reply["position"]).partition(".")[0]
            self.seen.setdefault(channel, {}).pop(epoch, None)
        for each in publications:
            self._note(channel, each)
        self.since.setdefault(channel, str(reply["position"]))

    def _note(self, channel: str, publication: dict[str, object]) -> None:
        position = str(publication["position"])
        epoch, _, number = position.partition(".")
        of_epoch = self.seen.setdefault(channel, {}).setdefault(epoch, [])
        if of_epoch and int(number) != of_epoch[-1][0] + 1:
            self.faults.append(f"{channel}: {number} came after {of_epoch[-1][0]}")
        of_epoch.append((int(number), str(publication.get("key"))))
        self.since[channel] = position


@dataclass
class Speaker:
    """Says numbered things at a pace, and again what was not acknowledged.

    Keys make them idempotent for the user, who is the cookie's on every node.
    """

    name: str
    cookie: str
    channel: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    slowest_s: float = 0.0
    """The longest wait for an answer on a connection that stood."""
    faults: list[str] = field(default_factory=list)

    async def speak(
        self,
        http: aiohttp.ClientSession,
        nodes: Iterable[ServerProcess],
        every_s: float,
        *,
        insists: bool = True,
    ) -> None:
        """Speak until cancelled; `insists`: each thing until it is acknowledged."""
        numbers, waiting = itertools.count(1), ""
        for node in itertools.cycle(nodes):
            headers = {"Origin": node.url, "Cookie": self.cookie}
            try:
                async with http.ws_connect(f"{node.ws_url}/ws", headers=headers) as ws:
                    while True:
                        waiting = waiting or f"{self.name}-{next(numbers)}"
                        done = await self._say(ws, waiting)
                        if done or not insists:
                            waiting = ""
                        await asyncio.sleep(every_s if done else PAUSE_S)
            except LOST:
                await asyncio.sleep(PAUSE_S)

    async def _say(self, ws: aiohttp.ClientWebSocketResponse, key: str) -> bool:
        command = {"type": "publish", "channel": self.channel, "key": key, "id": 1}
        asked_s = time.monotonic()
        await ws.send_json(command | {"data": {"text": key}})
        while True:
            answer = await ws.receive_json(timeout=ANSWER_S)
            if answer["type"] in ("reply", "error"):
                break
        self.slowest_s = max(self.slowest_s, time.monotonic() - asked_s)
        if answer["type"] == "reply":
            first = self.acknowledged.setdefault(key, answer["position"])
            if first != answer["position"] and self.channel.startswith("chat:"):
                self.faults.append(f"{key} acknowledged at two positions")
            return True
        self.refused += 1
        if not answer["temporary"]:
            self.faults.append(f"refused for good: {answer}")
        return False


class Crowd:
    """Readers and speakers at work; a context manager that ends them."""

    def __init__(self, nodes: Sequence[ServerProcess]) -> None:
        self.nodes = list(nodes)
        self.readers: list[Reader] = []
        self.speakers: list[Speaker] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin with nobody."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self.http = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send all away."""
        await self.stop(self._tasks)
        await self.http.close()

    async def stop(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """End some tasks."""
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def hear(self, count: int, *channels: str) -> None:
        """Add readers, evenly over the nodes, and wait until they follow."""
        fresh = [Reader(f"r{len(self.readers) + n}") for n in range(count)]
        for number, reader in enumerate(fresh):
            work = reader.read(self.http, self._from(number), channels)
            self._tasks.append(asyncio.create_task(work))
        self.readers += fresh
        for reader in fresh:
            await reader.live.wait()

    async def speak(
        self, count: int, channel: str, every_s: float, *, insists: bool = True
    ) -> None:
        """Add speakers, each beginning at another node."""
        for number in range(count):
            cookie = await guest(self.http, self._from(number)[0])
            name = f"{channel.partition(':')[0]}{len(self.speakers)}"
            speaker = Speaker(name, cookie, channel)
            self.speakers.append(speaker)
            work = speaker.speak(
                self.http, self._from(number), every_s, insists=insists
            )
            task = asyncio.create_task(work)
            self._tasks.append(task)
            setattr(speaker, "task", task)  # noqa: B010 - to be hushed by its crowd

    def _from(self, number: int) -> list[ServerProcess]:
        start = number % len(self.nodes)
        return self.nodes[start:] + self.nodes[:start]

    async def hush(self) -> None:
        """Have nobody speak any more."""
        speaking = [getattr(speaker, "task") for speaker in self.speakers]  # noqa: B009
        await self.stop(speaking)

    async def progress(self, more: int = 20, within_s: float = 30.0) -> None:
        """Wait until each speaker had so many more acknowledgements."""
        wanted = [len(each.acknowledged) + more for each in self.speakers]
        await until(
            lambda: all(
                len(each.acknowledged) >= count
                for each, count in zip(self.speakers, wanted, strict=True)
            ),
            within_s,
        )

    async def settle(self, within_s: float = 20.0) -> None:
        """Wait until all readers have come to the same place in every channel."""
        await until(self.settled, within_s)

    def settled(self) -> bool:
        """Whether all readers follow, and stand at the same positions."""
        if not all(reader.live.is_set() for reader in self.readers):
            return False
        places = [tuple(sorted(reader.since.items())) for reader in self.readers]
        return len(set(places)) == 1

    def check(self) -> None:
        """Claim: one order on all readers, no silent gap, no wrong answer."""
        for reader in self.readers:
            assert reader.faults == [], reader.name
        for speaker in self.speakers:
            assert speaker.faults == [], speaker.name
        orders: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
        for reader in self.readers:
            for channel, epochs in reader.seen.items():
                for epoch, said in epochs.items():
                    known = orders[channel, epoch]
                    for offset, key in said:
                        assert known.setdefault(offset, key) == key, (channel, offset)

    def digest(self, channel: str, epoch: str) -> set[str]:
        """Return the hashes of the sequences that the readers saw of one stream."""
        hashes = set()
        for reader in self.readers:
            said = reader.seen.get(channel, {}).get(epoch, [])
            hashes.add(hashlib.sha256(repr(said).encode()).hexdigest())
        return hashes

    async def check_kept(self, channel: str, node: ServerProcess) -> int:
        """Claim: all that was acknowledged in a durable channel is kept, once."""
        kept = await history(self.http, node, channel)
        by_key = {each["key"]: each["position"] for each in kept if "key" in each}
        keyed = [each for each in kept if "key" in each]
        assert len(by_key) == len(keyed), "something is kept twice"
        numbers = [int(each["position"].partition(".")[2]) for each in kept]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        for speaker in self.speakers:
            if speaker.channel == channel:
                lost = speaker.acknowledged.items() - by_key.items()
                assert not lost, f"acknowledged and lost: {sorted(lost)[:5]}"
        return len(kept)


async def until(holds: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait until something holds; raise TimeoutError where it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - it is other processes doing
            await asyncio.sleep(0.05)


async def guest(http: aiohttp.ClientSession, node: ServerProcess) -> str:
    """Return a new visitor's cookie."""
    async with http.post(
        f"{node.url}/api/name", json={"name": "Ada"}, headers={"Origin": node.url}
    ) as answer:
        cookie = answer.cookies["hubbub_guest"]
    return f"{cookie.key}={cookie.value}"


async def history(
    http: aiohttp.ClientSession, node: ServerProcess, channel: str
) -> list[dict[str, str]]:
    """Read a channel from its beginning, page by page."""
    found: list[dict[str, str]] = []
    async with http.ws_connect(f"{node.ws_url}/ws") as ws:
        await ws.send_json({"type": "history", "channel": channel, "limit": 1, "id": 1})
        epoch = (await ws.receive_json())["position"].partition(".")[0]
        after = f"{epoch}.0"
        while True:
            ask = {"type": "history", "channel": channel, "after": after, "limit": 200}
            await ws.send_json(ask | {"id": 1})
            answer = await ws.receive_json()
            while answer["type"] == "status":
                answer = await ws.receive_json()
            page = answer["publications"]
            if not page:
                return found
            found += page
            after = page[-1]["position"]
