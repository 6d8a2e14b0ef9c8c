"""Engine.IO v4's words: packets, payloads and refusals. Pure.

Specified in docs/engine.io-protocol/v4-current.md of socketio/socket.io. What waits for
a session are always WebSocket frames, one packet each; for long-polling they are cut
out again and joined as a payload, so that an upgrade has nothing to convert.
"""

from __future__ import annotations

import base64
import enum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from .. import frames

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL: Final = "4"
SEPARATOR: Final = b"\x1e"
MAX_PACKETS: Final = 10_000
"""So many in one payload: above what a stock client puts into 64 KiB.

Its shortest packet is `42["a"]`, 8 bytes with its separator, and it joins as many as
fit into `maxPayload`; one that sends shorter ones has nothing to say.
"""

PING: Final = frames.text(b"2")
CLOSE: Final = frames.text(b"1")
NOOP: Final = frames.text(b"6")
PROBED: Final = frames.text(b"3probe")
"""Packets of our own, as frames."""

_TEXT_HEAD: Final = frames.text(b"")[0]


class Kind(enum.Enum):
    """What a packet is, by its first byte; `b` is a message of bytes, in base64."""

    OPEN = b"0"
    CLOSE = b"1"
    PING = b"2"
    PONG = b"3"
    MESSAGE = b"4"
    UPGRADE = b"5"
    NOOP = b"6"
    BINARY = b"b"


class Packet(NamedTuple):
    """One packet: a message's payload is UTF-8, a binary's are the bytes themselves."""

    kind: Kind
    payload: bytes = b""


class NotAPacket(Exception):
    """What a peer sent is no packet, or no payload of packets."""


class Fault(enum.Enum):
    """Why a request is refused: engine.io's own numbers and words."""

    UNKNOWN_TRANSPORT = (0, "Transport unknown")
    UNKNOWN_SID = (1, "Session ID unknown")
    BAD_METHOD = (2, "Bad handshake method")
    BAD_REQUEST = (3, "Bad request")
    BAD_VERSION = (5, "Unsupported protocol version")


class _Refused(msgspec.Struct, omit_defaults=True):
    code: int
    message: str
    hint: str = ""


class _Open(msgspec.Struct, rename="camel"):
    sid: str
    upgrades: tuple[str, ...]
    ping_interval: int
    ping_timeout: int
    max_payload: int


_encode = msgspec.json.Encoder().encode


def refused(fault: Fault, hint: str = "") -> bytes:
    """Return the body of a refusal; `hint` says more to people, empty does not."""
    code, message = fault.value
    return _encode(_Refused(code, message, hint))


def opened(
    sid: str,
    *,
    upgrades: tuple[str, ...],
    ping_interval_s: float,
    ping_timeout_s: float,
    max_payload_bytes: int,
) -> bytes:
    """Return the open packet, without a frame (section Handshake)."""
    interval_ms, timeout_ms = (
        round(ping_interval_s * 1000),
        round(ping_timeout_s * 1000),
    )
    words = _Open(sid, upgrades, interval_ms, timeout_ms, max_payload_bytes)
    return Kind.OPEN.value + _encode(words)


def decode_packet(text: bytes) -> Packet:
    """Return the packet of a text frame, or of a part of a payload.

    Raises `NotAPacket` for what is none, for bad base64, and for what is not UTF-8.
    """
    try:
        kind = Kind(text[:1])
        if kind is Kind.BINARY:
            return Packet(kind, base64.b64decode(text[1:], validate=True))
        if not text.isascii():
            text.decode()
    except ValueError:
        raise NotAPacket from None
    return Packet(kind, text[1:])


def decode_payload(body: bytes) -> Iterator[Packet]:
    """Yield the packets of a payload, one by one. Raises `NotAPacket`."""
    if body.count(SEPARATOR) >= MAX_PACKETS:
        raise NotAPacket
    start = 0
    while start <= len(body):
        end = body.find(SEPARATOR, start)
        end = len(body) if end < 0 else end
        yield decode_packet(body[start:end])
        start = end + 1


def payload_of(chunk: bytes) -> bytes:
    """Return the payload of whole frames of our own, in their order."""
    return SEPARATOR.join(_packets(chunk))


def _packets(chunk: bytes) -> Iterator[bytes]:
    """Cut our own frames into encoded packets."""
    for head, packet in frames.cut(chunk):
        if head != _TEXT_HEAD:
            yield Kind.BINARY.value + base64.b64encode(packet)
        else:
            yield packet
