"""What a session is told, as Socket.IO's events and acknowledgements. Pure.

Specified in docs/reference/socketio-wire.md. The payloads are the native wire's
objects. A publication ends with a *place*: where its reader stands in all rooms of the
namespace, which stock clients keep and say when they come back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from ...errors import BAD_REQUEST, Refusal
from ...model import (
    Failed,
    Gap,
    Joined,
    Left,
    Position,
    Publication,
    Reset,
    Signal,
    Standing,
    Subscribed,
)
from ..places import MAX_PLACES, write_places
from ..recent import Recent
from ..words import words_of
from . import speech
from .packets import MAIN, RESERVED, PacketType

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from ...model import JSON, Outbound, Reply

    Places: TypeAlias = Mapping[str, Position | None]
    Emitted: TypeAlias = Publication | Signal | Joined | Left | Gap | Reset | Subscribed

OWN_EVENTS: Final = frozenset(
    {
        "closing",
        "event",
        "gap",
        "join",
        "joined",
        "leave",
        "recovery",
        "refused",
        "reset",
        "status",
    }
)
"""Events of the wire itself: a publication of such a name is emitted as `event`."""

UNSURE: Final = "?"
"""The place of one who is about to join or leave a room: cannot be recovered."""
CROWDED: Final = "!"
"""The place of one in more rooms than a place can say: cannot be recovered."""

MAIN_KIND: Final = "open"
"""The kind whose channels are the main namespace's rooms."""

_encode = msgspec.json.Encoder().encode


def namespace_of(channel: str) -> str:
    """Return the namespace whose room a channel is."""
    kind = channel.partition(":")[0]
    return MAIN if kind == MAIN_KIND else f"/{kind}"


def channel_of(namespace: str, room: str) -> str:
    """Return the channel of a room; a channel's full name is taken, too.

    Raises `Refusal` for a channel of another namespace.
    """
    if ":" in room:
        if namespace_of(room) != namespace:
            raise Refusal(BAD_REQUEST.because(f"{namespace} has no such room"))
        return room
    kind = MAIN_KIND if namespace == MAIN else namespace[1:]
    return f"{kind}:{room}"


def place_of(places: Places) -> str:
    """Return the string that says where one stands; a room without position: unsure."""
    if len(places) > MAX_PLACES:
        return CROWDED
    sure = {channel: at for channel, at in places.items() if at is not None}
    return write_places(sure) if len(sure) == len(places) else UNSURE


def notice(namespace: str, name: str, words: JSON) -> bytes:
    """Return the frame of an event of the wire itself."""
    return speech.event(namespace, (name, words))


def refusal(namespace: str, failed: Failed) -> bytes:
    """Return the frame that says that something was refused: to its id, if any."""
    words = words_of(replace(failed, id=None))
    if failed.id is None:
        return notice(namespace, "refused", words)
    return speech.ack(namespace, failed.id, (words,))


def reply(answer: Reply) -> bytes | None:
    """Return the acknowledgement; None where nobody asked for one, but for an error."""
    namespace = MAIN if answer.channel is None else namespace_of(answer.channel)
    if isinstance(answer, Failed):
        return refusal(namespace, answer)
    if answer.id is None:
        return None
    words = words_of(answer) or {}
    words.pop("id", None)
    return speech.ack(namespace, answer.id, (words,))


class _Codec(ABC):
    """The words of one who stands in the rooms that `_places` says."""

    name = "socketio"

    def __init__(
        self, bodies: Recent[Emitted, bytes], forgetful: Container[str]
    ) -> None:
        self.bodies = bodies
        self.forgetful = forgetful
        """The namespaces that offer no recovery, and so need no places."""

    @abstractmethod
    def _places(self, channel: str, position: Position) -> Places:
        """Return where one stands in the rooms of a channel's namespace."""

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the frames; None for an acknowledgement that nobody asked for."""
        match outbound:
            case Publication() | Reset():
                return self._emit(outbound, outbound.position)
            case Signal() | Joined() | Left() | Gap():
                return self._emit(outbound)
            case Subscribed():
                return self._subscribed(outbound)
            case Standing():
                # Of no channel, so of each namespace: the receiver tells it.
                return None
            case _:
                return reply(outbound)

    def _subscribed(self, outbound: Subscribed) -> bytes | None:
        channel, at = outbound.channel, outbound.position
        if outbound.id is None:
            return self.joined(outbound)
        answer = reply(outbound) or b""
        namespace = namespace_of(channel)
        if namespace in self.forgetful:
            return answer
        # Cut off between these, a client cannot take itself for joined, and come back
        # to a place that leaves the room out.
        before = notice(namespace, "recovery", UNSURE)
        after = notice(namespace, "recovery", place_of(self._places(channel, at)))
        return before + answer + after

    def joined(self, outbound: Subscribed) -> bytes:
        """Return the event that tells a subscription nobody waits to be told of."""
        return self._emit(outbound, outbound.position)

    def _emit(self, said: Emitted, at: Position | None = None) -> bytes:
        """Return an event's frame; `at` is where the reader stands after it."""
        namespace = namespace_of(said.channel)
        # An answer is for one reader alone, and too large to be kept.
        once = isinstance(said, Subscribed)
        body = _body(said) if once else self.bodies.of(said)
        if at is None or namespace in self.forgetful:
            rest = body + b"]"
        else:
            place = place_of(self._places(said.channel, at))
            rest = b'%b,"%b"]' % (body, place.encode())
        return speech.text(PacketType.EVENT, namespace, rest)


class SharedCodec(_Codec):
    """The words of all who are in at most one room of each namespace."""

    def __init__(self, forgetful: Container[str] = frozenset()) -> None:
        super().__init__(Recent(_body), forgetful)

    def _places(self, channel: str, position: Position) -> Places:
        return {channel: position}


class OwnCodec(_Codec):
    """The words of one who is in several; what is the same for all is encoded once.

    `places` returns where it stands in the rooms of a channel's namespace; None for one
    that it is about to join or leave.
    """

    def __init__(self, shared: SharedCodec, places: Callable[[str], Places]) -> None:
        super().__init__(shared.bodies, shared.forgetful)
        self._all = places

    def _places(self, channel: str, position: Position) -> Places:
        return {**self._all(channel), channel: position}


class ReplayCodec(OwnCodec):
    """The words of one who comes back: what it missed are events like any others.

    `whole` is False from where one room's past could not be had.
    """

    whole = True

    def _subscribed(self, outbound: Subscribed) -> bytes | None:
        if not outbound.recovered:
            self.whole = False
            return None
        said = [self.encode(each) for each in outbound.publications]
        said += [self.encode(each) for each in outbound.signals]
        if outbound.state is not None:
            said.append(self.joined(replace(outbound, publications=(), signals=())))
        return b"".join(filter(None, said)) or None


def _body(said: Emitted) -> bytes:
    return _encode([_name(said), words_of(said)])[:-1]


def _name(said: Emitted) -> str:
    match said:
        case Joined():
            return "join"
        case Left():
            return "leave"
        case Gap():
            return "gap"
        case Reset():
            return "reset"
        case Subscribed():
            return "joined"
        case Publication() | Signal():
            taken = said.event in OWN_EVENTS or said.event in RESERVED
            return "event" if taken else said.event
