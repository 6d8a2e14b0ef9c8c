"""What is entered is brought; what is left is let go of, a little later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from server.backplanes.redis import entrance
from server.errors import Refusal
from server.model import Signal
from tests.backplanes.redis.nodes import ROOM, holds, running
from tests.services.forwarder import Forwarder

if TYPE_CHECKING:
    from tests.services.redis import RedisServer


def word(channel: str) -> Signal:
    """Return a signal."""
    return Signal(channel, "said", channel, None, 0)


async def test_many_are_entered_at_once(redis_server: RedisServer) -> None:
    """Each once, however many ask for it; and each is brought."""
    channels = [f"open:room{number}" for number in range(1_200)]
    async with running(redis_server.url) as node:
        async with asyncio.TaskGroup() as group:
            for channel in (*channels, *channels):
                group.create_task(node.backplane.enter(channel))
        for channel in channels:
            node.backplane.publish(word(channel))
        await holds(lambda: len(node.heard.came) == len(channels))
        await redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await holds(lambda: node.heard.told[1:] == ["cut off", "reunited"])
        node.backplane.publish(word(channels[-1]))
        await holds(lambda: len(node.heard.came) == len(channels) + 1)


async def test_what_was_left_is_let_go_of(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not what was entered again meanwhile."""
    monkeypatch.setattr(entrance, "LEAVE_S", 0.05)

    def brought() -> object:
        found = redis_server.tell("PUBSUB", "SHARDCHANNELS", "*open*")
        assert isinstance(found, list)
        return sorted(found)

    async with running(redis_server.url) as node:
        for channel in ("open:a", "open:b", ROOM):
            await node.backplane.enter(channel)
        for channel in ("open:a", ROOM):
            node.backplane.leave(channel)
        await node.backplane.enter(ROOM)
        await holds(lambda: brought() == [b"hubbub:{open:b}", b"hubbub:{open:lobby}"])
        await node.backplane.enter("open:a")
        for channel in ("open:a", ROOM):
            node.backplane.publish(word(channel))
        await holds(lambda: len(node.heard.came) == 2)
        assert node.heard.told == ["reunited"]


async def test_what_is_not_confirmed_is_refused(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, and whoever gives up stops nobody else."""
    monkeypatch.setattr(entrance, "DEADLINE_S", 0.3)
    async with Forwarder(redis_server.port) as line, running(line.url) as node:
        line.deaf = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await node.backplane.enter(ROOM)
        with pytest.raises(Refusal, match="unavailable"):
            await node.backplane.enter(ROOM)
        node.backplane.publish(word(ROOM))
        await asyncio.sleep(0.05)
        assert node.heard.came == []


async def test_whoever_waits_when_it_is_cut_is_refused(
    redis_server: RedisServer,
) -> None:
    """At once."""
    async with Forwarder(redis_server.port) as line, running(line.url) as node:
        line.deaf = True
        async with asyncio.TaskGroup() as group:
            entering = group.create_task(_refused(node.backplane.enter(ROOM)))
            await asyncio.sleep(0.1)
            line.deaf = False
            line.cut()
        assert entering.result() < 1.0


async def _refused(entering: object) -> float:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert asyncio.iscoroutine(entering)
    with pytest.raises(Refusal, match="unavailable"):
        await entering
    return loop.time() - began_s
