from __future__ import annotations

import sys
import tracemalloc
import zlib

import pytest
from aiohttp import WebSocketError
from aiohttp.http import WebSocketReader

from server.errors import FLOODED
from server.gateways.deflate import deflate
from server.gateways.inflate import inflate
from server.gateways.native.handler import MAX_ERRORS
from server.settings import Settings
from tests.gateways.conftest import Connect, OpenPlace, Place
from tests.gateways.peers import CLOSE, PING, PONG, TEXT, RawPeer

OFFER = "permessage-deflate"
SHORT = Settings(compress=True, close_timeout_s=0.1)
"""These peers do not answer a close."""
RSV1 = 0x40
HELLO = bytes.fromhex("f248cdc9c90700")
MIB = 1024 * 1024


@pytest.fixture(params=[5_000, 0], ids=["counted", "uncounted"])
async def place(open_place: OpenPlace, request: pytest.FixtureRequest) -> Place:
    """A server that compresses, whether or not it counts frames."""
    return await open_place(SHORT.model_copy(update={"frames_per_s": request.param}))


EXAMPLES = pytest.mark.parametrize(
    "example",
    [
        "f248cdc9c90700",
        "000500faff48656c6c6f00",
        "f348cdc9c9070000",
        "f24805000000ffffcac9c90700",
    ],
    ids=["7.2.3.1", "7.2.3.3", "7.2.3.4", "7.2.3.5"],
)
"""The bytes of RFC 7692; each says Hello. (Those of 7.2.3.2 need a kept window.)"""


@EXAMPLES
def test_the_examples_of_the_rfc_are_inflated(example: str) -> None:
    """Up to the very byte that is allowed."""
    assert inflate(bytes.fromhex(example), 5) == b"Hello"
    with pytest.raises(WebSocketError) as error:
        inflate(bytes.fromhex(example), 4)
    assert error.value.code == 1009


def test_what_builds_on_an_earlier_message_is_refused() -> None:
    """The second message of section 7.2.3.2: that was not agreed on."""
    with pytest.raises(WebSocketError) as error:
        inflate(bytes.fromhex("f200110000"), 100)
    assert error.value.code == 1007


def test_a_message_may_end_streams_but_not_for_ever() -> None:
    """Each costs a new beginning."""
    one = bytes.fromhex("f348cdc9c90700")
    assert inflate(one * 10, 1_000) == b"Hello" * 10
    with pytest.raises(WebSocketError) as error:
        inflate(one * 1_000, 10_000)
    assert error.value.code == 1007


def test_an_empty_message_is_one() -> None:
    """Section 7.2.3.6."""
    assert inflate(b"\x00", 0) == b""
    assert inflate(b"", 0) == b""


async def test_off_it_is_never_agreed_on(open_place: OpenPlace) -> None:
    """Which is the default; a reserved bit is a fault then (RFC 6455 section 5.2)."""
    assert Settings().compress is False
    place = await open_place()
    peer = await place.raw("/ws/chat?format=text", OFFER)
    assert peer.agreed == ""
    await peer.receive()
    await peer.send(RSV1 | TEXT, HELLO)
    assert await peer.end() == 1002
    peer.close()


async def test_a_reserved_bit_without_agreement_is_a_fault(connect: Connect) -> None:
    """Also on a server that compresses: this peer did not offer it."""
    peer = await connect("/ws/chat?format=text")
    await peer.receive()
    await peer.send(RSV1 | TEXT, HELLO)
    assert await peer.end() == 1002


@EXAMPLES
async def test_the_examples_of_the_rfc_are_read(connect: Connect, example: str) -> None:
    """Each of them says Hello, twice in a row; and what is not compressed is read."""
    peer = await connect("/ws/chat?format=text", OFFER)
    await peer.receive()
    for _ in range(2):
        await peer.send(RSV1 | TEXT, bytes.fromhex(example))
        assert await peer.receive() == (TEXT, b"Ada: Hello")
    await peer.send(TEXT, b"Hello")
    assert await peer.receive() == (TEXT, b"Ada: Hello")


async def test_a_fragmented_message_is_read(connect: Connect) -> None:
    """Section 7.2.3.1: the first frame has the bit; a ping may stand between."""
    peer = await connect("/ws/chat?format=text", OFFER)
    await peer.receive()
    await peer.send_part(RSV1 | TEXT, bytes.fromhex("f248cd"))
    await peer.send(PING)
    assert await peer.receive() == (PONG, b"")
    await peer.send(0, bytes.fromhex("c9c90700"))
    assert await peer.receive() == (TEXT, b"Ada: Hello")


async def send_compressed(peer: RawPeer, payload: bytes, fragments: int) -> None:
    """Send a compressed message in so many frames."""
    size = -(-len(payload) // fragments)
    for start in range(0, len(payload), size):
        fin = 0x80 if start + size >= len(payload) else 0
        first = RSV1 | TEXT if start == 0 else 0
        await peer.send_part(fin | first, payload[start : start + size])


@pytest.mark.parametrize("fragments", [1, 2])
async def test_what_is_no_deflate_is_refused(
    connect: Connect, place: Place, fragments: int
) -> None:
    """With 1007; others are unharmed."""
    other = await connect("/ws/open/a", OFFER)
    await other.receive()
    peer = await connect("/ws/open/a", OFFER)
    await peer.receive()
    await send_compressed(peer, b"\xff\xff\xff\xff", fragments)
    assert await peer.end() == 1007
    await place.hub.publish("open:a", "on")
    assert (await other.hear())["data"] == "on"


def bomb(length: int) -> bytes:
    """Return zeros, compressed by themselves."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(MIB)
    blocks = [engine.compress(piece) for _ in range(length // len(piece))]
    return b"".join(blocks) + engine.flush(zlib.Z_SYNC_FLUSH)[:-4]


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("path", ["/ws", "/ws/open/a"])
async def test_a_bomb_is_not_inflated(
    connect: Connect, place: Place, path: str, fragments: int
) -> None:
    """64 KB that would be 64 MB: 1009, and nothing like that is ever in memory."""
    payload = bomb(63 * MIB)
    assert len(payload) < place.settings.max_frame_bytes
    other = await connect("/ws/open/a", OFFER)
    await other.receive()
    peer = await connect(path, OFFER)
    tracemalloc.start()
    try:
        await send_compressed(peer, payload, fragments)
        assert await peer.end() == 1009
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * MIB
    await place.hub.publish("open:a", "on")
    assert (await other.hear())["data"] == "on"


async def test_many_small_bombs_wait_for_their_turn(open_place: OpenPlace) -> None:
    """Of what inflates to the largest frame each, few are inflated at once."""
    place = await open_place(SHORT.model_copy(update={"frames_per_s": 0}))
    opcodes, peak_bytes = await bombard(place, 200)
    # Each was refused as a command, until it was too much.
    assert opcodes == [TEXT] * (1 + MAX_ERRORS) + [CLOSE]
    assert peak_bytes < 4 * MIB


async def test_a_small_bomb_counts_as_what_it_inflates_to(
    open_place: OpenPlace,
) -> None:
    """Twenty frames are a flood for who may send a hundred."""
    place = await open_place(SHORT.model_copy(update={"frames_per_s": 100}))
    opcodes, _ = await bombard(place, 20)
    assert opcodes[-1] == CLOSE
    assert opcodes.count(TEXT) < 10
    assert place.hub.stats.closed == {FLOODED.code: 1}


async def bombard(place: Place, count: int) -> tuple[list[int], int]:
    """Send blanks, as many as a frame may hold, so many times.

    Returns what came back, and how many bytes of memory were in use at most.
    """
    small = deflate(b" " * (place.settings.max_frame_bytes - 1), 15)
    peer = await place.raw("/ws/open/a", OFFER)
    opcodes: list[int] = []
    tracemalloc.start()
    try:
        for _ in range(count):
            await peer.send(RSV1 | TEXT, small)
        while not opcodes or opcodes[-1] != CLOSE:
            opcode, _ = await peer.receive()
            opcodes.append(opcode)
        return opcodes, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        peer.close()


@pytest.mark.parametrize(
    "firsts",
    [
        [RSV1 | TEXT, RSV1 | TEXT],
        [RSV1 | TEXT, 0x80 | TEXT],
        [RSV1 | TEXT, RSV1],
        [0x80 | RSV1 | TEXT, 0x80],
        [RSV1],
        [TEXT, 0x80 | RSV1 | TEXT],
    ],
    ids=["begun twice", "other between", "bit inside", "done", "no begin", "late bit"],
)
async def test_fragments_are_not_mixed_up(connect: Connect, firsts: list[int]) -> None:
    """RFC 6455 section 5.4, and RFC 7692 section 6: the bit is of the first frame."""
    peer = await connect("/ws/chat?format=text", OFFER)
    await peer.receive()
    for first in firsts:
        await peer.send_part(first, HELLO)
    assert await peer.end() == 1002


async def test_many_fragments_are_too_much_together(
    connect: Connect, place: Place
) -> None:
    """The bound is that of a message, before it is inflated, too."""
    peer = await connect("/ws/open/a", OFFER)
    await peer.receive()
    part = bytes(place.settings.max_frame_bytes // 3)
    await peer.send_part(RSV1 | TEXT, part)
    for _ in range(3):
        await peer.send_part(0, part)
    assert await peer.end() == 1009


async def test_nothing_is_kept_for_a_connection(
    connect: Connect, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the inflater of aiohttp is, which is not even made."""
    made: list[object] = []
    reader = sys.modules[WebSocketReader.__module__]
    own = reader.ZLibDecompressor

    def counting(*args: object, **kwargs: object) -> object:
        made.append(args)
        return own(*args, **kwargs)

    monkeypatch.setattr(reader, "ZLibDecompressor", counting)
    peer = await connect("/ws/chat?format=text", OFFER)
    await peer.receive()
    for fragments in (1, 3):
        await send_compressed(peer, HELLO, fragments)
        assert await peer.receive() == (TEXT, b"Ada: Hello")
    assert made == []
    # The client's reader is of the same class: so this test can fail.
    client = await place.client.ws_connect("/ws/open/a", compress=15)
    place.sockets.append(client)
    await client.receive_json()
    await place.hub.publish("open:a", "again and again " * 50)
    await client.receive_json()
    assert len(made) == 1
