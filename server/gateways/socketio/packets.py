"""Socket.IO v5's packets, and how they are read. Pure.

Specified in docs/socket.io-protocol/v5-current.md of socketio/socket.io. A packet is
one text message, `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`, and a binary
message for each attachment behind it. Where an attachment belongs, the JSON has a
placeholder with its number.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from ...errors import Refusal
from ..door import check_text, decode_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...errors import ReplyError
    from ...model import JSON

Argument: TypeAlias = (
    "JSON | bytes | bytearray | memoryview"
    " | Sequence[Argument] | Mapping[str, Argument]"
)
"""What an event may carry: JSON, with bytes anywhere in it."""

MAX_ATTACHMENTS: Final = 10
"""As many as the stock parsers take."""
MAX_NAMESPACE: Final = 64
MAX_ID: Final = 2**53 - 1
MAIN: Final = "/"

RESERVED: Final = frozenset(
    {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    }
)
"""Events that no packet may carry: a stock parser closes the connection for one."""

PLACEHOLDER: Final = "_placeholder"
_HEAD = re.compile(
    rb"([0-6])(?:([0-9]{1,16})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{0,16})", re.DOTALL
)


class PacketType(enum.IntEnum):
    """What a packet is, by its first digit."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


@dataclass(frozen=True, slots=True)
class Packet:
    """One whole packet from a client.

    `arguments` are an event's (its name first) or an acknowledgement's; `auth` is what
    a CONNECT brings. `id` None asks for no acknowledgement. `binary`: it had
    attachments, which stand in the arguments.
    """

    type: PacketType
    namespace: str = MAIN
    id: int | None = None
    arguments: tuple[Argument, ...] = ()
    auth: Mapping[str, JSON] | None = None
    binary: bool = False


class Malformed(Exception):
    """What a client sent is no packet, or not one that may come now."""


class Poisoned(Exception):
    """An event whose arguments the door refuses: it can be answered."""

    def __init__(self, packet: Packet, error: ReplyError) -> None:
        super().__init__(error)
        self.packet = packet
        self.error = error


class Reader:
    """Puts packets together from messages, in their order.

    `most_bytes` bounds the attachments of one packet, all together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: Packet | None = None
        self._wanted = 0
        self._attached: list[bytes] = []

    def text(self, payload: bytes) -> Packet | None:
        """Take a text message; return the packet, None while attachments are due.

        Raises `Malformed` and `Poisoned`.
        """
        if self._waiting is not None:
            raise Malformed
        head = _HEAD.match(payload)
        if head is None:
            raise Malformed
        kind = PacketType(int(head[1]))
        packet = Packet(kind, _namespace(head[3]), _id(head[4]))
        body, count = payload[head.end() :], head[2]
        if kind in (PacketType.BINARY_EVENT, PacketType.BINARY_ACK):
            self._await(packet, body, 0 if count is None else int(count))
            return None
        if count is not None:
            raise Malformed
        return _whole(packet, body)

    def binary(self, attachment: bytes) -> Packet | None:
        """Take an attachment; return the packet with the last of them.

        Raises `Malformed` for one that no packet waits for, and for too many bytes.
        """
        packet = self._waiting
        if packet is None:
            raise Malformed
        self._attached.append(attachment)
        if sum(map(len, self._attached)) > self._most_bytes:
            raise Malformed
        if len(self._attached) < self._wanted:
            return None
        attached, self._attached, self._waiting = self._attached, [], None
        whole = tuple(_put_back(each, attached) for each in packet.arguments)
        return replace(packet, arguments=whole)

    def _await(self, packet: Packet, body: bytes, count: int) -> None:
        if not 0 < count <= MAX_ATTACHMENTS:
            raise Malformed
        is_event = packet.type is PacketType.BINARY_EVENT
        kind = PacketType.EVENT if is_event else PacketType.ACK
        try:
            whole = _whole(replace(packet, type=kind, binary=True), body)
        except Poisoned:
            # It cannot be answered before its attachments have come.
            raise Malformed from None
        if sorted(placeholders(whole.arguments)) != list(range(count)):
            raise Malformed
        self._waiting, self._wanted = whole, count


def _namespace(found: bytes | None) -> str:
    if found is None:
        return MAIN
    if len(found) > MAX_NAMESPACE:
        raise Malformed
    try:
        return check_text(found.decode())
    except (UnicodeDecodeError, Refusal):
        raise Malformed from None


def _id(found: bytes) -> int | None:
    if not found:
        return None
    number = int(found)
    if number > MAX_ID:
        raise Malformed
    return number


def _whole(packet: Packet, body: bytes) -> Packet:
    match packet.type:
        case PacketType.CONNECT if packet.id is None:
            return replace(packet, auth=_auth(body))
        case PacketType.DISCONNECT if packet.id is None and not body:
            return packet
        case PacketType.EVENT:
            return replace(packet, arguments=_event(packet, body))
        case PacketType.ACK if packet.id is not None:
            try:
                return replace(packet, arguments=_list(body))
            except Refusal:
                raise Malformed from None
        case _:
            raise Malformed


def _auth(body: bytes) -> Mapping[str, JSON] | None:
    if not body:
        return None
    try:
        found = decode_json(body)
    except Refusal:
        raise Malformed from None
    if not isinstance(found, dict):
        raise Malformed
    return found


def _event(packet: Packet, body: bytes) -> tuple[JSON, ...]:
    try:
        found = _list(body)
    except Refusal as refusal:
        raise Poisoned(packet, refusal.error) from None
    if not found or not isinstance(found[0], str | int) or found[0] in RESERVED:
        raise Malformed
    return found


def _list(body: bytes) -> tuple[JSON, ...]:
    """Return a list's parts; raise `Refusal` for a list that the door refuses."""
    if not (body.startswith(b"[") and body.endswith(b"]")):
        raise Malformed
    found = decode_json(body)
    if not isinstance(found, list):
        raise Malformed
    return tuple(found)


def placeholders(value: object) -> Iterator[int]:
    """Yield the numbers of a value's placeholders; -1 for one without."""
    if isinstance(value, dict):
        if value.get(PLACEHOLDER) is True:
            number = value.get("num")
            yield number if type(number) is int else -1
            return
        for part in value.values():
            yield from placeholders(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from placeholders(part)


def _put_back(value: Argument, attached: Sequence[bytes]) -> Argument:
    if isinstance(value, dict):
        if value.get(PLACEHOLDER) is True:
            return attached[value["num"]]
        return {name: _put_back(part, attached) for name, part in value.items()}
    if isinstance(value, list):
        return [_put_back(part, attached) for part in value]
    return value
