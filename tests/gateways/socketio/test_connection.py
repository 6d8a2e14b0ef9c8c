"""One Engine.IO session: its packets, its heartbeat, its end."""

from __future__ import annotations

import asyncio

import pytest

from server.errors import FORCED, INVALID, NO_PONG, SERVER_ERROR, SHUTDOWN, Disconnect
from server.gateways import frames
from tests.gateways.peers import BINARY, CLOSE, PING, PONG
from tests.gateways.socketio.conftest import SETTINGS
from tests.gateways.socketio.engine_peers import EchoHouse
from tests.looptime import LoopTime, turns, until

# Packets


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"abc",
        b"7",
        b'0{"sid":"x"}',
        b"2",
        b"2probe",
        b"5",
        b"4\xff",
        b"bAQ*=",
        b"b*",
    ],
)
async def test_what_is_no_packet_ends_it(house: EchoHouse, frame: bytes) -> None:
    """Or is one out of its place; with a code that says: do not come back so."""
    socket = await house.opened_socket()
    await socket.say(frame)
    assert await socket.end() == INVALID.code
    assert house.peer.heard == []
    assert house.peer.reasons == ["parse error"]
    assert len(house.front) == 0


async def test_a_noop_is_nothing(house: EchoHouse) -> None:
    """It is taken."""
    socket = await house.opened_socket()
    await socket.say("6")
    await socket.say("4hello")
    assert await socket.hear() == "4hello"


async def test_base64_is_binary_on_a_websocket_too(house: EchoHouse) -> None:
    """Clients without binary frames send it so."""
    socket = await house.opened_socket()
    await socket.say("bAQIDBA==")
    assert await socket.raw.receive() == (BINARY, b"\x01\x02\x03\x04")


async def test_an_oversized_frame_ends_it(house: EchoHouse) -> None:
    """RFC 6455 section 7.4.1: 1009."""
    socket = await house.opened_socket()
    await socket.say(b"4" + b"x" * (SETTINGS.max_frame_bytes + 1))
    assert await socket.end() == 1009
    assert house.peer.heard == []


async def test_messages_are_handed_over_one_at_a_time(house: EchoHouse) -> None:
    """In order, also by WebSocket."""
    socket = await house.opened_socket()
    house.peer.gate.clear()
    for number in range(50):
        await socket.say(f"4{number}")
    await until(lambda: house.peer.at_once, 100_000)
    await turns(100)
    house.peer.gate.set()
    assert [await socket.hear() for _ in range(50)] == [f"4{n}" for n in range(50)]
    assert house.peer.most_at_once == 1


async def test_a_fault_in_the_peer_ends_it(
    house: EchoHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the others live."""
    other = await house.opened_socket()
    socket = await house.opened_socket()
    house.peer.fault = RuntimeError("boom")
    await socket.say("4hello")
    assert await socket.end() == SERVER_ERROR.code
    assert caplog.text.count("a handler failed") == 1
    await other.say("4hello")
    assert await other.hear() == "4hello"


# Heartbeat


async def test_who_talks_is_pinged_all_the_same(house: EchoHouse) -> None:
    """The client counts the seconds from ping to ping, whatever it says meanwhile."""
    socket = await house.opened_socket()
    time = LoopTime()
    for _ in range(3):
        for word in ("4one", "4two"):
            await time.advance(4)
            await socket.say(word)
            assert await socket.hear() == word
        await time.advance(2.1)
        assert await socket.hear() == "2"
    assert not house.peer.session.closed, "what it says is a sign of life"


async def test_pongs_that_nobody_asked_for_begin_nothing(house: EchoHouse) -> None:
    """CVE-2026-48802: thousands of them, and still one ping in an interval."""
    socket = await house.opened_socket()
    tasks = len(asyncio.all_tasks())
    for _ in range(4_000):
        await socket.say("3")
    await socket.say("4heard")
    assert await socket.hear() == "4heard"
    assert len(asyncio.all_tasks()) <= tasks
    time = LoopTime()
    for _ in range(3):
        await time.advance(10.1)
        assert await socket.hear() == "2"
        await socket.say("3")
        await socket.say("4heard")
        assert await socket.hear() == "4heard"


async def test_who_is_silent_is_let_go(house: EchoHouse) -> None:
    """After the interval it is pinged, after the timeout closed."""
    socket = await house.opened_socket()
    time = LoopTime()
    await time.advance(10.1)
    assert await socket.hear() == "2"
    await time.advance(4.5)
    assert not house.peer.session.closed
    await time.advance(0.6)
    assert await socket.end() == NO_PONG.code
    assert house.hub.stats.closed == {NO_PONG.code: 1}
    assert house.peer.reasons == ["ping timeout"]


async def test_who_is_kept_waiting_is_not_taken_for_gone(house: EchoHouse) -> None:
    """While its message is carried out, its pong cannot be read."""
    socket = await house.opened_socket()
    house.peer.gate.clear()
    await socket.say("4one")
    await until(lambda: house.peer.at_once, 100_000)
    time = LoopTime()
    for _ in range(5):
        await time.advance(10.1)
    assert not house.peer.session.closed
    house.peer.gate.set()
    while (word := await socket.hear()) == "2":
        pass
    assert word == "4one"


async def test_a_websocket_s_own_pings_are_answered(house: EchoHouse) -> None:
    """RFC 6455 section 5.5.3; they are none of Engine.IO's."""
    socket = await house.opened_socket()
    await socket.raw.send(PING, b"there?")
    assert await socket.raw.receive() == (PONG, b"there?")


# Its end


@pytest.mark.parametrize(
    ("disconnect", "reason"),
    [
        (FORCED, "forced server close"),
        (SHUTDOWN, "server shutting down"),
        (SHUTDOWN.retry(2300), "server shutting down"),
        (INVALID, "parse error"),
    ],
)
async def test_a_farewell_is_said_behind_what_waited(
    house: EchoHouse, disconnect: Disconnect, reason: str
) -> None:
    """Then comes the close frame, with the code; its peer is told why, once."""
    socket = await house.opened_socket()
    house.peer.goodbye = frames.text(b"4bye")
    house.peer.say(b"last")
    house.peer.session.close(disconnect)
    assert await socket.hear() == "4last"
    assert await socket.hear() == "4bye"
    opcode, payload = await socket.raw.receive()
    assert opcode == CLOSE
    assert payload == disconnect.code.to_bytes(2, "big") + disconnect.words.encode()
    socket.close()
    await until(lambda: len(house.front) == 0, 100_000)
    assert house.peer.reasons == [reason]


async def test_who_goes_without_a_word_is_gone(house: EchoHouse) -> None:
    """For the hub, for the peer, and from the list of ids."""
    socket = await house.opened_socket()
    socket.close()
    await until(lambda: not house.hub.sessions, 100_000)
    assert house.peer.reasons == ["transport close"]
    assert len(house.front) == 0


async def test_a_closing_client_that_does_not_answer_is_cut(house: EchoHouse) -> None:
    """After the close timeout."""
    socket = await house.opened_socket()
    house.peer.session.close(FORCED)
    opcode, _ = await socket.raw.receive()
    assert opcode == CLOSE
    assert await socket.raw.end() == 0
    await until(lambda: len(house.front) == 0, 100_000)


async def test_what_is_said_while_it_closes_is_passed_over(house: EchoHouse) -> None:
    """Nothing is handed over any more."""
    socket = await house.opened_socket()
    house.peer.session.close(FORCED)
    await socket.say("4late")
    assert await socket.end() == FORCED.code
    assert house.peer.heard == []
