"""The 25 published cases of Engine.IO v4, at the wire's level.

docs/engine.io-protocol/v4-test-suite of socketio/socket.io, with its own settings; but
time is moved by hand.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from server.settings import Settings
from tests.gateways.peers import BINARY
from tests.gateways.socketio.conftest import OpenHouse
from tests.gateways.socketio.engine_peers import WEBSOCKET, EchoHouse
from tests.looptime import LoopTime, until

SUITE = Settings(
    ping_interval_s=0.3,
    ping_timeout_s=0.2,
    max_frame_bytes=1_000_000,
    close_timeout_s=1,
)
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}


@pytest.fixture
async def house(open_house: OpenHouse) -> EchoHouse:
    """An echo server with the suite's settings."""
    return await open_house(SUITE)


# Handshake


async def test_polling_opens_a_session(house: EchoHouse) -> None:
    """HTTP 200 and an open packet."""
    async with house.client.get("/socket.io/?EIO=4&transport=polling") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert text[0] == "0"
    value = json.loads(text[1:])
    assert isinstance(value.pop("sid"), str)
    assert value == {
        "upgrades": ["websocket"],
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 1_000_000,
    }


BAD_QUERIES = {
    "EIO is missing": "transport={}",
    "EIO is none": "EIO=abc&transport={}",
    "the transport is missing": "EIO=4",
    "the transport is none": "EIO=4&transport=abc",
}


@pytest.mark.parametrize("query", BAD_QUERIES.values(), ids=BAD_QUERIES)
async def test_polling_fails_with_a_bad_query(house: EchoHouse, query: str) -> None:
    """HTTP 400."""
    path = "/socket.io/?" + query.format("polling")
    async with house.client.get(path) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("method", ["post", "put"])
async def test_polling_fails_with_a_bad_method(house: EchoHouse, method: str) -> None:
    """HTTP 400: a handshake is a GET."""
    path = "/socket.io/?EIO=4&transport=polling"
    async with house.client.request(method, path) as answer:
        assert answer.status == 400


async def test_a_websocket_opens_a_session(house: EchoHouse) -> None:
    """The first frame is the open packet; there is nothing to upgrade to."""
    socket = await house.opened_socket()
    assert isinstance(socket.open_packet.pop("sid"), str)
    assert socket.open_packet == {
        "upgrades": [],
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 1_000_000,
    }


@pytest.mark.parametrize("query", BAD_QUERIES.values(), ids=BAD_QUERIES)
async def test_a_websocket_fails_with_a_bad_query(house: EchoHouse, query: str) -> None:
    """The handshake is refused."""
    path = "/socket.io/?" + query.format("websocket")
    async with house.client.get(path, headers=UPGRADE) as answer:
        assert answer.status == 400
    assert not house.peers


# Message


@pytest.mark.parametrize(
    "payload", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="]
)
async def test_polling_sends_and_receives_a_payload(
    house: EchoHouse, payload: str
) -> None:
    """One packet, several, and text with binary: all come back in one answer."""
    sid = await house.handshake()
    assert await house.post(sid, payload) == (200, "ok")
    assert await house.poll(sid) == (200, payload)


async def test_polling_closes_upon_an_invalid_packet(house: EchoHouse) -> None:
    """The POST is refused, and the session is no more."""
    sid = await house.handshake()
    assert (await house.post(sid, "abc"))[0] == 400
    assert (await house.poll(sid))[0] == 400


async def test_polling_closes_upon_a_second_poll(house: EchoHouse) -> None:
    """The first one is told to close, the second one is refused."""
    sid = await house.handshake()
    first = await house.begin_poll(sid)
    assert (await house.poll(sid))[0] == 400
    assert await first == (200, "1")
    assert (await house.poll(sid))[0] == 400


async def test_polling_closes_upon_a_cancelled_poll(house: EchoHouse) -> None:
    """The next one is refused: nobody knows what the first one has read."""
    sid = await house.handshake()
    peer = await house.http()
    await peer.get(sid)
    await until(lambda: house.peer.connection.room() > 0, 100_000)
    peer.close()
    assert (await house.poll(sid))[0] == 400


async def test_a_websocket_sends_and_receives_text(house: EchoHouse) -> None:
    """In its own frame."""
    socket = await house.opened_socket()
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


async def test_a_websocket_sends_and_receives_binary(house: EchoHouse) -> None:
    """As it is, without a type."""
    socket = await house.opened_socket()
    await socket.raw.send(BINARY, b"\x01\x02\x03\x04")
    assert await socket.raw.receive() == (BINARY, b"\x01\x02\x03\x04")


async def test_a_websocket_is_closed_upon_an_invalid_packet(house: EchoHouse) -> None:
    """With a close frame."""
    socket = await house.opened_socket()
    await socket.say("abc")
    assert await socket.end() > 0


# Heartbeat


async def test_polling_is_pinged(house: EchoHouse) -> None:
    """Three times, each answered."""
    sid = await house.handshake()
    time = LoopTime()
    for _ in range(3):
        poll = await house.begin_poll(sid)
        await time.advance(0.31)
        assert await poll == (200, "2")
        assert await house.post(sid, "3") == (200, "ok")


async def test_polling_ends_upon_ping_timeout(house: EchoHouse) -> None:
    """At the very end of the time, and not only when the wheel turns."""
    sid = await house.handshake()
    time = LoopTime()
    await time.advance(0.301)
    assert house.peer.reasons == []
    await time.advance(0.2001)
    assert (await house.poll(sid))[0] == 400
    assert house.peer.reasons == ["ping timeout"]
    assert not house.hub.sessions


async def test_a_websocket_is_pinged(house: EchoHouse) -> None:
    """Three times, each answered."""
    socket = await house.opened_socket()
    time = LoopTime()
    for _ in range(3):
        await time.advance(0.31)
        assert await socket.hear() == "2"
        await socket.say("3")
        await socket.say("4heard")
        assert await socket.hear() == "4heard"


async def test_a_websocket_is_closed_upon_ping_timeout(house: EchoHouse) -> None:
    """With a close frame."""
    socket = await house.opened_socket()
    time = LoopTime()
    await time.advance(0.31)
    assert await socket.hear() == "2"
    await time.advance(0.25)
    assert await socket.end() > 0
    assert house.peer.reasons == ["ping timeout"]


# Close


async def test_polling_closes(house: EchoHouse) -> None:
    """The waiting GET gets a noop, the next one is refused."""
    sid = await house.handshake()
    poll = await house.begin_poll(sid)
    assert await house.post(sid, "1") == (200, "ok")
    assert await poll == (200, "6")
    assert (await house.poll(sid))[0] == 400


async def test_polling_closes_also_before_its_poll(house: EchoHouse) -> None:
    """Sent at once, the POST may overtake the GET."""
    sid = await house.handshake()
    assert await house.post(sid, "1") == (200, "ok")
    assert await house.poll(sid) == (200, "6")
    assert (await house.poll(sid))[0] == 400


async def test_a_websocket_closes(house: EchoHouse) -> None:
    """With a close frame."""
    socket = await house.opened_socket()
    await socket.say("1")
    assert await socket.end() > 0
    assert house.peer.reasons == ["transport close"]


# Upgrade


async def test_a_session_is_upgraded(house: EchoHouse) -> None:
    """Probe, a noop for the GET, the switch, and on it goes."""
    sid = await house.handshake()
    socket = await house.probing(sid)
    assert await house.poll(sid) == (200, "6")
    await socket.say("5")
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


async def test_requests_are_refused_after_the_upgrade(house: EchoHouse) -> None:
    """And do no harm."""
    sid = await house.handshake()
    socket = await house.upgrade(sid)
    await until(lambda: house.peer.connection.probe is None, 100_000)
    assert (await house.poll(sid))[0] == 400
    assert (await house.post(sid, "4no"))[0] == 400
    await socket.say("4hello")
    assert await socket.hear() == "4hello"
    assert house.peer.heard == [b"hello"]


async def test_a_second_websocket_is_closed_after_the_upgrade(
    house: EchoHouse,
) -> None:
    """And does no harm."""
    sid = await house.handshake()
    socket = await house.upgrade(sid)
    second = await house.socket(sid)
    assert await second.end() > 0
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


def test_the_published_path_is_ours() -> None:
    """The suite's `/engine.io/` is `/socket.io/` here."""
    assert WEBSOCKET.startswith("/socket.io/")


async def test_sessions_that_ended_leave_nothing(house: EchoHouse) -> None:
    """Neither in the hub nor in the list of ids."""
    sids = [await house.handshake() for _ in range(3)]
    sockets = [await house.opened_socket(), await house.upgrade(sids[0])]
    assert len(house.front) == len(house.hub.sessions) == 4
    for socket in sockets:
        socket.close()
    await asyncio.gather(*(house.post(sid, "abc") for sid in sids[1:]))
    await until(lambda: not house.hub.sessions, 100_000)
    assert len(house.front) == 0
