"""One client in one namespace, as event handlers are given it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ...errors import LIMIT_EXCEEDED, Refusal
from ...model import Event, Subscribe
from . import speech
from .codec import channel_of
from .packets import RESERVED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...model import JSON, Position, Principal
    from .packets import Argument
    from .rooms import Rooms

MOST_CALLS: Final = 64
"""So many calls of one socket may wait for their answer."""


class SocketGone(ConnectionError):
    """The client is not connected any more, so nothing can be told or asked."""


class Socket:
    """One client in one namespace.

    `id` is its `socket.id` there, `auth` what it brought, `recovered` whether it is one
    who came back, with its rooms. `stash` is the application's own; it goes with the
    socket. The first thing that a connect handler tells it (by `emit`, `call`, `join`)
    lets it in; without that the handler's end does.
    """

    def __init__(
        self,
        hub: Hub,
        rooms: Rooms,
        namespace: str,
        socket_id: str,
        auth: Mapping[str, JSON],
        *,
        recovered: bool = False,
    ) -> None:
        self._hub = hub
        self._session = rooms.session
        self._rooms = rooms
        self.namespace = namespace
        self.id = socket_id
        self.auth = auth
        self.recovered = recovered
        self.stash: dict[str, object] = {}
        self.connected = False
        self.faults: set[str] = set()
        """The events whose handlers failed: each is logged once."""
        self.admit: Callable[[], Awaitable[None]]
        """Lets it in, if it is not; raises `SocketGone`. Set by its connection."""
        self.dismiss: Callable[[], None]
        """Sends it out. Set by its connection."""
        self._calls: dict[int, asyncio.Future[Sequence[Argument]]] = {}
        self._last_id = -1

    @property
    def who(self) -> Principal:
        """The user."""
        return self._session.who

    @property
    def session(self) -> Session:
        """The connection's session of the hub; other namespaces share it."""
        return self._session

    @property
    def rooms(self) -> tuple[str, ...]:
        """The rooms that it is in."""
        channels = self._rooms.of(self.namespace)
        return tuple(channel.partition(":")[2] for channel in channels)

    # To this client

    async def emit(self, event: str, *arguments: object) -> None:
        """Tell this client something; it is not kept, and gone with the connection.

        With recovery, the client gets its place as one more argument, as of every event
        from Socket.IO with recovery. Raises `SocketGone`; ValueError or TypeError for
        what cannot be sent.
        """
        _check(event)
        await self.admit()
        place = self._rooms.place(self.namespace)
        after = () if place is None else (place,)
        frame = speech.event(self.namespace, (event, *arguments, *after))
        self._session.push(frame, None)

    async def call(
        self, event: str, *arguments: object, timeout_s: float = 10.0
    ) -> Argument:
        """Tell this client something and return its acknowledgement.

        Of several values a tuple, of none None. Raises TimeoutError, `SocketGone`,
        `Refusal` while too many wait, and what `emit` raises.
        """
        _check(event)
        await self.admit()
        if len(self._calls) >= MOST_CALLS:
            raise Refusal(LIMIT_EXCEEDED.because(f"{MOST_CALLS} calls wait"))
        self._last_id += 1
        call_id = self._last_id
        frame = speech.event(self.namespace, (event, *arguments), call_id)
        answer = asyncio.get_running_loop().create_future()
        self._calls[call_id] = answer
        try:
            self._session.push(frame, None)
            async with asyncio.timeout(timeout_s):
                values: Sequence[Argument] = await answer
        finally:
            self._calls.pop(call_id, None)
        return tuple(values) if len(values) > 1 else values[0] if values else None

    def acknowledged(self, call_id: int | None, values: Sequence[Argument]) -> None:
        """Take an acknowledgement; one that nobody waits for is passed over."""
        answer = self._calls.pop(-1 if call_id is None else call_id, None)
        if answer is not None and not answer.done():
            answer.set_result(values)

    async def disconnect(self) -> None:
        """Send it out of the namespace; the connection stays, for the others."""
        self.dismiss()

    def end(self) -> None:
        """Fail what waits for an answer. Called by its connection: it is gone."""
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(SocketGone("the client is gone"))

    # Rooms

    async def join(
        self, room: str, *, since: Position | None = None, presence: bool = False
    ) -> None:
        """Join a room, as a client may itself: its kind is asked.

        The client is told by the event `joined`, with what it missed since. Raises
        `Refusal` and `SocketGone`.
        """
        await self.admit()
        channel = channel_of(self.namespace, room)
        await self._rooms.join(Subscribe(None, channel, since, presence))

    async def leave(self, room: str) -> None:
        """Leave a room."""
        await self._rooms.leave(channel_of(self.namespace, room))

    async def publish(
        self, room: str, event: str, content: JSON, *, key: str | None = None
    ) -> Position | None:
        """Publish to a room as this user; see `Hub.publish`. Raises `Refusal`."""
        channel = channel_of(self.namespace, room)
        return await self._hub.publish(
            channel, content, event=event, key=key, who=self.who
        )

    async def signal(
        self, room: str, event: str, content: JSON, *, key: str | None = None
    ) -> None:
        """Send a signal to a room as this user. Raises `Refusal`."""
        channel = channel_of(self.namespace, room)
        signal = Event(event, content, key, signal=True)
        await self._hub.signal(self.who, channel, signal, self._session)


def _check(event: str) -> None:
    if event in RESERVED:
        raise ValueError(f"{event!r} is a reserved event name")
