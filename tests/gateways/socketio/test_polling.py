"""Long-polling: what arrives whole, what is refused, and who is bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from server.errors import FORCED, INVALID, NO_PONG, SERVER_ERROR, SHUTDOWN, SLOW
from server.gateways import frames
from server.gateways.socketio.engine import MAX_PACKETS
from server.gateways.socketio.poll import POLL_BYTES
from server.gateways.socketio.polling import LOOK_S
from server.settings import Settings
from tests.gateways.peers import BINARY
from tests.gateways.socketio.conftest import SETTINGS, OpenHouse
from tests.gateways.socketio.engine_peers import POLL, STUCK_BYTES, EchoHouse
from tests.looptime import LoopTime, turns, until

BIG = Settings(max_frame_bytes=1_000_000, close_timeout_s=0.2)


async def is_over(house: EchoHouse, sid: str) -> bool:
    """Whether a session is no more, for its client and for the hub."""
    return (await house.poll(sid))[0] == 400 and not house.hub.sessions


# What arrives


async def test_a_large_post_arrives_whole(open_house: OpenHouse) -> None:
    """200,000 bytes, of which a single read would give a part."""
    house = await open_house(BIG)
    sid = await house.handshake()
    message = "é" * 50_000 + "x" * 100_000
    assert await house.post(sid, "4" + message) == (200, "ok")
    assert house.peer.heard == [message.encode()]


async def test_a_post_in_two_segments_arrives_whole(house: EchoHouse) -> None:
    """3,000 bytes: nothing counts before the last of them."""
    sid = await house.handshake()
    body = b"4" + b"a" * 1_000 + b"\x1e4" + b"b" * 1_997
    http = await house.http()
    await http.post(sid, 3_000, body[:1_500])
    await turns(200)
    assert house.peer.heard == []
    await http.pour(body[1_500:])
    assert await http.status() == 200
    assert house.peer.heard == [b"a" * 1_000, b"b" * 1_997]


async def test_a_chunked_post_arrives_whole(house: EchoHouse) -> None:
    """Its length is not known before its end."""
    sid = await house.handshake()
    http = await house.http()
    head = f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: localhost\r\n"
    await http.pour(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
    for part in (b"4he", b"llo", b"\x1e4you"):
        await http.pour(b"%x\r\n%b\r\n" % (len(part), part))
        await turns(50)
    await http.pour(b"0\r\n\r\n")
    assert await http.status() == 200
    assert house.peer.heard == [b"hello", b"you"]


async def test_binary_goes_to_both_ways_alike(house: EchoHouse) -> None:
    """The same frame for a client that polls and for one with a WebSocket."""
    sid = await house.handshake()
    polling = house.peer
    socket = await house.opened_socket()
    frame = frames.binary(b"\x01\x02\x03\x04")
    for peer in (polling, house.peer, polling, house.peer):
        peer.session.push(frame, None)
    assert await house.poll(sid) == (200, "bAQIDBA==\x1ebAQIDBA==")
    for _ in range(2):
        assert await socket.raw.receive() == (BINARY, b"\x01\x02\x03\x04")


async def test_a_waiting_poll_is_answered_when_there_is_something(
    house: EchoHouse,
) -> None:
    """With all that gathered in one turn, as text that nobody keeps."""
    sid = await house.handshake()
    poll = asyncio.create_task(house.client.get(f"{POLL}&sid={sid}").__aenter__())
    await until(lambda: house.peer.connection.room() > 0, 100_000)
    house.peer.say("é".encode())
    house.peer.say(b"two")
    answer = await poll
    assert await answer.text() == "4é\x1e4two"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_much_is_told_in_many_answers(open_house: OpenHouse) -> None:
    """In order, each but for one frame within its bound."""
    house = await open_house(BIG)
    sid = await house.handshake()
    for number in range(50):
        house.peer.say(b"%d " % number + b"x" * 9_990)
    told: list[str] = []
    while len(told) < 50:
        status, text = await house.poll(sid)
        assert status == 200
        assert len(text) <= POLL_BYTES + 10_000
        told += text.split("\x1e")
    assert [int(each[1:].split()[0]) for each in told] == list(range(50))


async def test_a_frame_larger_than_an_answer_is_not_stuck(
    open_house: OpenHouse,
) -> None:
    """It goes alone."""
    house = await open_house(BIG)
    sid = await house.handshake()
    house.peer.say(b"x" * (2 * POLL_BYTES))
    house.peer.say(b"next")
    assert await house.poll(sid) == (200, "4" + "x" * (2 * POLL_BYTES))
    assert await house.poll(sid) == (200, "4next")


async def test_a_conflated_signal_leaves_when_it_is_due(house: EchoHouse) -> None:
    """Queued while no GET waited, and not yet due when one came."""
    sid = await house.handshake()
    session = house.peer.session
    session.intervals["open:a"] = 0.5
    session.push_signal(frames.text(b"4one"), "open:a", "key")
    assert await house.poll(sid) == (200, "4one")
    time = LoopTime()
    session.push_signal(frames.text(b"4two"), "open:a", "key")
    await turns(10)
    poll = await house.begin_poll(sid)
    await turns(100)
    assert not poll.done()
    await time.advance(0.6)
    assert await poll == (200, "4two")


# Posts that are refused


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"abc",
        b"4a\x1e",
        b"4\xff\xfe",
        b"bAQ*DBA==",
        b"7",
        b'0{"sid":"x"}',
        b"2",
        b"2probe",
        b"5",
        b"\x1e".join([b"4"] * (MAX_PACKETS + 1)),
    ],
)
async def test_a_bad_payload_ends_the_session(house: EchoHouse, body: bytes) -> None:
    """No packet, bad base64, no UTF-8, a packet out of its place, far too many."""
    sid = await house.handshake()
    status, text = await house.post(sid, body)
    assert (status, json.loads(text)) == (400, {"code": 3, "message": "Bad request"})
    assert await is_over(house, sid)
    assert house.peer.reasons == ["parse error"]
    assert house.hub.stats.closed == {INVALID.code: 1}


async def test_what_came_before_a_bad_packet_counts(house: EchoHouse) -> None:
    """It was carried out before the fault was met; what came behind was not."""
    sid = await house.handshake()
    assert (await house.post(sid, "4one\x1eabc\x1e4two"))[0] == 400
    assert house.peer.heard == [b"one"]


async def test_the_binary_bodies_of_old_clients_are_refused(house: EchoHouse) -> None:
    """`application/octet-stream` is protocol 3's; in 4 binary is base64."""
    sid = await house.handshake()
    headers = {"Content-Type": "application/octet-stream"}
    path = f"{POLL}&sid={sid}"
    async with house.client.post(path, data=b"4hello", headers=headers) as answer:
        assert answer.status == 400
    assert await is_over(house, sid)
    assert house.peer.heard == []


@pytest.mark.parametrize("how", ["whole", "chunked"])
async def test_an_oversized_post_is_refused(house: EchoHouse, how: str) -> None:
    """With 413 and the bound; nothing of it counts, and the session lives."""
    sid = await house.handshake()
    body = b"4" + b"x" * SETTINGS.max_frame_bytes

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    content = parts() if how == "chunked" else body
    async with house.client.post(f"{POLL}&sid={sid}", data=content) as answer:
        assert answer.status == 413
        assert str(SETTINGS.max_frame_bytes) in await answer.text()
    assert house.peer.heard == []
    assert (await house.post(sid, body[:-1]))[0] == 200
    assert len(house.peer.heard) == 1


async def test_a_second_post_ends_the_session(house: EchoHouse) -> None:
    """Two at once have no order."""
    sid = await house.handshake()
    house.peer.gate.clear()
    first = asyncio.create_task(house.post(sid, "4one\x1e4two"))
    await until(lambda: house.peer.at_once, 100_000)
    assert (await house.post(sid, "4three"))[0] == 400
    house.peer.gate.set()
    assert (await first)[0] == 400, "not all of it was carried out"
    assert house.peer.heard == [b"one"]
    assert await is_over(house, sid)


@pytest.mark.parametrize("server", ["cancels", "does not"])
async def test_a_post_that_breaks_ends_the_session(
    open_house: OpenHouse, server: str
) -> None:
    """And nothing of it counts, whether or not the server cancels its handler."""
    house = await open_house(cancels=server == "cancels")
    sid = await house.handshake()
    http = await house.http()
    await http.post(sid, 3_000, b"4one\x1e4two")
    await turns(200)
    http.close()
    await until(lambda: not house.hub.sessions, 100_000)
    assert house.peer.heard == []
    assert house.peer.reasons == ["transport close"]
    assert await is_over(house, sid)


async def test_a_post_that_never_ends_does_not_stay(house: EchoHouse) -> None:
    """Its client cannot send a pong beside it: its time ends, and it is cut."""
    sid = await house.handshake()
    http = await house.http()
    await http.post(sid, 3_000, b"4one")
    await turns(200)
    time = LoopTime()
    await time.advance(10.1)
    await time.advance(5.1)
    assert house.peer.reasons == ["ping timeout"]
    await time.advance(SETTINGS.close_timeout_s + 0.1)
    assert await http.status() == 0
    assert house.peer.heard == []


# One thing at a time


async def test_messages_are_handed_over_one_at_a_time(house: EchoHouse) -> None:
    """In order; while the peer waits, so does the POST."""
    sid = await house.handshake()
    house.peer.gate.clear()
    post = asyncio.create_task(house.post(sid, "\x1e".join(f"4{n}" for n in range(50))))
    await until(lambda: house.peer.at_once, 100_000)
    await turns(200)
    assert not post.done()
    house.peer.gate.set()
    assert await post == (200, "ok")
    assert house.peer.heard == [b"%d" % number for number in range(50)]
    assert house.peer.most_at_once == 1


async def test_who_is_kept_waiting_is_not_taken_for_gone(house: EchoHouse) -> None:
    """While its POST is carried out, its pong cannot come."""
    sid = await house.handshake()
    house.peer.gate.clear()
    post = asyncio.create_task(house.post(sid, "4one"))
    await until(lambda: house.peer.at_once, 100_000)
    time = LoopTime()
    for _ in range(5):
        await time.advance(10.1)
    assert house.peer.reasons == []
    house.peer.gate.set()
    assert await post == (200, "ok")
    assert await house.poll(sid) == (200, "4one\x1e2")


async def test_a_fault_in_the_peer_is_told_and_logged(
    house: EchoHouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The session ends; the next GET says so."""
    sid = await house.handshake()
    house.peer.fault = RuntimeError("boom")
    house.peer.goodbye = frames.text(b"4sorry")
    assert (await house.post(sid, "4one"))[0] == 200
    assert "a handler failed" in caplog.text
    assert house.hub.stats.closed == {SERVER_ERROR.code: 1}
    assert await house.poll(sid) == (200, "4sorry")
    assert await house.poll(sid) == (200, "1")
    assert await is_over(house, sid)


# Who does not come


async def test_who_does_not_poll_is_bounded(house: EchoHouse) -> None:
    """Its outbox fills, and it is closed as slow; it is told if it comes."""
    sid = await house.handshake()
    peer = house.peer
    while not peer.session.closed:
        peer.say(b"x" * 10_000)
        assert peer.session.outbox.waiting_bytes <= SETTINGS.outbox_bytes
        await turns(2)
    assert house.hub.stats.closed == {SLOW.code: 1}
    assert not house.hub.sessions
    assert await house.poll(sid) == (200, "1")
    assert await is_over(house, sid)


async def test_a_ping_waits_for_the_next_poll(house: EchoHouse) -> None:
    """Behind what waited before it, in the same answer."""
    sid = await house.handshake()
    house.peer.say(b"first")
    time = LoopTime()
    await time.advance(10.1)
    assert await house.poll(sid) == (200, "4first\x1e2")
    assert await house.post(sid, "3") == (200, "ok")


async def test_polls_are_no_sign_of_life(house: EchoHouse) -> None:
    """A proxy may go on polling for a client that is gone: only packets count."""
    sid = await house.handshake()
    time = LoopTime()
    await time.advance(10.1)
    assert await house.poll(sid) == (200, "2")
    poll = await house.begin_poll(sid)
    await time.advance(5.1)
    assert await poll == (200, "1")
    assert house.hub.stats.closed == {NO_PONG.code: 1}
    assert await is_over(house, sid)


async def test_a_poll_that_breaks_is_noticed_at_once(house: EchoHouse) -> None:
    """Also where there is nothing to tell: presence falls."""
    sid = await house.handshake()
    http = await house.begin_raw_poll(sid)
    LoopTime()
    http.close()
    await until(lambda: not house.hub.sessions, 100_000)
    assert house.peer.reasons == ["transport close"]
    assert await is_over(house, sid)


async def test_a_poll_that_breaks_is_noticed_in_any_host(open_house: OpenHouse) -> None:
    """Within a second, where the server lets its handler wait."""
    house = await open_house(cancels=False)
    sid = await house.handshake()
    http = await house.begin_raw_poll(sid)
    time = LoopTime()
    http.close()
    await until(lambda: house.peer.connection.room() == 0, 100_000)
    assert house.hub.sessions
    await time.advance(LOOK_S + 0.1)
    assert not house.hub.sessions
    assert house.peer.reasons == ["transport close"]
    assert await is_over(house, sid)


async def test_nothing_is_written_to_a_poll_that_broke(open_house: OpenHouse) -> None:
    """It would be lost without anybody's knowing."""
    house = await open_house(cancels=False)
    sid = await house.handshake()
    http = await house.begin_raw_poll(sid)
    LoopTime()
    http.close()
    await until(lambda: house.peer.connection.room() == 0, 100_000)
    house.peer.say(b"one")
    await turns(50)
    assert house.peer.session.outbox
    assert house.hub.stats.writes == 0


async def test_a_handshake_that_nobody_follows_ends(house: EchoHouse) -> None:
    """By the ping timeout; nothing stays of it."""
    await house.handshake()
    time = LoopTime()
    await time.advance(10.1)
    await time.advance(5.1)
    assert not house.hub.sessions
    await time.advance(1)
    assert len(house.front) == 0


async def test_an_answer_that_breaks_ends_the_session(roomy: EchoHouse) -> None:
    """Half of it may have been read; what came behind it must not be told."""
    sid = await roomy.handshake()
    stuck = await roomy.stuck_poll(sid)
    await turns(100)
    stuck.close()
    await until(lambda: not roomy.hub.sessions, 100_000)
    assert roomy.peer.reasons == ["transport close"]
    assert await is_over(roomy, sid)


async def test_an_answer_that_is_not_read_is_cut(open_house: OpenHouse) -> None:
    """When its session ends, after the close timeout; until then others are fine."""
    house = await open_house(Settings(outbox_bytes=32 * 1024**2, close_timeout_s=0.2))
    sid = await house.handshake()
    stuck = await house.stuck_poll(sid)
    await turns(100)
    assert house.peer.connection.room() == 0
    house.peer.session.close(FORCED)
    await until(lambda: len(house.front) == 0, 10_000_000)
    assert await stuck.rest() < STUCK_BYTES


# Its end


async def test_a_farewell_is_said_to_the_poll_that_waits(house: EchoHouse) -> None:
    """Behind what waited. The close packet comes alone: see `Polling.finish`."""
    sid = await house.handshake()
    house.peer.goodbye = frames.text(b"4bye")
    poll = await house.begin_poll(sid)
    house.peer.say(b"last")
    house.peer.session.close(FORCED)
    assert await poll == (200, "4last\x1e4bye")
    assert await house.poll(sid) == (200, "1")
    assert house.peer.reasons == ["forced server close"]
    assert await is_over(house, sid)


async def test_a_farewell_waits_for_the_next_poll(house: EchoHouse) -> None:
    """What is said meanwhile is refused, not answered as if it counted."""
    sid = await house.handshake()
    house.peer.goodbye = frames.text(b"4bye")
    house.peer.session.close(FORCED)
    assert (await house.post(sid, "4late"))[0] == 400
    assert house.peer.heard == []
    assert await house.poll(sid) == (200, "4bye")
    assert await house.poll(sid) == (200, "1")
    assert await is_over(house, sid)


async def test_a_farewell_does_not_wait_for_ever(house: EchoHouse) -> None:
    """After the close timeout the id is nobody's."""
    sid = await house.handshake()
    house.peer.session.close(FORCED)
    assert len(house.front) == 1
    time = LoopTime()
    await time.advance(SETTINGS.close_timeout_s + 0.1)
    assert len(house.front) == 0
    assert await is_over(house, sid)


async def test_what_waited_is_told_before_the_farewell(house: EchoHouse) -> None:
    """By the next poll, if it comes in time."""
    sid = await house.handshake()
    house.peer.say(b"last")
    house.peer.session.close(FORCED)
    assert await house.poll(sid) == (200, "4last")
    assert await house.poll(sid) == (200, "1")
    assert await is_over(house, sid)


async def test_a_shutdown_does_not_wait_for_pollers(house: EchoHouse) -> None:
    """Who waits is told, who does not wait is not waited for."""
    sid = await house.handshake()
    poll = await house.begin_poll(sid)
    await house.handshake()
    LoopTime()
    await house.hub.send_away(SHUTDOWN)
    assert await poll == (200, "1")
    assert [peer.reasons for peer in house.peers] == [["server shutting down"]] * 2
