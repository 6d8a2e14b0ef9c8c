"""What all WebSocket gateways share: one connection, its raw writes, its end.

Rules (aiohttp 3.14, tried out):
1. aiohttp itself writes only the handshake and its answer to a peer's close, so the
   order of what we write past it is kept (`RawWire`).
2. Pings and pongs go straight to the transport, ahead of the outbox. A peer that does
   not read gets none; TCP_USER_TIMEOUT ends it if its machine is gone.
3. A connection ends by `close`, with a code. It is read on until the peer's answer
   (RFC 6455 section 7.1.1), or aborted after the close timeout: a close frame that is
   followed at once by a reset would never be read. (aiohttp's own `close` does not wait
   where another task reads.) One that sends too many frames (`flood`) is not read on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from .. import observability
from ..errors import FLOODED, NO_PONG, SERVER_ERROR
from . import frames
from .admission import admit
from .deflate import agree
from .flood import FLOOD, CountedResponse
from .raw import RawWire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter
    from multidict import CIMultiDict

    from ..errors import Disconnect
    from ..hub.hub import Hub
    from ..hub.session import Session
    from ..settings import Settings
    from .deflate import Deflate

logger = logging.getLogger("hubbub.gateway")

CONTROL_PAYLOAD_BYTES = 125
READ_FRAMES = 16
"""So many frames of one peer are taken in a turn of the loop."""

_DATA = (WSMsgType.TEXT, WSMsgType.BINARY)


class Receiver(Protocol):
    """What a gateway does with what its peer sends, one frame at a time."""

    session: Session

    async def on_open(self) -> None:
        """Begin, before the peer has said anything."""

    async def on_text(self, frame: bytes) -> None:
        """Take a text frame (not yet checked to be UTF-8)."""

    async def on_binary(self, frame: bytes) -> None:
        """Take a binary frame."""


def own_codes(disconnect: Disconnect) -> tuple[int, str]:
    """Say a disconnect in the native wire's words: its own code, reason and time."""
    return disconnect.code, disconnect.words


class Response(CountedResponse):
    """aiohttp's own, which says when it closes by itself: nothing is written then."""

    closing: Callable[[], None] | None = None
    deflate: Deflate | None = None
    """What was agreed on; None: nothing is compressed, by neither side."""

    async def close(
        self, *, code: int = WSCloseCode.OK, message: bytes = b"", drain: bool = True
    ) -> bool:
        """See aiohttp."""
        if self.closing is not None:
            self.closing()
        return await super().close(code=code, message=message, drain=drain)

    def _handshake(
        self, request: web.BaseRequest
    ) -> tuple[CIMultiDict[str], str | None, int, bool]:
        # aiohttp's own answer leaves to the client what the messages build on.
        headers, protocol, bits, alone = super()._handshake(request)
        if self.deflate is not None:
            headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = self.deflate.answer
            bits, alone = self.deflate.window_bits, True
        return headers, protocol, bits, alone


class Socket(RawWire):
    """One WebSocket; the `Wire` of its session."""

    __slots__ = (
        "_busy",
        "_heard_at",
        "_hub",
        "_loop",
        "_pinged_at",
        "_taken",
        "_watched",
        "_ws",
        "close_words",
    )

    def __init__(
        self,
        request: web.Request,
        ws: Response,
        writer: AbstractStreamWriter,
        hub: Hub,
        settings: Settings,
    ) -> None:
        super().__init__(request, writer, settings)
        self._ws = ws
        ws.closing = self._shut
        self._hub = hub
        self.close_words: Callable[[Disconnect], tuple[int, str]] = own_codes
        self._heard_at = hub.now()
        self._pinged_at: float | None = None
        self._busy = False
        self._taken = 0
        self._watched: Session | None = None
        self._loop = asyncio.get_running_loop()

    # The wire

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        if self._closing:
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        deadline = self._settings.close_timeout_s
        # A deadline by the loop's own timer: it must hold even while the hub stops.
        loop.call_later(deadline, self._transport.abort)
        if self._protocol.writing_paused:
            # Nothing more fits, so nobody would read the code: a slow peer, or one that
            # let the close timeout of its session pass.
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(frames.close(*self.close_words(disconnect)))

    def _shut(self) -> None:
        self._closing = True

    # The peer

    async def serve(self, receiver: Receiver) -> None:
        """Read until the peer goes or is sent away; then its session is gone."""
        self._watch(receiver.session)
        try:
            await self.attend(receiver)
        finally:
            receiver.session.gone()

    async def attend(self, receiver: Receiver) -> None:
        """Read until the peer goes or is sent away, without pings of our own.

        For wires with a heartbeat of their own; the session's end is the caller's.
        """
        token = observability.session_id.set(receiver.session.id)
        try:
            await self._care(receiver.session, receiver.on_open())
            await self._read(receiver)
        finally:
            observability.session_id.reset(token)
        if self._closing:
            # Before aiohttp would say goodbye once more.
            self._transport.close()

    async def _read(self, receiver: Receiver) -> None:
        """Take what comes; what comes while the session is closing is passed over."""
        session = receiver.session
        while True:
            message = await self._ws.receive()
            self._heard_at = self._hub.now()
            await self._take_turns()
            if message.type is WSMsgType.PING:
                self._control(frames.pong(message.data[:CONTROL_PAYLOAD_BYTES]))
            elif message is FLOOD:
                session.close(FLOODED)
            elif message.type not in (*_DATA, WSMsgType.PONG):
                return
            elif session.closed:
                continue
            elif message.type is WSMsgType.TEXT:
                await self._care(session, receiver.on_text(message.data))
            elif message.type is WSMsgType.BINARY:
                await self._care(session, receiver.on_binary(message.data))

    async def _take_turns(self) -> None:
        """Wait for the others' turn, if it has taken many frames in this one.

        What is in the buffer is had without waiting.
        """
        if self._taken == 0:
            self._loop.call_soon(self._begin_turn)
        self._taken += 1
        if self._taken > READ_FRAMES:
            await asyncio.sleep(0)

    def _begin_turn(self) -> None:
        self._taken = 0

    async def _care(self, session: Session, work: Awaitable[None]) -> None:
        self._busy = True
        try:
            await work
        except Exception:
            logger.exception("a handler failed")
            session.close(SERVER_ERROR)
        finally:
            self._busy = False
            self._heard_at = self._hub.now()

    def _control(self, frame: bytes) -> None:
        if self.room():
            self._transport.write(frame)

    def _watch(self, session: Session) -> None:
        """Ping by the wheel, and end a session whose peer does not answer."""
        self._watched = session
        self._hub.wheel.remind(self._settings.ping_interval_s, self._tick)

    def _tick(self) -> None:
        session, settings = self._watched, self._settings
        if session is None or session.closed:
            return
        now = self._hub.now()
        if self._busy:
            # It is not listened to now, so it cannot be heard.
            self._heard_at = now
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            session.close(NO_PONG)
            return
        quiet_s = now - self._heard_at
        if quiet_s < settings.ping_interval_s or self._protocol.writing_paused:
            self._pinged_at = None
            wait_s = max(1.0, settings.ping_interval_s - quiet_s)
            self._hub.wheel.remind(wait_s, self._tick)
            return
        self._pinged_at = now
        self._control(frames.ping())
        self._hub.wheel.remind(settings.ping_timeout_s, self._tick)


async def accept(
    request: web.Request,
    hub: Hub,
    settings: Settings,
    *,
    max_frame_bytes: int,
    compress: bool = False,
    is_new: bool = True,
) -> tuple[Response, Socket]:
    """Do the handshake; return the response for aiohttp and the socket.

    `max_frame_bytes` holds for what was inflated, too. `compress`: if the peer offers
    it, see `Response.deflate`. `is_new`: for one more session, not one that is there.
    Raises HTTPServiceUnavailable where there is no room for it, and HTTPBadRequest
    where the peer has gone meanwhile.
    """
    if is_new:
        admit(hub, settings)
    ws = Response(
        timeout=settings.close_timeout_s,
        autoping=False,
        autoclose=False,
        heartbeat=None,
        compress=False,
        max_msg_size=max_frame_bytes,
        decode_text=False,
    )
    ws.frames_per_s = settings.frames_per_s
    if compress:
        offers = request.headers.getall(hdrs.SEC_WEBSOCKET_EXTENSIONS, ())
        ws.deflate = agree(offers)
    try:
        writer = await ws.prepare(request)
    except ConnectionError:
        # Cut in the middle of the handshake: nobody is there to be told, or to log.
        raise web.HTTPBadRequest from None
    return ws, Socket(request, ws, writer, hub, settings)
