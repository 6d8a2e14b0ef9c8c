"""Engine.IO's packets and payloads, without a connection."""

from __future__ import annotations

import json

import pytest

from server.gateways import frames
from server.gateways.socketio.engine import (
    CLOSE,
    MAX_PACKETS,
    NOOP,
    PING,
    Fault,
    Kind,
    NotAPacket,
    Packet,
    decode_packet,
    decode_payload,
    opened,
    payload_of,
    refused,
)


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        (b"0", Packet(Kind.OPEN)),
        (b"1", Packet(Kind.CLOSE)),
        (b"2probe", Packet(Kind.PING, b"probe")),
        (b"3", Packet(Kind.PONG)),
        (b"4hello", Packet(Kind.MESSAGE, b"hello")),
        (b"4", Packet(Kind.MESSAGE)),
        (
            "4h\u00e9 \U0001f600".encode(),
            Packet(Kind.MESSAGE, b"h\xc3\xa9 \xf0\x9f\x98\x80"),
        ),
        (b"5", Packet(Kind.UPGRADE)),
        (b"6", Packet(Kind.NOOP)),
        (b"bAQIDBA==", Packet(Kind.BINARY, b"\x01\x02\x03\x04")),
        (b"b", Packet(Kind.BINARY)),
    ],
)
def test_a_packet_is_its_type_and_its_payload(text: bytes, packet: Packet) -> None:
    """Section Packet encoding; binary is base64 behind a `b`."""
    assert decode_packet(text) == packet


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"abc",
        b"7",
        b"\x00",
        b"\xff",
        b"4\xff",
        b"4\xed\xa0\x80",
        b"bAQIDBA",
        b"bAQ*DBA==",
        b"bA",
        b"b\xc3\xa9",
    ],
)
def test_what_is_no_packet_is_refused(text: bytes) -> None:
    """Unknown types, what is not UTF-8 (a surrogate too), base64 with faults."""
    with pytest.raises(NotAPacket):
        decode_packet(text)


def test_a_payload_is_packets_between_separators() -> None:
    """In their order, text and binary."""
    found = list(decode_payload(b"4hello\x1e2\x1ebAQIDBA==\x1e4"))
    assert found == [
        Packet(Kind.MESSAGE, b"hello"),
        Packet(Kind.PING),
        Packet(Kind.BINARY, b"\x01\x02\x03\x04"),
        Packet(Kind.MESSAGE),
    ]


@pytest.mark.parametrize("body", [b"", b"\x1e", b"4a\x1e", b"\x1e4a", b"4a\x1e\x1e4b"])
def test_a_payload_has_no_empty_parts(body: bytes) -> None:
    """An empty part is no packet; neither is an empty payload one."""
    with pytest.raises(NotAPacket):
        list(decode_payload(body))


def test_the_packets_of_a_payload_are_counted_first() -> None:
    """One more than allowed, and none of them is taken."""
    assert len(list(decode_payload(b"\x1e".join([b"4"] * MAX_PACKETS)))) == MAX_PACKETS
    with pytest.raises(NotAPacket):
        next(decode_payload(b"\x1e".join([b"4"] * (MAX_PACKETS + 1))))


def test_a_stock_client_s_fullest_payload_is_not_too_many() -> None:
    """As many of its shortest packets as fit into our `maxPayload`."""
    shortest = b'42["a"]'
    assert 64 * 1024 // (len(shortest) + 1) <= MAX_PACKETS


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 70_000])
def test_frames_are_cut_into_a_payload(size: int) -> None:
    """All three lengths of a frame's head, and what stands before and behind."""
    text, raw = b"4" + b"x" * size, bytes(range(256)) * 300
    chunk = PING + frames.text(text) + frames.binary(raw[:size]) + NOOP + CLOSE
    found = list(decode_payload(payload_of(chunk)))
    assert found == [
        Packet(Kind.PING),
        Packet(Kind.MESSAGE, b"x" * size),
        Packet(Kind.BINARY, raw[:size]),
        Packet(Kind.NOOP),
        Packet(Kind.CLOSE),
    ]


def test_no_frames_are_an_empty_payload() -> None:
    """Nothing comes of nothing."""
    assert payload_of(b"") == b""


def test_the_open_packet_says_what_the_client_must_know() -> None:
    """Milliseconds are whole numbers: clients take nothing else."""
    packet = opened(
        "abc",
        upgrades=("websocket",),
        ping_interval_s=0.3,
        ping_timeout_s=20,
        max_payload_bytes=1_000_000,
    )
    assert packet[:1] == b"0"
    assert json.loads(packet[1:]) == {
        "sid": "abc",
        "upgrades": ["websocket"],
        "pingInterval": 300,
        "pingTimeout": 20_000,
        "maxPayload": 1_000_000,
    }
    assert b'"pingInterval":300,' in packet


def test_a_refusal_has_engine_io_s_own_numbers_and_words() -> None:
    """A hint only where there is one."""
    assert (
        refused(Fault.UNKNOWN_TRANSPORT) == b'{"code":0,"message":"Transport unknown"}'
    )
    assert refused(Fault.UNKNOWN_SID) == b'{"code":1,"message":"Session ID unknown"}'
    assert refused(Fault.BAD_METHOD) == b'{"code":2,"message":"Bad handshake method"}'
    assert refused(Fault.BAD_REQUEST) == b'{"code":3,"message":"Bad request"}'
    assert (
        refused(Fault.BAD_VERSION, "why")
        == b'{"code":5,"message":"Unsupported protocol version","hint":"why"}'
    )
