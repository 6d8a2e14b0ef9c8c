"""Whatever happens to the line and to Redis: one order for all, and no silent gap."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from server.errors import Away, Refusal, Unrecoverable
from server.model import Position, Publication
from server.seams.log import Appended, Duplicate
from server.stores.ring import Step, step
from tests.backplanes.redis.nodes import ROOM, Heard, holds, running
from tests.contracts.stores import say
from tests.services.forwarder import Forwarder

if TYPE_CHECKING:
    from server.model import Broadcast
    from server.seams.log import Log
    from tests.backplanes.redis.nodes import Member
    from tests.services.redis import RedisServer

CHAOS_S = 20.0


@dataclass
class Follower(Heard):
    """A receiver that follows a channel as the hub does: in order, without a gap."""

    seen: dict[str, list[object]] = field(default_factory=dict)
    """Contents by epoch, from offset 1 on."""
    at: Position = field(default_factory=lambda: Position("none", 0))
    inbox: asyncio.Queue[Publication | None] = field(default_factory=asyncio.Queue)

    def deliver(self, broadcast: Broadcast) -> None:
        """See `Receiver.deliver`."""
        if isinstance(broadcast, Publication):
            self.inbox.put_nowait(broadcast)

    def reunited(self) -> None:
        """See `Receiver.reunited`: what came meanwhile is to be read."""
        super().reunited()
        self.inbox.put_nowait(None)

    async def follow(self, log: Log) -> None:
        """Take what comes, and read what is missing."""
        while True:
            arrived = await self.inbox.get()
            if arrived is None:
                await self._read(log)
                continue
            match step(self.at, arrived.position):
                case Step.NEXT:
                    self._take(arrived)
                case Step.GAP | Step.ANEW:
                    await self._read(log)
                case Step.SEEN:
                    pass

    async def _read(self, log: Log) -> None:
        try:
            found = await log.read(ROOM, self.at, 100_000)
        except Unrecoverable:
            self.at = Position((await log.top(ROOM)).epoch, 0)
            self.seen.setdefault(self.at.epoch, [])
            self.inbox.put_nowait(None)
        except Refusal:
            await asyncio.sleep(0.1)
            self.inbox.put_nowait(None)
        else:
            for publication in found.publications:
                self._take(publication)

    def _take(self, publication: Publication) -> None:
        of_epoch = self.seen.setdefault(publication.position.epoch, [])
        assert publication.position.offset == len(of_epoch) + 1
        of_epoch.append(publication.content)
        self.at = publication.position


@dataclass
class Speaker:
    """Says numbers, each with a key, and says each again until it is acknowledged."""

    name: str
    kept: dict[str, Position] = field(default_factory=dict)

    async def speak(self, log: Log, over: asyncio.Event) -> None:
        """Speak until it is over."""
        number = 0
        while not over.is_set():
            number += 1
            word = f"{self.name}{number}"
            await self._say(log, word)
            await asyncio.sleep(0.002)

    async def _say(self, log: Log, word: str) -> None:
        while True:
            try:
                (outcome,) = await log.append([say(word, channel=ROOM, key=word)])
            except Away:
                await asyncio.sleep(0.1)
                continue
            if isinstance(outcome, Appended):
                (self.kept[word],) = outcome.positions
                return
            if isinstance(outcome, Duplicate):
                self.kept[word] = outcome.position
                return


async def _disturb(server: RedisServer, lines: list[Forwarder], seed: int) -> None:
    """Do harm of all kinds, one after another."""
    chance = random.Random(seed)
    ends_s = asyncio.get_running_loop().time() + CHAOS_S
    while asyncio.get_running_loop().time() < ends_s:
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        line = chance.choice(lines)
        match chance.randrange(7):
            case 0:
                line.cut()
            case 1:
                server.tell("CLIENT", "KILL", "TYPE", "pubsub")
            case 2:
                server.tell("SCRIPT", "FLUSH")
            case 3:
                server.pause()
                await asyncio.sleep(chance.uniform(0.1, 2.0))
                server.resume()
            case 4:
                line.silent = True
                await asyncio.sleep(chance.uniform(0.1, 3.0))
                line.silent = False
                line.cut()
            case 5:
                server.tell("FLUSHALL")
            case 6:
                server.kill()
                await asyncio.sleep(chance.uniform(0.0, 0.5))
                server.start()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
async def test_one_order_and_no_silent_gap(own_redis: RedisServer, seed: int) -> None:
    """Each epoch is the same for all; what was acknowledged is where it was said."""
    over = asyncio.Event()
    async with AsyncExitStack() as stack:
        lines = [
            await stack.enter_async_context(Forwarder(own_redis.port)) for _ in range(3)
        ]
        nodes = [await _join(stack, line) for line in lines]
        speakers = [Speaker(name) for name in "abc"]
        followers = [each.heard for each in nodes if isinstance(each.heard, Follower)]
        async with asyncio.TaskGroup() as group:
            for node, follower in zip(nodes, followers, strict=True):
                node.tasks.spawn(follower.follow(node.backplane.log), "follow")
            spoken = [
                group.create_task(speaker.speak(node.backplane.log, over))
                for node, speaker in zip(nodes, speakers, strict=True)
            ]
            await _disturb(own_redis, lines, seed)
            await holds(lambda: all(n.backplane.fault is None for n in nodes), 20)
            await asyncio.sleep(1)
            over.set()
        assert all(each.done() for each in spoken)
        top = await nodes[0].backplane.log.top(ROOM)
        await holds(lambda: all(each.at == top for each in followers), 10)
    _compare(followers, speakers, top.epoch)


async def _join(stack: AsyncExitStack, line: Forwarder) -> Member:
    node = await stack.enter_async_context(running(line.url, heard=Follower()))
    await node.backplane.enter(ROOM)
    return node


def _compare(followers: list[Follower], speakers: list[Speaker], newest: str) -> None:
    epochs = {epoch for each in followers for epoch in each.seen}
    assert len(epochs) > 1, "it was not much of a chaos"
    for epoch in epochs:
        longest = max((each.seen.get(epoch, []) for each in followers), key=len)
        assert len(set(map(str, longest))) == len(longest), "each once"
        for each in followers:
            heard = each.seen.get(epoch, [])
            assert heard == longest[: len(heard)]
    for speaker in speakers:
        for word, at in speaker.kept.items():
            for each in followers:
                heard = each.seen.get(at.epoch, [])
                if at.epoch == newest or at.offset <= len(heard):
                    assert heard[at.offset - 1] == word
