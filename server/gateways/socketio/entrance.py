"""The way into a namespace: who may come, who comes back, and what is said to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ...errors import CLOSED, FORCED_RECONNECT, Refusal
from ...model import Standing
from ..words import words_of
from . import speech
from .codec import MAIN_KIND, channel_of, notice
from .recovery import (
    PrivateId,
    digest,
    read_private_id,
    resumable,
    write_private_id,
)
from .socket import Socket, SocketGone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...model import Position
    from .namespace import EventHandler, Namespace
    from .packets import Packet
    from .rooms import Rooms

MAX_NAMESPACES: Final = 16
"""So many namespaces of one connection."""


@dataclass(frozen=True, slots=True)
class Hall:
    """What all connections of one application share."""

    hub: Hub
    namespaces: Mapping[str, Namespace]
    live: dict[str, Socket] = field(default_factory=dict)
    """The sockets that are connected to this node, by their ids."""

    def why_not(self, namespace: str, count: int) -> str | None:
        """Return why a connection with `count` namespaces does not get this one."""
        if count >= MAX_NAMESPACES:
            return f"At most {MAX_NAMESPACES} namespaces"
        if namespace == f"/{MAIN_KIND}":
            # It would be a second name for the rooms of the main one.
            return "Invalid namespace"
        try:
            self.hub.registry.kind(channel_of(namespace, "a"))
        except Refusal:
            return "Invalid namespace"
        return None

    def handler(self, packet: Packet) -> EventHandler | None:
        """Return the application's own handler of an event; None: it has none."""
        namespace = self.namespaces.get(packet.namespace)
        name = packet.arguments[0] if packet.arguments else None
        if namespace is None or not isinstance(name, str):
            return None
        return namespace.handler(name)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who asks to come in. `places`: where from; None: as somebody new.

    `private_id` is None in a namespace that offers no recovery.
    """

    socket: Socket
    private_id: str | None
    places: Mapping[str, Position] | None


class Entrance:
    """How one connection comes into its namespaces.

    `secret` signs private ids. `anonymous`: nobody says who its user is, neither a
    cookie nor the host application.
    """

    def __init__(
        self,
        hall: Hall,
        session: Session,
        rooms: Rooms,
        secret: bytes,
        *,
        anonymous: bool,
    ) -> None:
        self._hall = hall
        self._session = session
        self._rooms = rooms
        self._secret = secret
        self._anonymous = anonymous

    async def newcomer(self, packet: Packet, *, first: bool) -> Newcomer:
        """Return who asks; `first`: the connection is in no namespace yet."""
        hub, namespace, auth = self._hall.hub, packet.namespace, dict(packet.auth or {})
        socket_id, text, places = hub.new_id(""), None, None
        if self._rooms.has_places(namespace):
            text, offset = auth.get("pid"), auth.get("offset")
            private = read_private_id(text, namespace, self._secret)
            if private is not None:
                auth = {name: auth[name] for name in auth if name not in _OURS}
                if self._is(private, first=first):
                    places = await resumable(hub, namespace, private, offset)
            if private is not None and places is not None:
                socket_id = private.id
            else:
                who = self._session.who
                private = PrivateId(
                    socket_id, who.id, who.name, self._anonymous, digest(offset)
                )
                text = write_private_id(private, namespace, self._secret)
        socket = Socket(
            hub,
            self._rooms,
            namespace,
            socket_id,
            auth,
            recovered=places is not None,
        )
        return Newcomer(socket, None if text is None else str(text), places)

    def _is(self, private: PrivateId, *, first: bool) -> bool:
        """Whether the connection's user is the one named, or can be."""
        session = self._session
        if session.who.id == private.user_id:
            return True
        if not (self._anonymous and private.bearer and first):
            return False
        session.who = private.who
        return True

    async def let_in(self, newcomer: Newcomer, *, first: bool) -> None:
        """Say that it is connected, and give it what it missed.

        Raises `SocketGone` where that cannot be had after all: it comes back once more.
        """
        hall, session, socket = self._hall, self._session, newcomer.socket
        before = hall.live.get(socket.id)
        hall.live[socket.id] = socket
        if before is not None:
            before.session.close(CLOSED)
        words = {"sid": socket.id}
        if newcomer.private_id is not None:
            words["pid"] = newcomer.private_id
        session.push(speech.connect(socket.namespace, words), None)
        if not (first or hall.hub.neighbours.live):
            session.push(standing(socket.namespace, live=False), None)
        if newcomer.places and not await self._rooms.come_back(newcomer.places):
            session.close(FORCED_RECONNECT)
            raise SocketGone


_OURS: Final = frozenset({"pid", "offset"})


def standing(namespace: str, *, live: bool) -> bytes:
    """Return the frame that tells a namespace whether the hub is live."""
    return notice(namespace, "status", words_of(Standing(live)))
