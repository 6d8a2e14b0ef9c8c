"""The switch from long-polling to a WebSocket, and how it fails without harm."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from server.errors import CLOSED, FORCED, INVALID
from server.gateways import frames
from server.gateways.base import Socket
from server.gateways.socketio.upgrade import UPGRADE_TIMEOUT_S
from tests.gateways.peers import BINARY
from tests.gateways.socketio.engine_peers import EchoHouse
from tests.looptime import LoopTime, turns, until


async def goes_on_polling(house: EchoHouse, sid: str) -> bool:
    """Whether a session is as it was before."""
    sent = await house.post(sid, "4still")
    return sent == (200, "ok") and await house.poll(sid) == (200, "4still")


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_is_lost_or_doubled_by_the_switch(
    house: EchoHouse, seed: int
) -> None:
    """Told before, between and behind its steps, all arrives once and in order.

    The client is a stock one's: it polls until the probe is answered, and once more
    where a poll is under way.
    """
    chance = random.Random(seed)
    sid = await house.handshake()
    peer, numbers, told = house.peer, itertools.count(), list[str]()

    async def talk() -> None:
        while not peer.session.closed:
            peer.say(b"%d" % next(numbers))
            await turns(chance.randint(1, 60))

    talking = asyncio.create_task(talk())
    for _ in range(chance.randint(1, 4)):
        told += (await house.poll(sid))[1].split("\x1e")
    poll = asyncio.create_task(house.poll(sid))
    await turns(chance.randint(0, 40))
    socket = await house.probing(sid)
    told += (await poll)[1].split("\x1e")
    await turns(chance.randint(0, 200))
    await socket.say("5")
    while len(told) < 60:
        told.append(await socket.hear())
    talking.cancel()
    said = [each for each in told if each != "6"]
    assert said == [f"4{number}" for number in range(len(said))]


async def test_a_poll_that_waits_is_let_go_by_the_probe(house: EchoHouse) -> None:
    """At once, with a noop; those that follow wait a tenth of a second at most."""
    sid = await house.handshake()
    poll = await house.begin_poll(sid)
    socket = await house.socket(sid)
    await turns(100)
    assert not poll.done(), "a WebSocket alone is no probe"
    await socket.probe()
    assert await poll == (200, "6")
    time = LoopTime()
    poll = await house.begin_poll(sid)
    await turns(100)
    assert not poll.done(), "else it would spin"
    await time.advance(0.15)
    assert await poll == (200, "6")


async def test_polling_goes_on_until_the_switch(house: EchoHouse) -> None:
    """What there is to tell is told by it, also between probe and switch."""
    sid = await house.handshake()
    socket = await house.probing(sid)
    assert await house.post(sid, "4before") == (200, "ok")
    assert await house.poll(sid) == (200, "4before")
    house.peer.say(b"waits")
    await turns(50)
    await socket.say("5")
    assert await socket.hear() == "4waits"
    await socket.say("4behind")
    assert await socket.hear() == "4behind"


async def test_a_poll_that_waits_at_the_switch_is_let_go(house: EchoHouse) -> None:
    """Its client should have paused; it gets a noop, and the session lives."""
    sid = await house.handshake()
    socket = await house.probing(sid)
    LoopTime()
    poll = await house.begin_poll(sid)
    await socket.say("5")
    assert await poll == (200, "6")
    await socket.say("4on")
    assert await socket.hear() == "4on"


async def test_a_post_under_way_at_the_switch_keeps_its_place(
    house: EchoHouse,
) -> None:
    """What comes by the WebSocket waits for it."""
    sid = await house.handshake()
    house.peer.gate.clear()
    post = asyncio.create_task(house.post(sid, "4one\x1e4two"))
    await until(lambda: house.peer.at_once, 100_000)
    socket = await house.upgrade(sid)
    await socket.say("4three")
    await until(lambda: isinstance(house.peer.connection.way, Socket), 100_000)
    await turns(300)
    house.peer.gate.set()
    assert await post == (200, "ok")
    assert [await socket.hear() for _ in range(3)] == ["4one", "4two", "4three"]
    assert house.peer.heard == [b"one", b"two", b"three"]
    assert house.peer.most_at_once == 1


async def test_a_poll_that_breaks_behind_the_switch_does_no_harm(
    roomy: EchoHouse,
) -> None:
    """Its answer was still on its way; the session has another way now."""
    sid = await roomy.handshake()
    stuck = await roomy.stuck_poll(sid)
    socket = await roomy.upgrade(sid)
    await until(lambda: isinstance(roomy.peer.connection.way, Socket), 100_000)
    stuck.close()
    await turns(1_000)
    await socket.say("4on")
    assert await socket.hear() == "4on"
    assert roomy.peer.reasons == []


async def test_an_upgraded_session_has_the_same_peer(house: EchoHouse) -> None:
    """One session for the hub, pinged by its new way, ended with it."""
    sid = await house.handshake()
    socket = await house.upgrade(sid)
    await until(lambda: house.peer.connection.probe is None, 100_000)
    time = LoopTime()
    await time.advance(10.1)
    assert await socket.hear() == "2"
    assert len(house.peers) == len(house.hub.sessions) == house.peer.opened == 1
    socket.close()
    await until(lambda: not house.hub.sessions, 100_000)
    assert len(house.front) == 0
    assert house.peer.reasons == ["transport close"]


@pytest.mark.parametrize(
    "steps",
    [
        ["5"],
        ["4hello"],
        ["2"],
        ["2other"],
        ["2probe", "2probe"],
        ["2probe", "4no"],
        [""],
    ],
)
async def test_a_wrong_step_ends_only_the_websocket(
    house: EchoHouse, steps: list[str]
) -> None:
    """The session goes on by long-polling; nothing was handed over."""
    sid = await house.handshake()
    socket = await house.socket(sid)
    for step in steps:
        await socket.say(step)
    await socket.say("5")
    assert await socket.end() == INVALID.code
    assert house.peer.heard == []
    assert await goes_on_polling(house, sid)


async def test_binary_is_a_wrong_step_too(house: EchoHouse) -> None:
    """There can be no message before the switch."""
    sid = await house.handshake()
    socket = await house.socket(sid)
    await socket.raw.send(BINARY, b"5")
    assert await socket.end() == INVALID.code
    assert await goes_on_polling(house, sid)


@pytest.mark.parametrize("is_probed", [True, False], ids=["probed", "silent"])
async def test_an_upgrade_is_not_tried_for_ever(
    house: EchoHouse, *, is_probed: bool
) -> None:
    """After ten seconds the WebSocket is closed; the session goes on by polling."""
    sid = await house.handshake()
    socket = await house.socket(sid)
    if is_probed:
        await socket.probe()
    await until(lambda: house.peer.connection.probe is not None, 100_000)
    time = LoopTime()
    await time.advance(UPGRADE_TIMEOUT_S - 0.5)
    assert house.peer.connection.probe is not None
    await time.advance(0.6)
    assert await socket.end() == CLOSED.code
    assert await house.poll(sid) == (200, "2")
    assert await goes_on_polling(house, sid)


async def test_an_upgrade_that_breaks_does_no_harm(house: EchoHouse) -> None:
    """The next one may succeed; polls wait as before."""
    sid = await house.handshake()
    socket = await house.probing(sid)
    socket.close()
    await until(lambda: house.peer.connection.probe is None, 100_000)
    assert await goes_on_polling(house, sid)
    time = LoopTime()
    poll = await house.begin_poll(sid)
    await time.advance(0.5)
    assert not poll.done()
    house.peer.say(b"told")
    assert await poll == (200, "4told")
    socket = await house.upgrade(sid)
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


async def test_a_second_websocket_is_closed_while_one_is_tried(
    house: EchoHouse,
) -> None:
    """The first one goes on."""
    sid = await house.handshake()
    first = await house.probing(sid)
    second = await house.socket(sid)
    await second.say("2probe")
    await second.say("5")
    assert await second.end() == INVALID.code
    await first.say("5")
    await first.say("4hello")
    assert await first.hear() == "4hello"


async def test_a_session_that_had_a_websocket_gets_no_other(house: EchoHouse) -> None:
    """It began by WebSocket: there is nothing to upgrade."""
    socket = await house.opened_socket()
    second = await house.socket(str(socket.open_packet["sid"]))
    assert await second.end() == INVALID.code
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


async def test_what_is_tried_ends_with_its_session(house: EchoHouse) -> None:
    """The farewell goes by long-polling; the WebSocket is closed."""
    sid = await house.handshake()
    socket = await house.probing(sid)
    house.peer.goodbye = frames.text(b"4bye")
    house.peer.session.close(FORCED)
    assert await house.poll(sid) == (200, "4bye")
    assert await house.poll(sid) == (200, "1")
    assert await socket.end() == CLOSED.code
    assert len(house.front) == 0
