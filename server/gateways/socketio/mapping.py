"""What an event without a handler asks for: a command of the channels. Pure.

Specified in docs/reference/socketio-wire.md. The payloads are the native wire's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...errors import BAD_REQUEST, Refusal
from ...model import Failed
from ..commands import Rejected, command_of
from .codec import channel_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model import Command
    from .packets import Argument, Packet

ABOUT_A_ROOM: Final = {
    "join": "subscribe",
    "leave": "unsubscribe",
    "history": "history",
    "presence": "presence",
}
SAYING: Final = frozenset({"publish", "signal"})


def command_of_event(packet: Packet, rooms: Sequence[str]) -> Command:
    """Return the command; raises `Rejected`.

    `rooms` are the channels of the namespace that the socket is in: with one, it may
    be left out.
    """
    try:
        command = command_of(_words(packet, rooms))
    except Rejected as rejected:
        raise Rejected(replace(rejected.failed, id=packet.id)) from None
    except Refusal as refusal:
        raise Rejected(Failed(packet.id, None, refusal.error)) from None
    return replace(command, id=packet.id)


def _words(packet: Packet, rooms: Sequence[str]) -> dict[str, Argument]:
    name, *rest = packet.arguments
    if not isinstance(name, str):
        raise _bad("the event's name must be a string")
    if len(rest) > 1:
        raise _bad("an event has one payload")
    words = _payload(name, rest)
    if packet.binary and not isinstance(words.get("data"), bytes):
        raise _bad("bytes can only be the whole data")
    channel = words.pop("room", None)
    channel = words.get("channel", channel)
    if channel is None and len(rooms) == 1:
        channel = rooms[0]
    if isinstance(channel, str):
        channel = channel_of(packet.namespace, channel)
    words |= {"id": None, "channel": channel, "type": _type(name)}
    if name not in SAYING:
        words["event"] = name
    # What is still bytes is the whole data: the kind judges it.
    return words


def _type(name: str) -> str:
    return name if name in SAYING else ABOUT_A_ROOM.get(name, "publish")


def _payload(name: str, rest: Sequence[Argument]) -> dict[str, Argument]:
    payload = rest[0] if rest else None
    if isinstance(payload, dict):
        if _type(name) == name or name in ABOUT_A_ROOM or "data" in payload:
            return dict(payload)
        raise _bad("data is missing: the payload is {channel, data}")
    if name in SAYING:
        raise _bad("the payload must be an object")
    if name not in ABOUT_A_ROOM:
        return {"data": payload}
    if payload is None:
        return {}
    if isinstance(payload, str):
        return {"channel": payload}
    raise _bad("the payload must be a room or an object")


def _bad(reason: str) -> Refusal:
    return Refusal(BAD_REQUEST.because(reason))
