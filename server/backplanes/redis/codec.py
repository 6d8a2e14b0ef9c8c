"""What travels over Pub/Sub and is kept in Redis, as bytes. Pure.

A frame begins with a letter: `p<epoch>.<offset>:<envelope>` is a publication, whose
envelope a script may put behind a position that only it knows; `s`, `a` and `o` are a
signal, an attendance and an order. What others could have put there is checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from ...content import decode as decode_content
from ...errors import BAD_REQUEST, Disconnect, Refusal
from ...model import Attendance, Position, Principal, Publication, Signal
from ...seams.backplane import SendAway

if TYPE_CHECKING:
    from ...model import JSON
    from ...seams.backplane import Order
    from ...seams.log import Draft

Carried: TypeAlias = "Publication | Signal | Attendance"


class Undecodable(Exception):
    """A frame that no node of this version has made."""


class _Envelope(msgspec.Struct, array_like=True, frozen=True):
    """A publication without its channel and position."""

    event: str
    content: bytes
    binary: bool
    author: tuple[str, str] | None
    time_ms: int
    key: str | None


class _Signal(msgspec.Struct, array_like=True, frozen=True):
    event: str
    content: bytes
    author: tuple[str, str] | None
    time_ms: int
    key: str | None
    retained: bool
    owner: str | None
    fell: bool
    node: str | None
    stamp: int


class _Attendance(msgspec.Struct, array_like=True, frozen=True):
    node: str
    user: tuple[str, str]
    sessions: int
    stamp: int


class _Order(msgspec.Struct, array_like=True, frozen=True):
    user_id: str
    code: int
    reason: str


_pack = msgspec.msgpack.Encoder().encode
_envelope = msgspec.msgpack.Decoder(_Envelope)
_signal = msgspec.msgpack.Decoder(_Signal)
_attendance = msgspec.msgpack.Decoder(_Attendance)
_order = msgspec.msgpack.Decoder(_Order)
_json = msgspec.json.Encoder().encode

_WRONG = (msgspec.MsgspecError, ValueError, RecursionError, Refusal)


def envelope(said: Draft | Publication, content: bytes, key: str | None) -> bytes:
    """Return all of a publication but its position; `content` is its encoded one."""
    binary = isinstance(said.content, bytes)
    author = _pair(said.author)
    return _pack(_Envelope(said.event, content, binary, author, said.time_ms, key))


def opened(channel: str, position: Position, packed: bytes) -> Publication:
    """Return the publication of an `envelope`. Raises `Undecodable`."""
    try:
        said = _envelope.decode(packed)
        content = decode_content(said.content, binary=said.binary)
    except _WRONG as error:
        raise Undecodable(type(error).__name__) from error
    return Publication(
        channel=channel,
        position=position,
        event=said.event,
        content=content,
        author=_principal(said.author),
        time_ms=said.time_ms,
        key=said.key,
    )


def encode(broadcast: Carried) -> bytes:
    """Return a frame. Raises `Refusal` (bad request) for what no frame can hold."""
    try:
        if isinstance(broadcast, Publication):
            return _encode_publication(broadcast)
        if isinstance(broadcast, Signal):
            return _encode_signal(broadcast)
        user = (broadcast.user.id, broadcast.user.name)
        said = _Attendance(broadcast.node, user, broadcast.sessions, broadcast.stamp)
        return b"a" + _pack(said)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        reason = f"content cannot be sent ({type(error).__name__})"
        raise Refusal(BAD_REQUEST.because(reason)) from error


def decode(channel: str, frame: bytes) -> Carried:
    """Return what was encoded. Raises `Undecodable`."""
    letter, packed = frame[:1], frame[1:]
    try:
        if letter == b"p":
            position, _, inner = packed.partition(b":")
            return opened(channel, Position.parse(position.decode()), inner)
        if letter == b"s":
            return _decode_signal(channel, packed)
        if letter == b"a":
            said = _attendance.decode(packed)
            user = Principal(*said.user)
            return Attendance(channel, said.node, user, said.sessions, said.stamp)
    except _WRONG as error:
        raise Undecodable(type(error).__name__) from error
    raise Undecodable("no such frame")


def encode_order(order: Order) -> bytes:
    """Return an order's frame."""
    told = order.disconnect
    return b"o" + _pack(_Order(order.user_id, told.code, told.reason))


def decode_order(frame: bytes) -> Order:
    """Return an order. Raises `Undecodable`."""
    try:
        said = _order.decode(frame[1:])
    except _WRONG as error:
        raise Undecodable(type(error).__name__) from error
    return SendAway(said.user_id, Disconnect(said.code, said.reason))


def encode_card(card: JSON) -> bytes:
    """Return what a node says of itself."""
    return _json(card)


def decode_card(card: bytes) -> JSON:
    """Return what a node said of itself; None where that is no JSON."""
    try:
        value: JSON = msgspec.json.decode(card)
    except _WRONG:
        return None
    return value


def _encode_publication(said: Publication) -> bytes:
    content = said.content
    encoded = content if isinstance(content, bytes) else _json(content)
    return b"p%b:%b" % (str(said.position).encode(), envelope(said, encoded, said.key))


def _encode_signal(signal: Signal) -> bytes:
    said = _Signal(
        event=signal.event,
        content=_json(signal.content),
        author=_pair(signal.author),
        time_ms=signal.time_ms,
        key=signal.key,
        retained=signal.retained,
        owner=signal.owner,
        fell=signal.fell,
        node=signal.node,
        stamp=signal.stamp,
    )
    return b"s" + _pack(said)


def _decode_signal(channel: str, packed: bytes) -> Signal:
    said = _signal.decode(packed)
    content: JSON = msgspec.json.decode(said.content)
    return Signal(
        channel=channel,
        event=said.event,
        content=content,
        author=_principal(said.author),
        time_ms=said.time_ms,
        key=said.key,
        retained=said.retained,
        owner=said.owner,
        fell=said.fell,
        node=said.node,
        stamp=said.stamp,
    )


def _pair(author: Principal | None) -> tuple[str, str] | None:
    return None if author is None else (author.id, author.name)


def _principal(pair: tuple[str, str] | None) -> Principal | None:
    return None if pair is None else Principal(*pair)
