"""Socket.IO v5's packets, as they are written: WebSocket frames. Pure.

A packet and its attachments are one piece, so that nothing comes between them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .. import frames
from .packets import MAIN, MAX_ATTACHMENTS, PLACEHOLDER, PacketType, placeholders

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...model import JSON

_MESSAGE: Final = b"4"
"""The type of the Engine.IO packet in which each of ours travels."""

_encode = msgspec.json.Encoder().encode


def event(
    namespace: str, arguments: Sequence[object], event_id: int | None = None
) -> bytes:
    """Return the frames of an event, its name first; an id asks for an answer.

    Raises ValueError or TypeError for what cannot be sent, as the next ones do.
    """
    id_ = b"" if event_id is None else b"%d" % event_id
    return _packet(PacketType.EVENT, namespace, id_, arguments)


def ack(namespace: str, event_id: int, arguments: Sequence[object]) -> bytes:
    """Return the frames that answer an event."""
    return _packet(PacketType.ACK, namespace, b"%d" % event_id, arguments)


def connect(namespace: str, words: Mapping[str, JSON]) -> bytes:
    """Return the frame that lets a client into a namespace."""
    return text(PacketType.CONNECT, namespace, _encode(words))


def connect_error(namespace: str, words: Mapping[str, JSON]) -> bytes:
    """Return the frame that does not, and says why."""
    return text(PacketType.CONNECT_ERROR, namespace, _encode(words))


def disconnect(namespace: str) -> bytes:
    """Return the frame that sends a client out of a namespace."""
    return text(PacketType.DISCONNECT, namespace, b"")


def text(kind: PacketType, namespace: str, rest: bytes) -> bytes:
    """Return the frame of a packet without attachments; `rest` is id and JSON."""
    where = b"" if namespace == MAIN else namespace.encode() + b","
    return frames.text(b"%b%d%b%b" % (_MESSAGE, kind, where, rest))


def _packet(
    kind: PacketType, namespace: str, id_: bytes, arguments: Sequence[object]
) -> bytes:
    attached: list[bytes] = []
    taken = [_take_out(each, attached) for each in arguments]
    if not attached:
        return text(kind, namespace, id_ + _encode(arguments))
    if len(attached) > MAX_ATTACHMENTS:
        raise ValueError(f"more than {MAX_ATTACHMENTS} attachments")
    if len(list(placeholders(taken))) != len(attached):
        raise ValueError(f"{PLACEHOLDER} stands for an attachment")
    is_event = kind is PacketType.EVENT
    kind = PacketType.BINARY_EVENT if is_event else PacketType.BINARY_ACK
    where = b"" if namespace == MAIN else namespace.encode() + b","
    head = b"%b%d%d-%b%b%b" % (
        _MESSAGE,
        kind,
        len(attached),
        where,
        id_,
        _encode(taken),
    )
    return frames.text(head) + b"".join(map(frames.binary, attached))


def _take_out(value: object, attached: list[bytes]) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        attached.append(bytes(value))
        return {PLACEHOLDER: True, "num": len(attached) - 1}
    if isinstance(value, dict):
        return {name: _take_out(part, attached) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_take_out(part, attached) for part in value]
    return value
