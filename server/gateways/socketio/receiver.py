"""What one Socket.IO connection does with its packets.

Rules:
1. Packets are carried out in order, one at a time, also those that go to handlers; an
   acknowledgement alone is taken at once, for a handler may wait for it.
2. A packet that is none, or that may not come now, ends the connection, after what came
   before it. What can be read and may not be is refused, in words.
3. Who connects to no namespace in time is closed, also if it answers pings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ...errors import CLOSED, INVALID, SERVER_ERROR, TOO_MANY_ERRORS
from ...model import Done, Failed, Standing, Subscribe, Unsubscribe
from ..commands import Rejected
from . import handlers, speech
from .codec import notice, refusal, reply
from .connection import LEFT, SENT_OUT, WENT
from .entrance import Entrance, Hall, standing
from .line import Line
from .mapping import command_of_event
from .namespace import ConnectRefused
from .packets import Malformed, PacketType, Poisoned, Reader
from .rooms import Rooms
from .socket import SocketGone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...errors import Disconnect
    from ...hub.session import Session
    from ...model import JSON, Command
    from .codec import SharedCodec
    from .entrance import Newcomer
    from .packets import Packet
    from .socket import Socket

CONNECT_TIMEOUT_S: Final = 45.0
"""As of the reference server (`connectTimeout`)."""
MAX_ERRORS: Final = 100
"""So many packets in a row that are refused end the connection."""
PACKET_FRAMES: Final = 4
"""A packet's attachments may hold so many of the largest frames, all together."""


class Receiver:
    """The peer of one Engine.IO session (`connection.Peer`).

    `shared` is the codec of all who are like it; for the rest see `Entrance`.
    """

    def __init__(
        self,
        hall: Hall,
        session: Session,
        shared: SharedCodec,
        *,
        secret: bytes,
        anonymous: bool,
        max_frame_bytes: int,
    ) -> None:
        self.session = session
        session.heed = self._stand
        self._hall = hall
        self._rooms = Rooms(hall.hub, session, shared)
        self._entrance = Entrance(
            hall, session, self._rooms, secret, anonymous=anonymous
        )
        self._reader = Reader(PACKET_FRAMES * max_frame_bytes)
        self._line = Line(
            hall.hub.tasks,
            PACKET_FRAMES * max_frame_bytes,
            partial(session.close, SERVER_ERROR),
        )
        self._sockets: dict[str, Socket] = {}
        self._sent_out: set[str] = set()
        """Namespaces that it may not know yet to be out of."""
        self._came_in = self._over = self._finishes = False
        self._errors = self._weight_bytes = 0

    # What comes

    async def on_open(self) -> None:
        """Give the client its time to connect to a namespace."""
        self._hall.hub.wheel.remind(CONNECT_TIMEOUT_S, self._check_came_in)

    def _check_came_in(self) -> None:
        if not self._came_in:
            self.session.close(CLOSED)

    async def on_text(self, payload: bytes) -> None:
        """Take a text message: a packet, or the beginning of one."""
        await self._read(partial(self._reader.text, payload), len(payload))

    async def on_binary(self, payload: bytes) -> None:
        """Take a binary message: an attachment."""
        await self._read(partial(self._reader.binary, payload), len(payload))

    async def _read(self, read: Callable[[], Packet | None], weight: int) -> None:
        if self._over:
            return
        self._weight_bytes += weight
        work: Callable[[], Awaitable[None]]
        with_handlers = False
        try:
            packet = read()
        except Malformed:
            work = self._give_up
        except Poisoned as poisoned:
            work = partial(self._refuse_poison, poisoned)
        else:
            if packet is None:
                return
            if packet.type is PacketType.ACK:
                self._acknowledge(packet)
                return
            work = partial(self._carry_out, packet)
            with_handlers = self._is_for_handlers(packet)
        weight, self._weight_bytes = self._weight_bytes, 0
        if with_handlers or self._line.busy:
            await self._line.put(work, weight)
        else:
            await work()

    def _is_for_handlers(self, packet: Packet) -> bool:
        if packet.type is PacketType.CONNECT:
            return packet.namespace in self._hall.namespaces
        return self._hall.handler(packet) is not None

    def _acknowledge(self, packet: Packet) -> None:
        self._weight_bytes = 0
        socket = self._socket(packet)
        if socket is not None:
            socket.acknowledged(packet.id, packet.arguments)

    async def _give_up(self) -> None:
        self.session.close(INVALID)

    async def _refuse_poison(self, poisoned: Poisoned) -> None:
        packet = poisoned.packet
        if self._socket(packet) is not None:
            self._refuse(packet.namespace, Failed(packet.id, None, poisoned.error))

    def _socket(self, packet: Packet) -> Socket | None:
        """Return the packet's socket; a packet that has none ends the connection."""
        socket = self._sockets.get(packet.namespace)
        if socket is None and packet.namespace not in self._sent_out:
            self.session.close(INVALID)
        return socket

    async def _carry_out(self, packet: Packet) -> None:
        if self.session.closed and not self._finishes:
            return
        if packet.type is PacketType.CONNECT:
            await self._connect(packet)
            return
        socket = self._socket(packet)
        if socket is None:
            return
        if packet.type is PacketType.DISCONNECT:
            self._dismiss(socket, LEFT)
        else:
            await self._event(socket, packet)

    # Who comes in

    async def _connect(self, packet: Packet) -> None:
        namespace = packet.namespace
        if namespace in self._sockets:
            self.session.close(INVALID)
            return
        reason = self._hall.why_not(namespace, len(self._sockets))
        if reason is not None:
            error = speech.connect_error(namespace, {"message": reason})
            self.session.push(error, None)
            self._count_error()
            return
        first = not self._sockets
        newcomer = await self._entrance.newcomer(packet, first=first)
        socket = newcomer.socket
        socket.admit = partial(self._admit, newcomer, first=first)
        socket.dismiss = partial(self._send_out, socket)
        self._sent_out.discard(namespace)
        self._sockets[namespace] = socket
        try:
            await handlers.ask_in(self._hall.namespaces.get(namespace), socket)
            await socket.admit()
        except ConnectRefused as refused:
            self._send_out(socket, refused)
        except SocketGone:
            return

    async def _admit(self, newcomer: Newcomer, *, first: bool) -> None:
        socket = newcomer.socket
        if self._over or self._sockets.get(socket.namespace) is not socket:
            raise SocketGone("the client is gone")
        if not socket.connected:
            socket.connected = self._came_in = True
            await self._entrance.let_in(newcomer, first=first)

    # Who goes

    def _send_out(self, socket: Socket, why: ConnectRefused | None = None) -> None:
        """Tell a client that it is out of a namespace, or that it does not come in."""
        namespace = socket.namespace
        if self._sockets.get(namespace) is not socket:
            return
        self._sent_out.add(namespace)
        connected = socket.connected
        self._dismiss(socket, SENT_OUT)
        if connected:
            self.session.push(speech.disconnect(namespace), None)
        else:
            words = handlers.words_of_refusal(why or ConnectRefused("disconnected"))
            self.session.push(speech.connect_error(namespace, words), None)

    def _dismiss(self, socket: Socket, reason: str) -> None:
        del self._sockets[socket.namespace]
        self._rooms.leave_all(socket.namespace)
        if self._hall.live.get(socket.id) is socket:
            del self._hall.live[socket.id]
        socket.end()
        namespace = self._hall.namespaces.get(socket.namespace)
        if namespace is not None and socket.connected:
            self._line.push(partial(handlers.went, namespace, socket, reason))

    def farewell(self, disconnect: Disconnect) -> bytes:
        """Return the goodbye to each namespace; for good, if nobody may come back.

        A stock client comes back by itself from a connection that was closed, but not
        from a namespace that it was sent out of.
        """
        words: JSON = {"code": disconnect.code, "reason": disconnect.reason}
        said = b""
        for socket in self._sockets.values():
            if socket.connected:
                said += notice(socket.namespace, "closing", words)
                if not disconnect.returns:
                    said += speech.disconnect(socket.namespace)
        return said

    def lost(self, reason: str) -> None:
        """Let everybody know that the connection is over."""
        self._over, self._finishes = True, reason == WENT and self._line.busy
        if not self._finishes:
            self._line.end()
            for socket in tuple(self._sockets.values()):
                self._dismiss(socket, reason)
            return
        # What it said before it went is done before anybody hears that it went.
        self._line.finish()
        for socket in self._sockets.values():
            socket.end()
        self._line.push(partial(self._dismiss_all, reason))

    async def _dismiss_all(self, reason: str) -> None:
        for socket in tuple(self._sockets.values()):
            self._dismiss(socket, reason)

    def _stand(self, told: Standing) -> None:
        for socket in self._sockets.values():
            if socket.connected:
                self.session.push(standing(socket.namespace, live=told.live), None)

    # What they say

    async def _event(self, socket: Socket, packet: Packet) -> None:
        if (handler := self._hall.handler(packet)) is not None:
            await handlers.answer(handler, socket, packet)
            return
        try:
            command = command_of_event(packet, self._rooms.of(packet.namespace))
        except Rejected as rejected:
            self._refuse(packet.namespace, rejected.failed)
            return
        self._errors = 0
        await self._dispatch(command)

    async def _dispatch(self, command: Command) -> None:
        match command:
            case Subscribe():
                async with self._rooms.moving(command.channel):
                    await self.session.dispatch(command)
            case Unsubscribe():
                done = reply(Done(command.id, command.channel))
                await self._rooms.leave(command.channel, done or b"")
            case _:
                await self.session.dispatch(command)

    def _refuse(self, namespace: str, failed: Failed) -> None:
        self.session.push(refusal(namespace, failed), None)
        self._count_error()

    def _count_error(self) -> None:
        self._errors += 1
        if self._errors >= MAX_ERRORS:
            self.session.close(TOO_MANY_ERRORS)
