from __future__ import annotations

import asyncio
import json
import os
import random
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import WSMsgType

from server.errors import NO_PONG, SERVER_ERROR, SHUTDOWN, SLOW
from server.gateways.base import Socket
from server.gateways.native.handler import NativeReceiver
from server.gateways.raw import HIGH_WATER_BYTES, RawWire, tune
from server.hub.session import Session
from server.queues.writer import CATCH_UP_S
from server.settings import Settings
from tests.gateways.conftest import Connect, OpenPlace, Place
from tests.gateways.hosting import leave_waiting
from tests.gateways.peers import CLOSE, PING, PONG, TEXT, RawPeer
from tests.looptime import LoopTime, turns, until

SMALL = Settings(
    outbox_bytes=256 * 1024,
    send_buffer_bytes=16 * 1024,
    ping_interval_s=10,
    ping_timeout_s=5,
    close_timeout_s=0.2,
)


@pytest.fixture
async def place(open_place: OpenPlace) -> Place:
    """A server with small bounds."""
    return await open_place(SMALL)


def session_of(place: Place, user: str) -> Session:
    """A user's session."""
    found = [each for each in place.hub.sessions.values() if each.who.id == user]
    return found[0]


def transport_of(session: Session) -> asyncio.Transport:
    """What the session writes to."""
    assert isinstance(session.wire, Socket)
    transport = session.wire._transport  # noqa: SLF001 - nobody else has to see it
    assert isinstance(transport, asyncio.Transport)
    return transport


async def test_a_reader_that_stops_harms_only_itself(
    place: Place, connect: Connect
) -> None:
    """What waits for it is bounded, it is closed as slow; the others get everything."""
    stuck = await connect("/ws/open/a", receive_bytes=4096)
    reader = await place.connect("/ws/open/a")
    await reader.receive_json(timeout=5)
    session = session_of(place, "g_1")
    transport = transport_of(session)
    text = "x" * 10_000
    for number in range(400):
        await place.hub.publish("open:a", {"n": number, "text": text})
        event = await reader.receive_json(timeout=5)
        assert event["data"]["n"] == number
        assert session.outbox.waiting_bytes <= SMALL.outbox_bytes
        assert transport.get_write_buffer_size() <= HIGH_WATER_BYTES + 11_000
        if session.closed:
            break
    assert place.hub.stats.closed == {SLOW.code: 1}
    async with asyncio.timeout(5):
        # It reads again, and finds out behind what was written before.
        assert await stuck.end() == SLOW.code
    await until(lambda: len(place.hub.sessions) == 1, 20_000)
    await place.hub.publish("open:a", "last")
    assert (await reader.receive_json(timeout=5))["data"] == "last"


async def test_a_reader_that_pauses_gets_everything_in_order(
    place: Place, connect: Connect
) -> None:
    """As long as what waits fits into its outbox."""
    peer = await connect("/ws/open/a", receive_bytes=4096)
    session = session_of(place, "g_1")
    count = 0
    while session.outbox.waiting_bytes < SMALL.outbox_bytes // 2:
        count += 1
        await place.hub.publish("open:a", {"n": count, "text": "x" * 5_000})
    async with asyncio.timeout(10):
        assert (await peer.hear())["type"] == "reply"
        for number in range(1, count + 1):
            data = (await peer.hear())["data"]
            assert isinstance(data, dict)
            assert data["n"] == number
    assert not session.closed
    await until(lambda: not session.outbox)


async def test_signals_to_a_reader_that_pauses_are_merged(
    place: Place, connect: Connect
) -> None:
    """It gets the newest of each key, and is told how many it did not get."""
    peer = await connect("/ws/open/a", receive_bytes=4096)
    other = await place.connect("/ws/open/a")
    session = session_of(place, "g_1")
    pad = "x" * 2_000
    sent = 0
    while session.outbox.waiting_bytes < 5_000 or sent < 300:
        sent += 1
        await other.send_json(
            {
                "type": "signal",
                "event": "at",
                "data": [sent, pad],
                "key": f"k{sent % 3}",
            }
        )
        await other.receive(timeout=5)
    seen, merged = 0, 0
    newest: dict[object, object] = {}
    async with asyncio.timeout(10):
        while seen + merged < sent:
            words = await peer.hear()
            if words["type"] == "gap":
                assert words["skipped"] == 0
                assert isinstance(words["merged"], int)
                merged += words["merged"]
            elif words["type"] == "event":
                seen += 1
                assert isinstance(words["data"], list)
                newest[words["key"]] = words["data"][0]
    assert merged > 0
    assert sorted(str(each) for each in newest.values()) == sorted(
        str(each) for each in (sent, sent - 1, sent - 2)
    )


async def test_a_farewell_that_cannot_be_said_is_cut(
    place: Place, connect: Connect
) -> None:
    """After the close timeout, so that a shutdown ends."""
    stuck = await connect("/ws/open/a", receive_bytes=4096)
    session = session_of(place, "g_1")
    await leave_waiting(place.hub, session)
    sock = transport_of(session).get_extra_info("socket")
    async with asyncio.timeout(5):
        await place.hub.send_away()
        await until(lambda: sock.fileno() == -1, 10_000_000)
        assert await stuck.end() == 0


async def test_a_farewell_waits_for_who_goes_on_talking(
    place: Place, connect: Connect
) -> None:
    """What is said to a closing session is passed over; what waited comes first."""
    peer = await connect("/ws/open/a", receive_bytes=4096)
    session = session_of(place, "g_1")
    await leave_waiting(place.hub, session)
    place.hub.disconnect_all(SHUTDOWN)
    assert session.outbox
    await peer.say({"type": "publish", "channel": "open:b", "data": 1})
    await turns(100)
    assert session.outbox
    async with asyncio.timeout(5):
        assert await peer.end() == SHUTDOWN.code
    assert "open:b" not in place.hub.channels


async def test_a_close_waits_for_its_answer(place: Place, connect: Connect) -> None:
    """RFC 6455 section 7.1.1: what the peer was saying must not reset it."""
    peer = await connect("/ws/open/a")
    while (await peer.hear())["type"] != "reply":
        pass
    transport = transport_of(session_of(place, "g_1"))
    place.hub.disconnect_all(SHUTDOWN)
    opcode, payload = await peer.receive()
    assert (opcode, payload) == (CLOSE, b"\x0b\xb9shutdown; retry 1000 ms")
    await peer.say({"type": "ping"})
    await turns(100)
    assert not transport.is_closing()
    await peer.send(CLOSE, payload[:2])
    await until(transport.is_closing, 1_000_000)
    assert await peer.end() == 0, "nothing is said after the goodbye"


async def test_a_peer_that_does_not_answer_a_close_is_cut(
    place: Place, connect: Connect
) -> None:
    """It was told the code; its connection does not stay."""
    peer = await connect("/ws/open/a")
    place.hub.disconnect_all(SHUTDOWN)
    async with asyncio.timeout(5):
        assert await peer.end() == SHUTDOWN.code


async def test_a_shutdown_with_stuck_peers_ends_in_time(
    place: Place, connect: Connect
) -> None:
    """Also the server's own: handlers end with their connections."""
    for _ in range(3):
        await connect("/ws/open/a", receive_bytes=4096)
    session = session_of(place, "g_1")
    await leave_waiting(place.hub, session)
    async with asyncio.timeout(5):
        await place.client.close()


async def test_who_answers_the_close_of_a_fault_is_not_kept_waiting(
    open_place: OpenPlace,
) -> None:
    """What it sent before could not be understood; its close frame can be."""
    place = await open_place(Settings(close_timeout_s=3))
    peer = await RawPeer.connect(place.port, "/ws")
    await peer.send(3, b"no such frame")
    assert await peer.receive() == (CLOSE, (1002).to_bytes(2, "big"))
    before = asyncio.get_running_loop().time()
    await peer.send(CLOSE, (1002).to_bytes(2, "big"))
    assert await peer.end() == 0
    assert asyncio.get_running_loop().time() - before < place.settings.close_timeout_s
    peer.close()


async def test_what_came_before_the_end_of_a_peer_is_carried_out(
    place: Place, connect: Connect
) -> None:
    """A hundred commands, and then it goes: a clean end is no reason to drop them."""
    peer = await connect("/ws/open/a")
    await peer.hear()
    for number in range(100):
        await peer.say({"type": "publish", "data": number})
    peer.end_sending()
    await until(lambda: not place.hub.sessions, 20_000)
    top = await place.hub.publish("open:a", "last")
    assert top is not None
    assert top.offset == 101


async def stuffed(place: Place, connect: Connect) -> RawPeer:
    """A peer for whom nothing more fits into the transport."""
    peer = await connect("/ws/open/a", receive_bytes=4096)
    await peer.hear()
    await place.hub.publish("open:a", "x" * 150_000)
    session = session_of(place, "g_1")
    await until(lambda: session.wire.room() == 0, 20_000)
    return peer


async def test_a_close_behind_much_is_told_behind_it(
    place: Place, connect: Connect
) -> None:
    """Nothing of what was written before is cut, however full the transport is."""
    peer = await stuffed(place, connect)
    session_of(place, "g_1").close(SERVER_ERROR)
    assert len(str((await peer.hear())["data"])) == 150_000
    opcode, payload = await peer.receive()
    assert (opcode, payload[:2]) == (CLOSE, SERVER_ERROR.code.to_bytes(2, "big"))


async def test_who_reads_nothing_for_long_is_let_go(
    place: Place, connect: Connect
) -> None:
    """Also where nothing more is said to it, so that no bound is met."""
    await stuffed(place, connect)
    time = LoopTime()
    await time.advance(CATCH_UP_S - 20)
    assert place.hub.sessions
    for _ in range(4):
        await time.advance(10)
    assert place.hub.stats.closed == {SLOW.code: 1}


async def test_a_shutdown_waits_for_the_answers(place: Place, connect: Connect) -> None:
    """Each was told, and has said so: a process that ended before could reset it."""
    peers = [await connect("/ws/open/a") for _ in range(2)]
    for peer in peers:
        await peer.hear()
    stopping = asyncio.Task(place.hub.send_away())
    for peer in peers:
        await turns(5)
        assert not stopping.done()
        opcode, payload = await peer.receive()
        assert opcode == CLOSE
        await peer.send(CLOSE, payload[:2])
        assert await peer.end() == 0
    await stopping


async def test_the_kernel_is_told_the_bounds(place: Place, connect: Connect) -> None:
    """On the accepted socket: its send buffer, and how long a machine may be gone."""
    await connect("/ws/open/a")
    sock = transport_of(session_of(place, "g_1")).get_extra_info("socket")
    # The kernel doubles what it is told, for its own bookkeeping.
    buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert buffer_bytes in (SMALL.send_buffer_bytes, 2 * SMALL.send_buffer_bytes)
    timeout_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == SMALL.tcp_user_timeout_s * 1_000


def test_what_is_no_tcp_socket_is_left_alone() -> None:
    """A Unix socket, or none at all."""
    tune(None, SMALL)
    with socket.socket(socket.AF_UNIX) as sock:
        before = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        tune(sock, SMALL)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before


async def test_a_ping_is_answered_with_its_payload(connect: Connect) -> None:
    """RFC 6455 section 5.5.3; a pong that nobody asked for is taken (5.5.3 too)."""
    peer = await connect()
    await peer.send(PONG, b"unasked")
    await peer.send(PING, b"are you there")
    assert await peer.receive() == (PONG, b"are you there")
    await peer.say({"type": "ping"})
    assert await peer.hear() == {"type": "pong"}


async def test_a_silent_peer_is_pinged_and_let_go(
    place: Place, connect: Connect
) -> None:
    """After the interval it is asked; without an answer it is closed with 3012."""
    peer = await connect()
    await until(lambda: place.hub.sessions)
    time = LoopTime()
    await time.advance(10.1)
    assert await peer.receive() == (PING, b"")
    await time.advance(5.1)
    opcode, payload = await peer.receive()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, NO_PONG.code)
    assert place.hub.stats.closed == {NO_PONG.code: 1}


async def test_a_peer_that_answers_stays(place: Place, connect: Connect) -> None:
    """It is asked again after the next interval of silence, and not before."""
    peer = await connect()
    await until(lambda: place.hub.sessions)
    time = LoopTime()
    for _ in range(3):
        await time.advance(10.1)
        assert await peer.receive() == (PING, b"")
        await peer.send(PONG)
        wire = session_of(place, "g_1").wire
        assert isinstance(wire, Socket)
        await until(lambda wire=wire: wire._heard_at >= time.read())  # type: ignore[misc]  # noqa: SLF001
        await time.advance(5.1)
        await time.advance(4.0)
    assert not session_of(place, "g_1").closed


async def test_who_talks_is_not_pinged(place: Place, connect: Connect) -> None:
    """Whatever it says is a sign of life."""
    peer = await connect()
    await until(lambda: place.hub.sessions)
    time = LoopTime()
    for _ in range(5):
        await time.advance(6.0)
        await peer.say({"type": "ping"})
        assert await peer.hear() == {"type": "pong"}


async def test_who_is_kept_waiting_is_not_taken_for_gone(
    place: Place, connect: Connect
) -> None:
    """While its command is carried out it cannot be heard."""
    await place.hub.publish("open:a", 1)
    peer = await connect()
    await until(lambda: place.hub.sessions)
    place.log.read_gate.clear()
    time = LoopTime()
    await peer.say({"type": "subscribe", "channel": "open:a"})
    await until(lambda: place.hub.channels["open:a"].subscriptions, 20_000)
    for _ in range(5):
        await time.advance(10.0)
    assert not session_of(place, "g_1").closed
    place.log.read_gate.set()
    while (frame := await peer.receive())[0] == PING:
        pass
    assert frame[0] == TEXT


async def test_a_fault_in_a_handler_is_told_and_logged(
    place: Place,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The session ends with 3004, behind what waited; the others live."""
    broken, sound = await connect("/ws/open/a"), await place.connect("/ws/open/a")
    await sound.receive_json(timeout=5)

    async def fail(*_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(NativeReceiver, "on_text", fail)
    await place.hub.publish("open:a", 1)
    await broken.say({"type": "ping"})
    assert (await broken.hear())["type"] == "reply"
    assert (await broken.hear())["type"] == "event"
    async with asyncio.timeout(5):
        assert await broken.end() == SERVER_ERROR.code
    assert (await sound.receive_json(timeout=5))["data"] == 1
    assert "a handler failed" in caplog.text


async def test_nobody_waits_for_room_on_a_closing_connection(
    place: Place, connect: Connect
) -> None:
    """There will be none: waiting would return at once, again and again."""
    await connect("/ws/open/a")
    session = session_of(place, "g_1")
    transport_of(session).close()
    assert session.wire.room() == 0
    with pytest.raises(ConnectionResetError):
        await session.wire.writable()


async def test_a_dropped_connection_ends_the_session(
    place: Place, connect: Connect
) -> None:
    """Its presence goes with it."""
    peer = await connect("/ws/open/a")
    await until(lambda: "open:a" in place.hub.channels)
    peer.close()
    await until(lambda: not place.hub.sessions, 20_000)
    assert len(place.hub.channels["open:a"].roster.presence) == 0


async def test_ten_thousand_mutated_frames_leave_a_neighbour_healthy(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is answered or carried out, none leaves a trace in the log."""
    reader = await place.connect("/ws/open/safe")
    await reader.receive_json(timeout=5)
    chance = random.Random(7)
    good = [
        {"type": "publish", "channel": "open:a", "event": "e", "data": {"secret": [1]}},
        {"type": "subscribe", "channel": "open:a", "since": "e.3", "id": 1},
        {"type": "signal", "channel": "tally:a", "event": "add", "data": 1, "key": "k"},
        {"type": "history", "channel": "open:a", "before": "epoch1.1", "limit": 5},
        {"type": "presence", "channel": "chat:a", "id": 9},
        {"type": "unsubscribe", "channel": "open:a"},
        {"type": "ping", "id": 3},
    ]
    frames = [json.dumps(each).encode() for each in good]
    marker = ord("!")
    sent = 0
    while sent < 10_000:
        socket = await place.client.ws_connect("/ws")
        draining = asyncio.Task(_drain(socket.receive))
        while sent < 10_000 and not socket.closed and not draining.done():
            frame = bytearray(chance.choice(frames))
            for _ in range(chance.randint(0, 3)):
                frame[chance.randrange(len(frame))] = chance.choice(
                    (marker, chance.randrange(256), *b'"[]{}:,\\0')
                )
            sent += 1
            try:
                await socket.send_frame(bytes(frame), WSMsgType.TEXT)
            except ConnectionError:
                break
        await socket.close()
        await asyncio.wait([draining])
    await place.hub.publish("open:safe", "well")
    assert (await reader.receive_json(timeout=5))["data"] == "well"
    await until(lambda: len(place.hub.sessions) == 1, 20_000)
    assert [record.message for record in caplog.records] == []


async def _drain(receive: Callable[[], Awaitable[object]]) -> None:
    while getattr(await receive(), "type", None) is WSMsgType.TEXT:
        pass


async def test_a_closed_transport_s_number_is_not_written_to(
    place: Place, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives it to the next connection, whose bytes these are not."""
    peer = await connect("/ws/open/a")
    await peer.receive()
    (session,) = place.hub.sessions.values()
    wire = session.wire
    assert isinstance(wire, RawWire)
    sent: list[bytes] = []

    def write(_: int, chunk: bytes) -> int:
        sent.append(chunk)
        return len(chunk)

    monkeypatch.setattr(os, "write", write)
    assert wire.offer(b"before")
    wire._transport.abort()  # noqa: SLF001
    wire.write(b"after")
    assert wire.room() == 0
    await turns(3)
    assert not wire.offer(b"after")
    wire.write(b"after")
    assert sent == [b"before"]
