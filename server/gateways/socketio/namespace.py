"""Event handlers in Python, for people who come from Socket.IO.

    game = Namespace("/game")

    @game.on("move")
    async def moved(socket, square):
        await socket.publish("table-1", "moved", {"square": square})
        return {"ok": True}

Its rooms are the channels of the kind of that name: the room `table-1` of `/game` is
the channel `game:table-1`. What is emitted to a room is published there, with order,
history and all nodes. Events without a handler go to the channels as they are
(docs/reference/socketio-wire.md).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ...errors import BAD_REQUEST, UNAVAILABLE, Refusal
from ...model import SERVER, Event
from .codec import MAIN_KIND, channel_of
from .packets import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...hub.hub import Hub
    from ...model import JSON, Position

    Handler: TypeAlias = Callable[..., object]
    """A function of the application, a coroutine function or not."""

LIFE: Final = frozenset({"connect", "disconnect"})
"""Events of the connection itself, which have handlers like others."""

_NAME = re.compile(r"/(?:[a-z][a-z0-9_]{0,15})?")


class ConnectRefused(Exception):
    """Raised by a handler: this client does not come in, and is told why.

    `content` is the `data` of the client's error; None: there is none.
    """

    def __init__(self, message: str, content: JSON = None) -> None:
        super().__init__(message)
        self.message = message
        self.content = content


async def call(handler: Handler, *arguments: object) -> object:
    """Call what may be a coroutine function, or not."""
    result = handler(*arguments)
    return await result if isinstance(result, Awaitable) else result


@dataclass(frozen=True, slots=True)
class EventHandler:
    """A handler that is called by what a client sends."""

    handler: Handler
    signature: inspect.Signature

    async def __call__(self, *arguments: object) -> object:
        """Return what it returns; raise `Refusal` for arguments it does not take."""
        try:
            self.signature.bind(*arguments)
        except TypeError:
            reason = "not the arguments of this event"
            raise Refusal(BAD_REQUEST.because(reason)) from None
        return await call(self.handler, *arguments)


class Namespace:
    """The handlers of one namespace, e.g. `/game`; `/` is the main one.

    `recovery` False: its clients get no private id and no places, and so begin anew
    with each connection. Raises ValueError for a name that no kind can have.
    """

    def __init__(self, name: str, *, recovery: bool = True) -> None:
        if _NAME.fullmatch(name) is None or name == f"/{MAIN_KIND}":
            raise ValueError(f"{name!r} cannot be a namespace: / or / and a kind")
        self.name = name
        self.recovery = recovery
        self.checks: list[Handler] = []
        self._handlers: dict[str, EventHandler] = {}
        self._hub: Hub | None = None

    @property
    def kind(self) -> str:
        """The kind whose channels are its rooms."""
        return self.name[1:] or MAIN_KIND

    def attach(self, hub: Hub) -> None:
        """Say where its rooms are; done by the application that it is given to."""
        self._hub = hub

    # Handlers

    def on(self, event: str) -> Callable[[Handler], Handler]:
        """Make a function the handler of an event: `async (socket, *arguments)`.

        What it returns is the acknowledgement; a tuple is several values, None none.
        `connect` is `(socket, auth)` and may raise `ConnectRefused`; `disconnect` is
        `(socket, reason)`. A handler takes the place of what the event does otherwise.
        """
        if event in RESERVED - LIFE:
            raise ValueError(f"{event!r} is a reserved event name")

        def add(handler: Handler) -> Handler:
            self._handlers[event] = EventHandler(handler, inspect.signature(handler))
            return handler

        return add

    def use(self, check: Handler) -> Handler:
        """Have `async (socket, auth)` asked before each connect, in order.

        It may raise `ConnectRefused`.
        """
        self.checks.append(check)
        return check

    def handler(self, event: str) -> EventHandler | None:
        """Return the handler of an event; None where there is none."""
        return self._handlers.get(event)

    # Rooms

    def to(self, room: str) -> Room:
        """Return a room, to emit to it. Raises `Refusal`."""
        if self._hub is None:
            raise Refusal(UNAVAILABLE.because("the namespace is in no application"))
        return Room(self._hub, channel_of(self.name, room))


class Room:
    """A room, as the server speaks to it."""

    def __init__(self, hub: Hub, channel: str, *, volatile: bool = False) -> None:
        self._hub = hub
        self.channel = channel
        self._is_volatile = volatile

    @property
    def volatile(self) -> Room:
        """The same room for what need not arrive: it is emitted as a signal."""
        return Room(self._hub, self.channel, volatile=True)

    async def emit(
        self, event: str, content: JSON, *, key: str | None = None
    ) -> Position | None:
        """Publish to the room; return the position, None for a signal.

        Raises `Refusal`. For `key` see `Hub.publish`, and `Event` for a signal's.
        """
        if self._is_volatile:
            signal = Event(event, content, key, signal=True)
            await self._hub.signal(SERVER, self.channel, signal)
            return None
        return await self._hub.publish(self.channel, content, event=event, key=key)
