"""Too many frames: each kind of flood, by each wire, and who is beside it."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp._websocket.reader import WebSocketDataQueue

from server.errors import FLOODED
from server.gateways.flood import FLOOD, Allowance, Reader
from server.settings import Settings
from tests.contracts.gateways.house import PREFIX, open_house
from tests.gateways.peers import RawPeer, upgrade
from tests.gateways.tcp import Tcp
from tests.looptime import LoopTime, until

if TYPE_CHECKING:
    from aiohttp.base_protocol import BaseProtocol

    from tests.gateways.conftest import OpenPlace

PER_S = 100
TIGHT = Settings(frames_per_s=PER_S, close_timeout_s=0.2)
PING = b'{"type":"ping"}'


def frame(first: int, payload: bytes = b"") -> bytes:
    """Return a masked frame with a mask that changes nothing."""
    return bytes((first, 0x80 | len(payload))) + bytes(4) + payload


TINY = frame(0x81, PING)
"""The smallest command."""
FLOODS = {
    "text": TINY,
    "ping": frame(0x89),
    "pong": frame(0x8A),
    "empty fragments": frame(0x00),
    "fragments": frame(0x00, b" "),
}
BEGIN = frame(0x01, b" ")
END = frame(0x80, PING)
"""The last fragment of a message that is answered."""


async def is_answered(peer: RawPeer) -> None:
    """Read on to the answer of `PING`."""
    while b'"pong"' not in (await peer.receive())[1]:
        pass


# The allowance


async def test_a_second_s_worth_may_come_at_once() -> None:
    """And not one more, until time has passed."""
    time, allowance = LoopTime(), Allowance(10)
    assert [allowance.take() for _ in range(12)] == [True] * 10 + [False] * 2
    await time.advance(0.35)
    assert [allowance.take() for _ in range(4)] == [True] * 3 + [False]
    await time.advance(60.0)
    assert [allowance.take() for _ in range(11)] == [True] * 10 + [False]


async def test_who_keeps_to_the_rate_never_has_too_many() -> None:
    """However long it goes on."""
    time, allowance = LoopTime(), Allowance(10)
    for _ in range(500):
        assert allowance.take()
        await time.advance(0.1)


# What is counted


@pytest.mark.parametrize("kind", FLOODS)
async def test_every_frame_counts(open_place: OpenPlace, kind: str) -> None:
    """As many as the setting says are taken; one more, and the session ends with 3013.

    After a second there may be as many again.
    """
    place = await open_place(TIGHT)
    peer = await place.raw("/ws/open/a")
    time = LoopTime()
    before, after = (BEGIN, END) if "fragments" in kind else (b"", TINY)
    count = PER_S - 1 - bool(before)
    for _ in range(3):
        await peer.pour(before + FLOODS[kind] * count + after)
        await is_answered(peer)
        await time.advance(1.0)
    await peer.pour(before + FLOODS[kind] * (count + 2))
    assert await peer.goodbye() == (FLOODED.code, FLOODED.reason)
    assert place.hub.stats.closed == {FLOODED.code: 1}
    assert not place.hub.sessions


async def test_none_is_too_many_where_there_is_no_limit(open_place: OpenPlace) -> None:
    """A message of 20,000 empty fragments is one, then."""
    place = await open_place(Settings(frames_per_s=0))
    peer = await place.raw("/ws/open/a")
    await peer.pour(BEGIN + frame(0x00) * 20_000 + END)
    await is_answered(peer)


async def test_what_was_sent_with_the_handshake_counts(open_place: OpenPlace) -> None:
    """It is there before the session is."""
    place = await open_place(TIGHT)
    LoopTime()
    tcp = await Tcp.dial(place.port)
    await tcp.pour(upgrade("/ws/open/a") + TINY * (PER_S + 1))
    said = b""
    while FLOODED.reason.encode() not in said:
        said += await tcp.read()
    assert said.count(b'{"type":"pong"}') == PER_S
    tcp.close()


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_harms_nobody_else(open_place: OpenPlace, kind: str) -> None:
    """A neighbour is told all that is said meanwhile, in order, with default bounds."""
    place = await open_place()
    neighbour = await place.connect("/ws/open/safe")
    await neighbour.receive_json(timeout=5)
    peer = await place.raw("/ws/open/a")
    flood = FLOODS[kind] * 20_000

    async def pour() -> None:
        await peer.pour(BEGIN if "fragments" in kind else b"")
        for _ in range(10):
            await peer.pour(flood)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        pouring = group.create_task(pour())
        ending = group.create_task(peer.goodbye())
        for number in range(50):
            await place.hub.publish("open:safe", number)
            assert (await neighbour.receive_json(timeout=5))["data"] == number
            await asyncio.sleep(0)
    # All of it was taken from the connection, so that its peer could read the end.
    assert pouring.done()
    assert ending.result() == (FLOODED.code, FLOODED.reason)
    await until(lambda: len(place.hub.sessions) == 1, 20_000)


# The other wires


async def test_a_flood_of_yjs_may_come_back_later() -> None:
    """In the words of its stock client: 1013."""
    async with open_house(TIGHT) as house:
        peer = await RawPeer.connect(house.port, f"{PREFIX}/ws/notes/a?as=ada")
        # An awareness query, which is answered.
        await peer.pour(frame(0x82, b"\x03") * 2_000)
        assert await peer.goodbye() == (1013, FLOODED.reason)
        peer.close()


async def test_a_flood_of_socketio_is_told_why() -> None:
    """Also by an event, for those whose client hides the code."""
    async with open_house(TIGHT) as house:
        path = f"{PREFIX}/socket.io/?EIO=4&transport=websocket&as=ada"
        peer = await RawPeer.connect(house.port, path)
        await peer.pour(frame(0x81, b"40") + frame(0x81, b"3") * 2_000)
        heard = b""
        while b'"closing"' not in heard:
            heard = (await peer.receive())[1]
        assert b"3013" in heard
        assert await peer.goodbye() == (FLOODED.code, FLOODED.reason)
        peer.close()


async def test_a_flood_by_long_polling_counts_packets() -> None:
    """A payload has many: too many end the session, whose id is nobody's then."""
    async with open_house(TIGHT) as house, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{house.port}{PREFIX}/socket.io/"
        query = {"EIO": "4", "transport": "polling", "as": "ada"}
        async with http.get(url, params=query) as answer:
            query["sid"] = (await answer.json(content_type=None, loads=_opened))["sid"]
        few, many = ("\x1e".join(["3"] * count) for count in (50, 2_000))
        async with http.post(url, params=query, data=few) as ok:
            assert ok.status == 200
        async with http.post(url, params=query, data=many) as refused:
            assert refused.status == 400
        assert house.hub.stats.closed[FLOODED.code] == 1
        assert not house.sessions("ada")
        async with http.get(url, params=query) as last:
            assert (await last.read())[:1] in (b"1", b"6", b"4")


def _opened(text: str) -> object:
    return aiohttp.typedefs.DEFAULT_JSON_DECODER(text[1:])


# The reader


class Line:
    """A connection, as far as aiohttp's queue needs one."""

    _reading_paused = False

    def pause_reading(self) -> None:
        """Nobody reads."""

    def resume_reading(self) -> None:
        """Nobody reads."""


def reader_of(most_bytes: int, per_s: int = 10**6) -> tuple[WebSocketDataQueue, Reader]:
    """Return a reader and what it reads."""
    line: BaseProtocol = Line()  # type: ignore[assignment]
    messages = WebSocketDataQueue(line, 2**20, loop=asyncio.get_running_loop())
    return messages, Reader(messages, most_bytes, Allowance(per_s), compress=False)


async def test_a_frame_byte_by_byte_is_read_within_bounds() -> None:
    """64 KiB in as many reads: the objects that are held meanwhile are bounded, too."""
    messages, reader = reader_of(70_000)
    whole = bytes((0x82, 0xFF)) + (65_536).to_bytes(8, "big") + bytes(4) + b"x" * 65_536
    tracemalloc.start()
    for at in range(len(whole)):
        reader.feed_data(whole[at : at + 1])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    message = await messages.read()
    assert message.data == b"x" * 65_536
    assert peak_bytes < 8 * 65_536


@pytest.mark.parametrize("fragment", [frame(0x00), frame(0x00, b"x")])
async def test_fragments_take_no_more_than_their_message_may(fragment: bytes) -> None:
    """Those that are too large together are 1009; empty ones take nothing."""
    messages, reader = reader_of(65_536)
    tracemalloc.start()
    reader.feed_data(frame(0x02, b"x"))
    for _ in range(80):
        reader.feed_data(fragment * 1_000)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * 65_536
    if len(fragment) > 6:
        with pytest.raises(aiohttp.WebSocketError) as fault:
            await messages.read()
        assert fault.value.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_flood_is_told_once_behind_what_came_before() -> None:
    """What comes after it is dropped."""
    messages, reader = reader_of(1_000, per_s=3)
    for _ in range(4):
        assert reader.feed_data(frame(0x82, b"x") * 2) == (False, b"")
    found = [await messages.read() for _ in range(4)]
    assert [each.data for each in found[:3]] == [b"x"] * 3
    assert found[3] is FLOOD
    assert not messages._buffer  # type: ignore[attr-defined,unused-ignore]  # noqa: SLF001
