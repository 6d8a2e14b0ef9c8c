"""The rooms of one connection, and the place that says where it stands in them.

Rules:
1. A place says all rooms of one namespace. In at most one of each, a connection shares
   its codec, and so its frames, with all others like it; else it has one of its own.
2. A place may say that something was given only where a client that read it has read
   all of that: so what waits for a room is written before the room is left or joined
   anew (for then what waits is dropped), and until that is done the place is unsure.
3. Rooms are joined and left one at a time.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ...errors import LIMIT_EXCEEDED, Refusal
from ...hub.joining import leave
from ...model import Position, Subscribe
from ..places import MAX_PLACES
from .codec import (
    UNSURE,
    OwnCodec,
    ReplayCodec,
    SharedCodec,
    channel_of,
    namespace_of,
    notice,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from ...hub.hub import Hub
    from ...hub.session import Session


class Rooms:
    """Which rooms a session is in, as its namespaces see it."""

    def __init__(self, hub: Hub, session: Session, shared: SharedCodec) -> None:
        self._hub = hub
        self.session = session
        self._shared = shared
        self._own = OwnCodec(shared, lambda at: self._places(namespace_of(at)))
        self._turn = asyncio.Lock()
        self._moving: str | None = None
        self._awaited: dict[str, Position] = {}
        """Rooms that it comes back to and is not in yet: what it had of each."""

    def of(self, namespace: str) -> list[str]:
        """Return the channels that it is in."""
        kind = channel_of(namespace, "")
        return [each for each in self.session.subscriptions if each.startswith(kind)]

    def has_places(self, namespace: str) -> bool:
        """Whether the namespace offers this connection recovery."""
        return namespace not in self._shared.forgetful

    def place(self, namespace: str) -> str | None:
        """Return where it stands; None without recovery."""
        if not self.has_places(namespace):
            return None
        return place_of(self._places(namespace))

    def told_place(self, namespace: str) -> bytes:
        """Return the frame that says where it stands; empty without recovery."""
        place = self.place(namespace)
        return b"" if place is None else notice(namespace, "recovery", place)

    def _places(self, namespace: str) -> dict[str, Position | None]:
        places: dict[str, Position | None] = {
            channel: at
            for channel, at in self._awaited.items()
            if namespace_of(channel) == namespace
        }
        subscriptions, channels = self.session.subscriptions, self.of(namespace)
        if len(channels) > MAX_PLACES:
            # Too many to be said, wherever it stands.
            return dict.fromkeys(channels)
        for channel in channels:
            subscription = subscriptions[channel]
            if subscription.held is None and channel != self._moving:
                at = Position(subscription.epoch, subscription.offset)
                places[channel] = at
            else:
                places.setdefault(channel, None)
        return places

    @asynccontextmanager
    async def moving(self, channel: str) -> AsyncIterator[None]:
        """Join or leave a room meanwhile. Waits for what was told of it before."""
        async with self._turn:
            self._moving = channel
            self._choose((*self.session.subscriptions, channel))
            try:
                if channel in self.session.subscriptions:
                    await self._have_written(namespace_of(channel))
                yield
            finally:
                self._moving = None
                self._choose(self.session.subscriptions)

    async def join(self, command: Subscribe) -> None:
        """Join a room for the server's own sake. Raises `Refusal`."""
        hub, session = self._hub, self.session
        limit = hub.limits.subscriptions
        known = command.channel in session.subscriptions
        if not known and len(session.subscriptions) >= limit:
            raise Refusal(LIMIT_EXCEEDED.because(f"{limit} subscriptions"))
        async with self.moving(command.channel):
            await session.room_for_past()
            await hub.join(session, command)
        session.stand(live=hub.neighbours.live)

    async def leave(self, channel: str, answer: bytes = b"") -> None:
        """Leave a room, and say where that leaves the client, before the answer."""
        async with self.moving(channel):
            leave(self._hub, self.session, channel)
            told = self.told_place(namespace_of(channel)) + answer
            if told:
                self.session.push(told, None)

    async def _have_written(self, namespace: str) -> None:
        """Wait until all that waits is written, and say that the place is unsure."""
        session = self.session
        if session.outbox and self.has_places(namespace):
            unsure = notice(namespace, "recovery", UNSURE)
            session.push(unsure, None, exempt=True)
            await session.caught_up()

    def _choose(self, channels: Iterable[str]) -> None:
        namespaces = [namespace_of(channel) for channel in set(channels)]
        alone = len(set(namespaces)) == len(namespaces)
        self.session.codec = self._shared if alone else self._own

    def leave_all(self, namespace: str) -> None:
        """Leave a namespace's rooms: it is disconnected."""
        for channel in self.of(namespace):
            leave(self._hub, self.session, channel)
        self._choose(self.session.subscriptions)

    async def come_back(self, places: Mapping[str, Position]) -> bool:
        """Join rooms where they were left; False: one of them cannot be resumed.

        What was missed comes as ordinary events. Presence is asked for in all of them:
        a place does not say in which it was, and silence would not be noticed.
        """
        session = self.session
        async with self._turn:
            self._awaited = dict(places)
            session.codec = codec = ReplayCodec(
                self._shared, lambda at: self._places(namespace_of(at))
            )
            try:
                for channel, since in places.items():
                    command = Subscribe(None, channel, since, presence=True)
                    error = await session.dispatch(command)
                    if error is not None or not codec.whole:
                        return False
                    del self._awaited[channel]
                return not session.closed
            finally:
                self._awaited.clear()
                self._choose(session.subscriptions)
