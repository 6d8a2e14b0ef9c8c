"""The native gateway's routes: `/ws` and, with the subscription made, one for each app.

`/ws/notes/{name}` is shared: text frames are this wire's, binary ones are Yjs's. Which
it is, the first frame decides; so that route lives beside the Yjs gateway, in `app`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ...errors import (
    BAD_REQUEST,
    DENIED,
    INVALID,
    SERVER_ERROR,
    TOO_MANY_ERRORS,
    UNKNOWN_CHANNEL,
    Refusal,
)
from ...keys import HUB, PRINCIPAL, SETTINGS
from ...model import Event, Failed, Position, Publish, Subscribe, split_channel
from ..commands import Rejected, command_of
from ..deflate import spoken
from ..door import check_text, decode_json
from ..handshake import accept
from .codec import NATIVE, decode
from .text import TEXT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...hub.session import Session
    from ...model import Command

MAX_ERRORS = 100
"""So many frames in a row that are no commands end the session."""


class NativeReceiver:
    """Feeds one session with the commands of its text frames.

    `first` is the route's own subscription; commands that name no channel mean its
    channel. `says_text`: what is not a JSON object is a message there. `only_text`:
    every text frame is.
    """

    def __init__(
        self,
        session: Session,
        first: Subscribe | None = None,
        *,
        says_text: bool = False,
        only_text: bool = False,
    ) -> None:
        self.session = session
        self._first = first
        self._channel = None if first is None else first.channel
        self._says_text = says_text
        self._only_text = only_text
        self._errors = 0

    async def on_open(self) -> None:
        """Make the route's own subscription; refused, the session ends.

        It may come back where that may help.
        """
        if self._first is None:
            return
        error = await self.session.dispatch(self._first)
        if error is not None:
            self.session.close(SERVER_ERROR if error.temporary else DENIED)

    async def on_text(self, frame: bytes) -> None:
        """Carry out one command."""
        try:
            command = self._command(frame)
        except Rejected as rejected:
            self._refuse(rejected.failed)
            return
        self._errors = 0
        await self.session.dispatch(command)

    async def on_binary(self, frame: bytes) -> None:
        """Refuse it: this wire has only text frames."""
        self.session.close(INVALID)

    def on_gone(self) -> None:
        """End the session."""
        self.session.gone()

    def _command(self, frame: bytes) -> Command:
        if self._channel is None or not self._says_text:
            return decode(frame, self._channel)
        if not self._only_text:
            try:
                found = decode_json(frame)
            except Refusal:
                if frame.lstrip().startswith(b"{"):
                    # Meant as a command, most likely; a message that begins so can
                    # be sent as one.
                    return decode(frame, self._channel)
            else:
                if isinstance(found, dict):
                    return command_of(found, self._channel)
        return Publish(None, self._channel, Event("message", {"text": _text(frame)}))

    def _refuse(self, failed: Failed) -> None:
        self.session.tell(failed)
        self._errors += 1
        if self._errors >= MAX_ERRORS:
            self.session.close(TOO_MANY_ERRORS)


def _text(frame: bytes) -> str:
    try:
        return check_text(frame.decode())
    except UnicodeDecodeError:
        error = BAD_REQUEST.because("not UTF-8")
    except Refusal as refusal:
        error = refusal.error
    raise Rejected(Failed(None, None, error))


async def any_channel(request: web.Request) -> web.WebSocketResponse:
    """`/ws`: any number of channels, none to begin with."""
    hub, settings = request.app[HUB], request.app[SETTINGS]
    ws, socket = await accept(
        request,
        hub,
        settings,
        max_frame_bytes=settings.max_frame_bytes,
        compress=settings.compress,
    )
    codec = spoken(NATIVE, ws.deflate)
    session = hub.open_session(request[PRINCIPAL], "native", codec, socket)
    socket.serve(NativeReceiver(session))
    return ws


def one_channel(
    kind: str, default: str | None = None
) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """Return the handler of `/ws/{kind}/{name}`, subscribed to `{kind}:{name}`."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        name = request.match_info.get("name") or default or ""
        channel = f"{kind}:{name}"
        subscribe = first_subscribe(request, channel)
        hub, settings = request.app[HUB], request.app[SETTINGS]
        ws, socket = await accept(
            request,
            hub,
            settings,
            max_frame_bytes=settings.max_frame_bytes,
            compress=settings.compress,
        )
        only_text = kind == "chat" and request.query.get("format") == "text"
        codec = spoken(TEXT if only_text else NATIVE, ws.deflate)
        session = hub.open_session(request[PRINCIPAL], "native", codec, socket)
        receiver = NativeReceiver(
            session, subscribe, says_text=kind == "chat", only_text=only_text
        )
        socket.serve(receiver)
        return ws

    return handle


def first_subscribe(request: web.Request, channel: str) -> Subscribe:
    """Return the subscribe that a route makes by itself, from its query.

    Raises HTTPNotFound or HTTPBadRequest, before the upgrade, for what can never be.
    """
    try:
        split_channel(channel)
        since = request.query.get("since")
        position = Position.parse(since) if since else None
    except Refusal as refusal:
        if refusal.error is UNKNOWN_CHANNEL:
            raise web.HTTPNotFound(text="unknown channel") from None
        raise web.HTTPBadRequest(text=str(refusal)) from None
    return Subscribe(None, channel, position, request.query.get("presence") == "1")


def routes() -> list[web.RouteDef]:
    """Return the routes of this gateway, but for the one that it shares with Yjs."""
    chat, opened = one_channel("chat", "lobby"), one_channel("open")
    return [
        web.get("/ws", any_channel),
        web.get("/ws/chat", chat),
        web.get("/ws/chat/{name}", chat),
        web.get("/ws/ticker", one_channel("ticker", "market")),
        web.get("/ws/ticker/{name}", one_channel("ticker", "market")),
        web.get("/ws/open/{name}", opened),
    ]
