from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING

import pytest

from server.gateways import deflate, frames
from server.gateways.deflate import LEAST_BYTES, MOST_BYTES, agree, spoken, squeeze
from server.gateways.native.codec import NATIVE
from server.gateways.native.text import TEXT as PLAIN
from server.settings import Settings
from tests.gateways.conftest import Connect, OpenPlace, Place
from tests.gateways.peers import PING, PONG, TEXT

if TYPE_CHECKING:
    from server.model import JSON

ALONE = "server_no_context_takeover; client_no_context_takeover"
WHOLE = f"permessage-deflate; {ALONE}"
OFFER = "permessage-deflate"
CHROMIUM_OFFER = "permessage-deflate; client_max_window_bits"
LONG = {"text": "what is said again and again " * 30}


def inflated(payload: bytes, window_bits: int = 15) -> bytes:
    """Inflate one message as a reader does that knows nothing of those before it.

    Byte by byte: with all at once, zlib would look back into what it returns, and not
    into its window.
    """
    engine = zlib.decompressobj(-window_bits)
    return b"".join(
        engine.decompress(bytes((each,))) for each in payload + deflate.TAIL
    )


@pytest.fixture
async def place(open_place: OpenPlace) -> Place:
    """A server that compresses."""
    return await open_place(Settings(compress=True))


@pytest.fixture
def compressed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Everything that the server compresses, each time that it does."""
    found: list[bytes] = []
    whole = deflate.deflate

    def counting(payload: bytes, window_bits: int) -> bytes:
        found.append(payload)
        return whole(payload, window_bits)

    monkeypatch.setattr(deflate, "deflate", counting)
    return found


# What is agreed on


@pytest.mark.parametrize(
    ("offer", "bits"),
    [
        (OFFER, None),
        (CHROMIUM_OFFER, None),
        ("permessage-deflate; server_no_context_takeover", None),
        ("permessage-deflate;client_no_context_takeover", None),
        ("permessage-deflate; client_max_window_bits=8", None),
        ('permessage-deflate; server_max_window_bits="15"', 15),
        ("permessage-deflate; server_max_window_bits=14", 9),
        ("permessage-deflate; server_max_window_bits = 9", 9),
        ("x-webkit-deflate-frame, permessage-deflate", None),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", None),
        ("permessage-deflate; more=1, permessage-deflate", None),
        (", ,permessage-deflate", None),
    ],
)
def test_an_offer_is_accepted(offer: str, bits: int | None) -> None:
    """The first that can be; a limit is answered, with the same or a smaller one."""
    agreed = agree([offer])
    assert agreed is not None
    limit = "" if bits is None else f"; server_max_window_bits={bits}"
    assert agreed.answer == WHOLE + limit
    assert agreed.window_bits == (bits or 15)


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "deflate",
        "permessage-deflate=1",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=+9",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; unheard_of",
        "permessage-deflate;",
        'permessage-deflate; client_max_window_bits="9',
        "permessage-deflate; client_max_window_bits=\u0669",
        ";" * 8_000,
        "," * 8_000 + OFFER,
    ],
)
def test_an_offer_is_declined(offer: str) -> None:
    """Section 7.1: one that is malformed, or that we cannot do; without a fault."""
    assert agree([offer]) is None


def test_offers_may_stand_in_several_headers() -> None:
    """RFC 6455 section 9.1: they count as one."""
    agreed = agree(["x-other; a=b", OFFER])
    assert agreed is not None
    assert agreed.answer == WHOLE


def test_there_are_two_windows_whatever_is_asked_for() -> None:
    """So a publication is compressed at most twice for a wire."""
    asked = [agree([f"{OFFER}; server_max_window_bits={n}"]) for n in range(9, 16)]
    assert len({spoken(NATIVE, each) for each in asked}) == 2
    assert spoken(NATIVE, asked[0]) is not spoken(PLAIN, asked[0])
    assert spoken(NATIVE, None) is NATIVE
    assert spoken(NATIVE, asked[0]).name == "native-deflate"


# What is compressed


def test_a_message_stands_alone() -> None:
    """The bytes of section 7.2.3.1, each time again."""
    hello = bytes.fromhex("f248cdc9c90700")
    assert deflate.deflate(b"Hello", 15) == hello
    assert deflate.deflate(b"Hello", 15) == hello
    assert inflated(hello) == b"Hello"


def test_each_frame_of_a_chunk_is_compressed_by_itself() -> None:
    """Text stays text, binary binary; the lengths take the fewest bytes."""
    texts = [json.dumps([n, LONG]).encode() for n in range(3)]
    chunk = frames.text(texts[0]) + frames.binary(texts[1]) + frames.text(texts[2])
    found = list(frames.cut(squeeze(chunk, 15)))
    assert [head for head, _ in found] == [0xC1, 0xC2, 0xC1]
    assert [inflated(payload) for _, payload in found] == texts
    assert all(len(payload) < LEAST_BYTES for _, payload in found)


def test_a_small_window_is_enough_for_who_asked_for_one() -> None:
    """A reader with 512 bytes of memory can read it."""
    text = b"".join(b"%d, " % (n % 700) for n in range(3_000))
    ((head, payload),) = frames.cut(squeeze(frames.text(text), 9))
    assert head == 0xC1
    assert inflated(payload, 9) == text
    with pytest.raises(zlib.error):
        inflated(deflate.deflate(text, 15), 9)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"x" * (LEAST_BYTES - 1),
        os.urandom(1_000),
        b"x" * (MOST_BYTES + 1),
    ],
    ids=["empty", "short", "does not shrink", "too long"],
)
def test_what_gains_nothing_goes_as_it_is(payload: bytes) -> None:
    """Also beside one that is compressed."""
    alone = frames.binary(payload)
    assert squeeze(alone, 15) == alone
    pair = squeeze(alone + frames.text(b"x" * 5_000), 15)
    assert pair.startswith(alone)
    assert pair[len(alone)] == 0xC1


# On the wire


def unequal(room: int) -> JSON:
    """Return a content that is like no other, and shrinks."""
    return {"n": room, **LONG}


async def test_a_publication_is_compressed_once(
    place: Place, connect: Connect, compressed: list[bytes]
) -> None:
    """For all who agreed to it; the others have it as it is, and all have the same."""
    path = "/ws/open/a"
    agreed = [await connect(path, CHROMIUM_OFFER) for _ in range(5)]
    agreed += [await connect(path, f"{OFFER}; server_no_context_takeover")]
    plain = [await connect(path), await connect(path, "unheard-of")]
    assert [each.agreed for each in agreed] == [WHOLE] * 6
    assert [each.agreed for each in plain] == ["", ""]
    for peer in (*agreed, *plain):
        assert (await peer.hear())["type"] == "reply"

    compressed.clear()
    for number in range(3):
        await place.hub.publish("open:a", unequal(number))
        said = [await peer.receive() for peer in plain]
        assert [each.compressed for each in plain] == [False, False]
        assert json.loads(said[0][1])["data"] == unequal(number)
        for peer in agreed:
            opcode, payload = await peer.receive()
            assert (opcode, peer.compressed) == (TEXT, True)
            assert inflated(payload) == said[0][1] == said[1][1]
    assert len(compressed) == 3


async def test_short_ones_and_control_frames_are_not_compressed(
    place: Place, connect: Connect
) -> None:
    """Section 6.1 forbids it for control frames; RSV1 is clear."""
    peer = await connect("/ws/open/a", OFFER)
    assert (await peer.hear())["type"] == "reply"
    await place.hub.publish("open:a", "short")
    assert (await peer.hear())["data"] == "short"
    assert not peer.compressed
    await peer.send(PING, b"there?")
    assert await peer.receive() == (PONG, b"there?")
    assert not peer.compressed


@pytest.mark.parametrize("bits", [9, 12, 15])
async def test_a_stock_client_reads_and_says(
    place: Place, compressed: list[bytes], bits: int
) -> None:
    """aiohttp's, which asks for a window, and compresses everything that it says."""
    socket = await place.client.ws_connect("/ws/open/a", compress=bits)
    place.sockets.append(socket)
    assert socket.compress
    await socket.receive_json(timeout=5)
    for number in range(20):
        await socket.send_json({"type": "publish", "data": unequal(number)})
        heard = await socket.receive_json(timeout=5)
        assert heard["data"] == unequal(number)
    assert len(compressed) == 20
