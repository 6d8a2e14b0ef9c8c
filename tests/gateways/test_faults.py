"""Peers that are slow, gone, greedy or many; each with a neighbour who hears all."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from server.errors import LIMIT_EXCEEDED, NO_PONG
from server.gateways.base import Socket
from server.hub.session import Session
from server.hub.subscription import Subscription
from server.settings import Settings
from tests.gateways.peers import CLOSE, PING, TEXT, RawPeer
from tests.looptime import LoopTime, turns, until
from tests.services.forwarder import Forwarder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientWebSocketResponse

    from server.hub.hub import Hub
    from tests.gateways.conftest import OpenPlace, Place

SOON = Settings(ping_interval_s=10, ping_timeout_s=5, close_timeout_s=0.2)
SUBSCRIPTIONS = 100
PIPELINED = 10_000
CROWD = 200


@asynccontextmanager
async def neighbour(place: Place) -> AsyncIterator[ClientWebSocketResponse]:
    """Somebody in another channel; at the end it has heard all that was said there."""
    reader = await place.connect("/ws/open/safe")
    await reader.receive_json(timeout=5)
    saying = asyncio.Event()

    async def say() -> None:
        number = 0
        while not saying.is_set() or number < 20:
            await place.hub.publish("open:safe", number)
            words = await reader.receive_json()
            assert words["data"] == number
            number += 1
            await turns(3)

    async with asyncio.TaskGroup() as group:
        group.create_task(say())
        try:
            yield reader
        finally:
            saying.set()


# Slow and gone


async def test_a_frame_that_comes_byte_by_byte_is_taken(place: Place) -> None:
    """Each byte in a read of its own; the answer comes, and nobody waits meanwhile."""
    command = json.dumps({"type": "publish", "data": "x" * 300}).encode()
    frame = bytes((0x81, 0xFE)) + len(command).to_bytes(2, "big") + bytes(4) + command
    async with neighbour(place):
        peer = await place.raw("/ws/open/a")
        assert (await peer.hear())["type"] == "reply"
        for at in range(len(frame)):
            await peer.pour(frame[at : at + 1])
            await turns(2)
        while (words := await peer.hear())["type"] != "event":
            pass
        assert words["data"] == "x" * 300
        peer.close()


async def test_a_frame_that_never_ends_is_not_waited_for(open_place: OpenPlace) -> None:
    """Its bytes are no sign of life, and in its midst no pong can come: 3012."""
    place = await open_place(SOON)
    peer = await place.raw("/ws/open/a")
    await peer.hear()
    time = LoopTime()
    await peer.pour(bytes((0x81, 0xFE)) + (1_000).to_bytes(2, "big") + bytes(4))
    for _ in range(6):
        await peer.pour(b"x")
        await turns(20)
        await time.advance(4.0)
    assert (await peer.receive())[0] == PING
    assert (await peer.goodbye())[0] == NO_PONG.code
    assert not place.hub.sessions
    peer.close()


async def test_a_peer_behind_a_dead_line_is_let_go(open_place: OpenPlace) -> None:
    """No FIN comes, and no pong: its presence falls, and its connection is cut."""
    place = await open_place(SOON)
    async with Forwarder(place.port) as line:
        peer = await RawPeer.connect(line.port, "/ws/open/a")
        await peer.hear()
        (gone,) = place.hub.sessions.values()
        watcher = await place.connect("/ws/open/a?presence=1")
        members = (await watcher.receive_json(timeout=5))["presence"]
        assert len(members) == 2
        assert isinstance(gone.wire, Socket)
        transport = gone.wire._transport  # noqa: SLF001
        time = LoopTime()
        line.silent = True
        for _ in range(3):
            # The watcher's words are its sign of life.
            await time.advance(5.2)
            await watcher.send_json({"type": "ping"})
            words = await watcher.receive_json()
            while words["type"] != "pong":
                assert words["type"] in ("join", "leave")
                words = await watcher.receive_json()
        await time.advance(0.5)
        assert place.hub.stats.closed == {NO_PONG.code: 1}
        assert len(place.hub.sessions) == 1
        assert len(place.hub.channels["open:a"].roster.presence) == 1
        await time.advance(1.0)
        assert transport.is_closing()
        peer.close()
        # The line's own end takes time.
        time.step_s = 0.001


# Greedy


async def test_one_channel_too_many_is_refused(open_place: OpenPlace) -> None:
    """10,000 in one go: the first hundred are had, each other is told 106, in order.

    The session lives, and no channel was opened for what was refused.
    """
    place = await open_place(Settings(frames_per_s=0))
    peer = await place.raw("/ws")

    async def ask() -> None:
        for number in range(PIPELINED):
            name = f"open:c{number}"
            await peer.say({"type": "subscribe", "channel": name, "id": number + 1})

    async with neighbour(place), asyncio.TaskGroup() as group:
        group.create_task(ask())
        number = 0
        while number < PIPELINED:
            words = await peer.hear()
            if words["type"] not in ("reply", "error"):
                continue
            number += 1
            assert words["id"] == number
            refused = words.get("code") == LIMIT_EXCEEDED.code
            assert refused == (number > SUBSCRIPTIONS)
    await peer.say({"type": "ping"})
    while (await peer.hear())["type"] != "pong":
        pass
    assert place.hub.stats.refused == {LIMIT_EXCEEDED.code: PIPELINED - SUBSCRIPTIONS}
    assert len(place.hub.channels) == SUBSCRIPTIONS + 1
    peer.close()


async def test_coming_and_going_in_channels_leaves_nothing(place: Place) -> None:
    """A thousand times in and out: nothing of it is held afterwards."""
    socket = await place.connect()
    for number in range(1_000):
        name = f"open:c{number % 50}"
        await socket.send_json({"type": "subscribe", "channel": name})
        await socket.send_json({"type": "unsubscribe", "channel": name, "id": 1})
        while (await socket.receive_json(timeout=5)).get("id") != 1:
            pass
    (session,) = place.hub.sessions.values()
    assert not session.subscriptions
    for channel in place.hub.channels.values():
        assert not channel.subscriptions
        assert len(channel.roster.presence) == 0
    gc.collect()
    left = [each for each in gc.get_objects() if isinstance(each, Subscription)]
    assert not [each for each in left if each.session is session]


# Many


async def come_and_go(place: Place, number: int) -> None:
    """Connect, join, hear something; leave in one of several ways."""
    ways = number % 4
    if ways == 3:  # in the middle of the handshake
        _, writer = await asyncio.open_connection("127.0.0.1", place.port)
        writer.write(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgr")
        await writer.drain()
        writer.transport.abort()
        return
    peer = await place.raw(f"/ws/open/r{number % 5}")
    await place.hub.publish(f"open:r{number % 5}", number)
    while (await peer.hear()).get("data") != number:
        pass
    if ways == 0:
        await peer.send(CLOSE, b"\x03\xe8")
        await peer.end()
        peer.close()
    elif ways == 1:
        peer.reset()
    else:
        await peer.send(TEXT, b'{"type":"unsubscribe"')
        peer.close()


def alive(hub: Hub) -> list[object]:
    """Return the sessions and sockets of a hub that anything still holds."""
    gc.collect()
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, Session | Socket) and each._hub is hub  # noqa: SLF001
    ]


@pytest.mark.parametrize("at_once", [1, 20])
async def test_nothing_is_left_of_who_came_and_went(place: Place, at_once: int) -> None:
    """By a goodbye, a reset, a hang-up or half a handshake: no object stays."""
    async with neighbour(place) as reader:
        tasks = len(asyncio.all_tasks())
        for first in range(0, CROWD, at_once):
            async with asyncio.TaskGroup() as group:
                for number in range(first, first + at_once):
                    group.create_task(come_and_go(place, number))
        assert place.hub.stats.opened["native"] == 1 + CROWD * 3 // 4
        await until(lambda: len(place.hub.sessions) == 1, 100_000)
        await until(lambda: len(asyncio.all_tasks()) <= tasks, 100_000)
        await until(lambda: len(alive(place.hub)) == 2, 50)
        for channel in place.hub.channels.values():
            if channel.name != "open:safe":
                assert not channel.subscriptions
                assert len(channel.roster.presence) == 0
        assert not reader.closed
