"""One Engine.IO session: long-polling or a WebSocket, and the switch between them.

Rules:
1. It is the `Wire` of one hub session. What it is given to write are WebSocket frames,
   by either way; so nothing is lost or doubled by the switch: what was not written by
   the one is written by the other.
2. What its client sends is handed over one packet at a time, in order, by whichever way
   it came. A peer that waits makes the next read, or the POST's answer, wait.
3. Its id is a bearer secret of 160 random bits, and the only thing that says whose a
   request is: clients that keep no cookies are somebody new with each request.
4. A packet that is none, or out of its place, ends it (`fail`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from ...errors import CLOSED, INVALID, NO_PONG, SERVER_ERROR, SHUTDOWN
from . import engine
from .engine import Kind, NotAPacket, Packet
from .heartbeat import Heartbeat
from .polling import Polling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ...errors import Disconnect
    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...settings import Settings
    from ..base import Socket

logger = logging.getLogger("hubbub.socketio")

PACKETS_AT_ONCE: Final = 16
"""So many packets of one payload are taken before the others get a turn."""

WENT: Final = "transport close"
LEFT: Final = "client namespace disconnect"
SENT_OUT: Final = "server namespace disconnect"
_REASONS: Final = {
    NO_PONG: "ping timeout",
    INVALID: "parse error",
    SHUTDOWN: "server shutting down",
}
_FORCED: Final = "forced server close"


class Peer(Protocol):
    """What is done with what one client sends: the layer above Engine.IO.

    It opens its hub session with the connection as the wire, and ends it by
    `session.close`. Payloads of text messages are UTF-8, without the `4`.
    """

    session: Session

    async def on_open(self) -> None:
        """Begin, before the client has said anything."""

    async def on_text(self, payload: bytes) -> None:
        """Take a text message."""

    async def on_binary(self, payload: bytes) -> None:
        """Take a binary message."""

    def farewell(self, disconnect: Disconnect) -> bytes:
        """Return the WebSocket frames that say goodbye; empty: nothing to say."""

    def lost(self, reason: str) -> None:
        """Know, once, that the client is gone or sent away; in Socket.IO's words."""


class Connection:
    """One Engine.IO session; also the receiver of its WebSocket's frames.

    Make it, give it its `way`, then `begin`. `forget` takes its id out of the list of
    those that requests may name; it may be called again.
    """

    def __init__(
        self, sid: str, hub: Hub, settings: Settings, forget: Callable[[], None]
    ) -> None:
        self.sid = sid
        self.hub = hub
        self.settings = settings
        self._forget = forget
        self.way: Polling | Socket
        self.probe: Socket | None = None
        """A WebSocket that may become the way."""
        self.over = False
        self._turn = asyncio.Lock()

    def begin(self, peer: Peer) -> None:
        """Say whom its packets are for, and begin the heartbeat."""
        self.peer = peer
        self.session = peer.session
        self.beat = Heartbeat(self.hub, self.settings, self._ping, self.lose)

    # The wire

    def room(self) -> int:
        """See `Wire.room`."""
        return self.way.room()

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        self.way.write(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        return self.way.offer(chunk)

    async def writable(self) -> None:
        """See `Wire.writable`; also returns when the way has changed."""
        await self.way.writable()

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        words = self.peer.farewell(disconnect)
        self._end(_REASONS.get(disconnect, _FORCED))
        if isinstance(self.way, Polling):
            self.way.finish(words, engine.CLOSE)
            return
        if words and self.way.room():
            self.way.write(words)
        self.way.close(disconnect)

    # The client

    async def on_open(self) -> None:
        """Let the peer begin."""
        await self._care(self.peer.on_open())

    async def on_text(self, frame: bytes) -> None:
        """Take a text frame: one packet."""
        try:
            await self.take((engine.decode_packet(frame),))
        except NotAPacket:
            self.fail()

    async def on_binary(self, frame: bytes) -> None:
        """Take a binary frame: a message."""
        await self.take((Packet(Kind.BINARY, frame),))

    def on_gone(self) -> None:
        """End with its only WebSocket."""
        self.gone()

    async def take(self, packets: Iterable[Packet]) -> bool:
        """Carry out packets, in order; return False where the session closed before.

        Raises `NotAPacket` for one that has no place here, and what `packets` raises.
        """
        async with self._turn:
            self.beat.busy = True
            try:
                for count, packet in enumerate(packets, 1):
                    if self.session.closed:
                        return False
                    await self._carry_out(packet)
                    if count % PACKETS_AT_ONCE == 0:
                        await asyncio.sleep(0)
            finally:
                self.beat.busy = False
                self.beat.hear()
        return True

    async def _carry_out(self, packet: Packet) -> None:
        match packet.kind:
            case Kind.MESSAGE:
                await self._care(self.peer.on_text(packet.payload))
            case Kind.BINARY:
                await self._care(self.peer.on_binary(packet.payload))
            case Kind.CLOSE:
                self._leave()
            case Kind.PONG | Kind.NOOP:
                pass
            case _:
                raise NotAPacket

    async def _care(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("a handler failed")
            self.session.close(SERVER_ERROR)

    # The way

    def use(self, socket: Socket) -> None:
        """Go on by this WebSocket from now on."""
        before, self.way, self.probe = self.way, socket, None
        if isinstance(before, Polling):
            before.retire()

    def _ping(self) -> None:
        # Ahead of the outbox, by WebSocket also to a peer that reads slowly: it counts
        # the seconds, and it is one of three bytes in each interval.
        if isinstance(self.way, Polling):
            self.way.ping()
        else:
            self.way.write(engine.PING)

    # Its end

    def fail(self) -> None:
        """End it because of what its client sent."""
        self._cut_off(INVALID)

    def lose(self) -> None:
        """End it because its client did not answer in time."""
        self._cut_off(NO_PONG)

    def broke(self, way: Polling) -> None:
        """See `Polled.broke`."""
        if self.way is way:
            self.gone()

    def gone(self, reason: str = WENT) -> None:
        """End it because its client is gone, or is not to be heard any more."""
        self.session.gone()
        self._end(reason)
        if isinstance(self.way, Polling):
            self.way.finish(b"", engine.CLOSE)
        self.forget()

    def forget(self) -> None:
        """See `Polled.forget`."""
        self._forget()

    def _cut_off(self, disconnect: Disconnect) -> None:
        self.session.close(disconnect)
        if isinstance(self.way, Polling):
            # Its next request is answered that there is no such session.
            self.gone(_REASONS[disconnect])

    def _leave(self) -> None:
        """Obey a close packet."""
        self.session.gone()
        self._end(WENT)
        if isinstance(self.way, Polling):
            self.way.finish(b"", engine.NOOP)
        else:
            self.way.close(CLOSED)

    def _end(self, reason: str) -> None:
        if self.over:
            return
        self.over = True
        self.beat.stop()
        if self.probe is not None:
            self.probe.close(CLOSED)
        self.peer.lost(reason)
