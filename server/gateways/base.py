"""What all WebSocket gateways share: one connection, what it reads, its end.

Rules:
1. aiohttp does the handshake (`handshake`); from `serve` on, all is ours (`takeover`).
   An idle socket has neither a task nor a buffer.
2. What comes is parsed by aiohttp's reader and carried out in order, one frame at a
   time, by a task that lives while there is something to do. What is read ahead is
   bounded: a peer that waits for its command is not read from.
3. Pings and pongs go straight to the transport, ahead of the outbox. A peer that does
   not read gets none; TCP_USER_TIMEOUT ends it if its machine is gone.
4. A connection ends by `close`, with a code. It is read on until the peer's answer
   (RFC 6455 section 7.1.1), or aborted after the close timeout: a close frame that is
   followed at once by a reset would never be read. One that sends too many frames
   (`flood`) is not listened to any more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from aiohttp import WebSocketError, WSCloseCode, WSMsgType, web

from .. import observability
from ..errors import FLOODED, NO_PONG, SERVER_ERROR, SLOW
from . import frames
from .flood import FLOOD
from .inflow import Inflow
from .raw import RawWire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..errors import Disconnect
    from ..hub.hub import Hub
    from ..hub.session import Session
    from ..settings import Settings
    from .inflow import Message

logger = logging.getLogger("hubbub.gateway")

READ_FRAMES = 16
"""So many frames of one peer are taken in a turn of the loop."""


class Receiver(Protocol):
    """What a gateway does with what its peer sends, one frame at a time."""

    session: Session

    async def on_open(self) -> None:
        """Begin, before the peer has said anything."""

    async def on_text(self, frame: bytes) -> None:
        """Take a text frame (not yet checked to be UTF-8)."""

    async def on_binary(self, frame: bytes) -> None:
        """Take a binary frame."""

    def on_gone(self) -> None:
        """Know, once, that the connection is over."""


def own_codes(disconnect: Disconnect) -> tuple[int, str]:
    """Say a disconnect in the native wire's words: its own code, reason and time."""
    return disconnect.code, disconnect.words


class Socket(RawWire):
    """One WebSocket; the `Wire` of its session."""

    __slots__ = (
        "_busy",
        "_ended",
        "_heard_at",
        "_inflates",
        "_inflow",
        "_max_message_bytes",
        "_pinged_at",
        "_receiver",
        "_worker",
        "close_words",
    )

    def __init__(
        self,
        request: web.Request,
        hub: Hub,
        settings: Settings,
        max_message_bytes: int,
        *,
        inflates: bool = False,
    ) -> None:
        super().__init__(request, hub, settings)
        self._max_message_bytes = max_message_bytes
        self._inflates = inflates
        self.close_words: Callable[[Disconnect], tuple[int, str]] = own_codes
        self._receiver: Receiver | None = None
        self._inflow: Inflow | None = None
        self._worker: asyncio.Task[None] | None = None
        self._busy = False
        self._ended = False
        self._heard_at = hub.now()
        self._pinged_at: float | None = None

    # The wire

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        if not self._closing:
            self._say_goodbye(*self.close_words(disconnect))

    def _say_goodbye(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the peer has the close timeout to answer."""
        self._let_go()
        # Whoever stops the server waits for the answer.
        self._hub.farewells.begin(self)
        loop = asyncio.get_running_loop()
        # A deadline by the loop's own timer: it must hold even while the hub stops.
        loop.call_later(self._settings.close_timeout_s, self._transport.abort)
        if not self._transport.is_closing():
            # Behind what waits there, and however full it is: a slow peer may read on.
            self._transport.write(frames.close(code, reason))

    # The connection

    def serve(self, receiver: Receiver, *, pings: bool = True) -> None:
        """Read from now on, until the peer goes or is sent away; returns at once.

        The last that a handler does: nothing may be awaited after it (`takeover`).
        `pings` False: the wire has a heartbeat of its own.
        """
        self._receiver = receiver
        tail = self.take_over()
        if pings:
            self._hub.wheel.remind(self._settings.ping_interval_s, self._tick)
        self._work(opening=True)
        if tail:
            self.data_received(tail)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._receiver is None:
            if frames.is_close(data):
                self._transport.close()
            return
        if self._inflow is None:
            self._inflow = Inflow(
                self._transport,
                self._max_message_bytes,
                self._settings.frames_per_s,
                inflates=self._inflates,
            )
        self._inflow.feed(data)
        if self._inflow and self._worker is None:
            self._work()

    def eof_received(self) -> bool:
        """See asyncio.Protocol. What came before it is carried out, then it is closed.

        With TLS there is no half of a connection to answer on.
        """
        is_heard = self._inflow is not None and self._worker is not None
        self._ended = True
        return is_heard and self._is_plain

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._hub.farewells.told(self)
        self._end()
        if self._worker is not None:
            self._worker.cancel()

    def _end(self) -> None:
        """Hear nothing more; let the receiver know, once."""
        receiver, self._receiver, self._inflow = self._receiver, None, None
        if receiver is not None:
            receiver.on_gone()

    # The peer

    def _work(self, *, opening: bool = False) -> None:
        if self._receiver is not None:
            work = self._carry_out(self._receiver, opening=opening)
            self._worker = self._hub.tasks.spawn(work, "socket")

    async def _carry_out(self, receiver: Receiver, *, opening: bool) -> None:
        """Take what has come, until nothing more is there."""
        observability.session_id.set(receiver.session.id)
        taken = 0
        try:
            if opening:
                await self._care(receiver.session, receiver.on_open())
            while self._inflow:
                await self._take(receiver, await self._inflow.take())
                taken += 1
                if taken % READ_FRAMES == 0:
                    await asyncio.sleep(0)
        except WebSocketError as error:
            # What follows cannot be told apart, and so is not listened to.
            self._end()
            if not self._closing:
                self._say_goodbye(error.code)
        finally:
            self._worker = None
            if self._ended:
                self._transport.close()

    async def _take(self, receiver: Receiver, message: Message) -> None:
        """Take one; what comes while the session is closing is passed over."""
        session = receiver.session
        self._heard_at = self._hub.now()
        match message.type:
            case WSMsgType.PING:
                self._control(frames.pong(message.data))
            case WSMsgType.ERROR if message is FLOOD:
                session.close(FLOODED)
            case WSMsgType.CLOSE:
                self._part(message.data)
            case WSMsgType.TEXT if not session.closed:
                await self._care(session, receiver.on_text(message.data))
            case WSMsgType.BINARY if not session.closed:
                await self._care(session, receiver.on_binary(message.data))

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

    def _part(self, code: int) -> None:
        """Answer a close frame with its own code, if it is no answer, and close.

        RFC 6455 sections 5.5.1 and 7.1.1: the server closes first.
        """
        self._end()
        if not self._closing:
            self._say_goodbye(code or WSCloseCode.OK)
        self._transport.close()

    def _control(self, frame: bytes) -> None:
        if self.room():
            self._hand_over(frame)

    def _tick(self) -> None:
        """Ping by the wheel, and end a session whose peer does not answer."""
        receiver, settings = self._receiver, self._settings
        if receiver is None or receiver.session.closed:
            return
        now = self._hub.now()
        if self._busy:
            # It is not listened to now, so it cannot be heard.
            self._heard_at = now
        if self._pinged_at is not None and self._heard_at < self._pinged_at:
            receiver.session.close(NO_PONG)
            return
        if self.is_stuck(now):
            receiver.session.close(SLOW)
            return
        quiet_s = now - self._heard_at
        if quiet_s < settings.ping_interval_s or self._full:
            self._pinged_at = None
            wait_s = max(1.0, settings.ping_interval_s - quiet_s)
            self._hub.wheel.remind(wait_s, self._tick)
            return
        self._pinged_at = now
        self._control(frames.ping())
        self._hub.wheel.remind(settings.ping_timeout_s, self._tick)
