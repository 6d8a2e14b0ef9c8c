from __future__ import annotations

import asyncio

import pytest
from aiohttp import WebSocketError, WSMsgType

from server.gateways.inflow import READ_AHEAD_BYTES, Inflow

MASK = b"\0\0\0\0"
LARGEST = 64 * 1024


class Tap(asyncio.ReadTransport):
    """A transport that can be paused."""

    def __init__(self) -> None:
        super().__init__()
        self.paused = False

    def pause_reading(self) -> None:
        """See asyncio."""
        self.paused = True

    def resume_reading(self) -> None:
        """See asyncio."""
        self.paused = False


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame of at most 125 bytes."""
    return bytes((first, 0x80 | len(payload))) + MASK + payload


@pytest.fixture
async def tap() -> Tap:
    """Where the bytes come from."""
    return Tap()


@pytest.fixture
async def inflow(tap: Tap) -> Inflow:
    """What takes them."""
    return Inflow(tap, LARGEST, frames_per_s=0)


async def test_messages_come_out_in_order_and_whole(inflow: Inflow) -> None:
    """However the bytes were cut; it is true while there is one."""
    sent = (
        frame(0x01, b"he") + frame(0x89, b"?") + frame(0x80, b"llo") + frame(0x82, b"!")
    )
    for byte in sent:
        inflow.feed(bytes((byte,)))
    found = []
    while inflow:
        message = await inflow.take()
        found.append((message.type, bytes(message.data)))
    assert found == [
        (WSMsgType.PING, b"?"),
        (WSMsgType.TEXT, b"hello"),
        (WSMsgType.BINARY, b"!"),
    ]


async def test_what_is_read_ahead_is_bounded(inflow: Inflow, tap: Tap) -> None:
    """A flood in one read is parsed a part at a time; the transport waits meanwhile."""
    count = 20_000
    inflow.feed(frame(0x81, b"") * count)
    assert tap.paused
    waiting, taken = [], 0
    while inflow:
        waiting.append(inflow._queue.waiting)  # noqa: SLF001 - what it holds
        assert (await inflow.take()).data == b""
        taken += 1
    assert taken == count
    assert max(waiting) <= READ_AHEAD_BYTES // 128 + 1
    assert not tap.paused


async def test_what_is_no_frame_is_told_behind_what_was_one(inflow: Inflow) -> None:
    """With the code of RFC 6455 section 7.4.1."""
    inflow.feed(frame(0x81, b"good") + b"\xff\xff\xff")
    assert (await inflow.take()).data == b"good"
    assert inflow
    with pytest.raises(WebSocketError) as told:
        await inflow.take()
    assert told.value.code == 1002


async def test_too_large_a_message_is_refused_by_its_head(inflow: Inflow) -> None:
    """Before its bytes have come; in parts as well."""
    inflow.feed(b"\x01\xff" + (40_000).to_bytes(8, "big") + MASK + b"x" * 40_000)
    assert not inflow
    inflow.feed(b"\x80\xff" + (40_000).to_bytes(8, "big") + MASK)
    assert inflow
    with pytest.raises(WebSocketError) as told:
        await inflow.take()
    assert told.value.code == 1009


async def test_what_is_no_frame_is_told_behind_a_flood_too(inflow: Inflow) -> None:
    """Also where it was parsed only when those before it had been taken."""
    count = 5_000
    inflow.feed(frame(0x81, b"") * count + b"\xff\xff\xff")
    for _ in range(count):
        assert inflow
        await inflow.take()
    assert inflow
    with pytest.raises(WebSocketError):
        await inflow.take()


async def test_the_largest_message_is_one_that_may_be(inflow: Inflow) -> None:
    """One byte more is too much."""
    head = b"\x82\xff" + LARGEST.to_bytes(8, "big") + MASK
    inflow.feed(head + b"x" * LARGEST)
    assert len((await inflow.take()).data) == LARGEST
    inflow.feed(b"\x82\xff" + (LARGEST + 1).to_bytes(8, "big") + MASK)
    with pytest.raises(WebSocketError) as told:
        await inflow.take()
    assert told.value.code == 1009
