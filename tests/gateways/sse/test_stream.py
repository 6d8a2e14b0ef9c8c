"""A stream's own life: its beat, a peer that goes or does not read, the farewell."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from server.errors import FORCED, SHUTDOWN, SLOW
from server.gateways.raw import HIGH_WATER_BYTES
from server.gateways.sse.stream import Stream
from server.settings import Settings
from tests.gateways.hosting import leave_waiting
from tests.looptime import LoopTime, turns, until

if TYPE_CHECKING:
    from server.hub.session import Session

    from .conftest import House, OpenHouse

SMALL = Settings(
    outbox_bytes=256 * 1024,
    send_buffer_bytes=16 * 1024,
    ping_interval_s=10,
    close_timeout_s=0.2,
)
NARROW_MS = (1_000, 3_000)


@pytest.fixture(params=[False, True], ids=["own", "hosted"])
async def house(open_house: OpenHouse, request: pytest.FixtureRequest) -> House:
    """A server with small bounds, our own and a host application's."""
    return await open_house(SMALL, hosted=request.param)


def session_of(house: House) -> Session:
    """The only session."""
    (session,) = house.hub.sessions.values()
    return session


def transport_of(session: Session) -> asyncio.Transport:
    """What it writes to."""
    assert isinstance(session.wire, Stream)
    transport = session.wire._transport  # noqa: SLF001 - nobody else has to see it
    assert isinstance(transport, asyncio.Transport)
    return transport


# The beat


async def test_a_quiet_stream_beats(house: House) -> None:
    """A comment after each interval of silence, which is no event."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    time = LoopTime()
    for beats in range(1, 4):
        for _ in range(11):
            await time.advance(1.03)
        await reader.beat()
        assert reader.comments == beats


async def test_who_hears_something_gets_no_beat(house: House) -> None:
    """What is told shows as well that the stream is alive."""
    reader = await house.follow("/sse/open:a")
    time = LoopTime()
    for number in range(5):
        for _ in range(6):
            await time.advance(1.03)
        await house.hub.publish("open:a", number)
    for number in range(5):
        assert (await reader.hear_of("message")).words["data"] == number
    assert reader.comments == 0


async def test_a_stalled_stream_does_not_beat(house: House) -> None:
    """Beats would pile up behind what its peer does not read."""
    await house.follow("/sse/open:a", receive_bytes=4096)
    session = session_of(house)
    while session.wire.room() > 0:
        await house.hub.publish("open:a", "x" * 5_000)
        await turns(5)
    await turns(20)
    transport = transport_of(session)
    waiting_bytes = transport.get_write_buffer_size()
    assert waiting_bytes > 0
    time = LoopTime()
    for _ in range(30):
        await time.advance(1.03)
    assert transport.get_write_buffer_size() == waiting_bytes


# A peer that goes


async def test_presence_falls_when_a_quiet_reader_goes(house: House) -> None:
    """Within a look, though nothing is written to it."""
    reader, other = (
        await house.follow("/sse/open:a"),
        await house.follow("/sse/open:a?presence=1"),
    )
    await other.hear_of("subscribed")
    transport = transport_of(next(iter(house.hub.sessions.values())))
    time = LoopTime()
    reader.close()
    await until(transport.is_closing, 100_000)
    await time.advance(1.05)
    left = await other.hear_of("leave")
    assert left.words["count"] == 1
    assert len(house.hub.sessions) == 1


async def test_who_goes_while_a_past_is_read_leaves_nothing(house: House) -> None:
    """The join ends with the session, and the handler with the join."""
    await house.hub.publish("open:a", 1)
    await house.hub.publish("open:b", 1)
    reader = await house.follow("/sse/open:b?since=epoch2.0")
    await reader.hear()
    house.log.read_gate.clear()
    late = await house.follow("/sse/open:a?since=epoch1.0")
    await until(lambda: house.hub.channels["open:a"].subscriptions)
    (late_session,) = house.hub.channels["open:a"].subscriptions
    late.close()
    await until(transport_of(late_session).is_closing, 100_000)
    time = LoopTime()
    await time.advance(1.05)
    await until(lambda: len(house.hub.sessions) == 1, 100_000)
    house.log.read_gate.set()
    await turns(50)
    assert not house.hub.channels["open:a"].subscriptions


async def test_nobody_waits_for_room_on_a_closing_connection(house: House) -> None:
    """There will be none: waiting would return at once, again and again."""
    await house.follow("/sse/open:a")
    session = session_of(house)
    transport_of(session).close()
    assert session.wire.room() == 0
    session.wire.write(b"lost")
    with pytest.raises(ConnectionResetError):
        await session.wire.writable()


# A peer that does not read


async def test_a_slow_reader_is_closed_and_resumes(house: House) -> None:
    """What waits for it is bounded; the others get everything; it misses nothing."""
    stuck = await house.follow("/sse/open:a?since=epoch1.0", receive_bytes=4096)
    assert (await stuck.hear()).type == "subscribed"
    session = session_of(house)
    reader = await house.follow("/sse/open:a?since=epoch1.0")
    await reader.hear()
    transport = transport_of(session)
    text, count = "x" * 10_000, 0
    while not session.closed:
        count += 1
        await house.hub.publish("open:a", {"n": count, "text": text})
        assert (await reader.hear()).words["data"]["n"] == count
        assert session.outbox.waiting_bytes <= SMALL.outbox_bytes
        assert transport.get_write_buffer_size() <= HIGH_WATER_BYTES + 11_000
    assert house.hub.stats.closed == {SLOW.code: 1}
    *told, last = await stuck.rest()
    assert (last.type, last.words["code"]) == ("closing", SLOW.code)
    got = [each.words["data"]["n"] for each in told]
    await house.hub.publish("open:a", {"n": count + 1})
    again = await house.follow("/sse/open:a", {"Last-Event-ID": stuck.last_id})
    answer = await again.hear()
    assert answer.words["recovered"] is True
    while not got or got[-1] <= count:
        got.append((await again.hear()).words["data"]["n"])
    assert got == list(range(1, count + 2))


async def test_the_kernel_is_told_the_bounds(house: House) -> None:
    """On the accepted socket: its send buffer, and how long a machine may be gone."""
    await house.follow("/sse/open:a")
    sock = transport_of(session_of(house)).get_extra_info("socket")
    # The kernel doubles what it is told, for its own bookkeeping.
    buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert buffer_bytes in (SMALL.send_buffer_bytes, 2 * SMALL.send_buffer_bytes)
    timeout_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == SMALL.tcp_user_timeout_s * 1_000


# The farewell


async def test_the_farewell_comes_behind_what_waited(house: House) -> None:
    """As an event without an id; then the body and the connection end properly."""
    reader = await house.follow("/sse/open:a?since=epoch1.0", receive_bytes=4096)
    session = session_of(house)
    await leave_waiting(house.hub, session)
    house.hub.disconnect_all(FORCED)
    heard = await reader.rest()
    assert [each.type for each in heard[:2]] == ["subscribed", "message"]
    assert len(heard) > 10
    assert (heard[-1].type, heard[-1].id_line) == ("closing", None)
    assert heard[-1].words == {"code": FORCED.code, "reason": FORCED.reason}
    assert await reader.end() == b"", "nothing stands behind the last chunk"
    assert not house.hub.sessions


async def test_a_drain_spreads_who_comes_back(house: House) -> None:
    """Each is told a time of its own, one that the server can let them in at."""
    readers = [await house.follow("/sse/open:a") for _ in range(3)]
    await house.hub.send_away()
    returns_ms = set()
    for reader in readers:
        closing = (await reader.rest())[-1]
        assert closing.words == {"code": SHUTDOWN.code, "reason": SHUTDOWN.reason}
        first_ms, return_ms = reader.retries
        assert first_ms == NARROW_MS[0]
        returns_ms.add(return_ms)
    assert returns_ms == {1_000, 1_004, 1_008}
    assert house.drawn == [NARROW_MS] * 3


async def test_the_last_words_of_a_drain(house: House) -> None:
    """The time to come back is the first line of the last event."""
    reader = await house.follow("/sse/open:a")
    session_of(house).close(SHUTDOWN.retry(2300))
    assert (await reader.body()).endswith(
        b'\n\nretry: 2300\nevent: closing\ndata: {"code":3001,"reason":"shutdown"}\n\n'
    )


async def test_who_is_cut_one_by_one_comes_back_by_itself(house: House) -> None:
    """Without a time the reader's own stays: only many at once have to be spread."""
    reader = await house.follow("/sse/open:a")
    session_of(house).close(SHUTDOWN)
    await reader.rest()
    assert reader.retries == [NARROW_MS[0]]


async def test_who_is_not_wanted_is_told_to_wait_long(house: House) -> None:
    """An EventSource comes back even so; a page that closes it does not."""
    reader = await house.follow("/sse/open:a")
    house.hub.disconnect_all(FORCED)
    await reader.rest()
    assert reader.retries == [1_000, 30_000]


async def test_a_farewell_that_cannot_be_said_is_cut(house: House) -> None:
    """After the close timeout, so that a shutdown ends."""
    stuck = await house.follow("/sse/open:a", receive_bytes=4096)
    session = session_of(house)
    await leave_waiting(house.hub, session)
    sock = transport_of(session).get_extra_info("socket")
    async with asyncio.timeout(5):
        await house.hub.send_away()
        await until(lambda: sock.fileno() == -1, 10_000_000)
    assert all(each.type != "closing" for each in await stuck.rest())


async def test_a_shutdown_with_stuck_readers_ends_in_time(house: House) -> None:
    """Also the server's own: handlers end with their connections."""
    for _ in range(3):
        await house.follow("/sse/open:a", receive_bytes=4096)
    session = next(iter(house.hub.sessions.values()))
    await leave_waiting(house.hub, session)
    async with asyncio.timeout(5):
        await house.client.close()


async def test_a_second_goodbye_is_none(house: House) -> None:
    """Whoever asks for it twice is told once."""
    reader = await house.follow("/sse/open:a")
    session = session_of(house)
    session.close(FORCED)
    session.wire.close(SHUTDOWN)
    closing = [each for each in await reader.rest() if each.type == "closing"]
    assert [each.words["code"] for each in closing] == [FORCED.code]


# HTTP/1.0


async def test_http_1_0_reads_until_the_end(house: House) -> None:
    """Without chunks; the rest is the same."""
    reader = await house.follow("/sse/open:a", version="1.0")
    assert "transfer-encoding" not in reader.headers
    await reader.hear()
    await house.hub.publish("open:a", "x")
    assert (await reader.hear()).words["data"] == "x"
    house.hub.disconnect_all(FORCED)
    assert [each.type for each in await reader.rest()] == ["closing"]
