"""Long-polling: a GET waits for what there is to tell, a POST brings what is said.

Rules:
1. One GET and one POST at a time; a second one ends the session (section HTTP
   long-polling of the specification).
2. There is room only while a GET waits. What comes before the next one waits in the
   outbox, whose bound ends a session whose client does not come.
3. A GET whose connection breaks ends the session: nobody knows what it has read.
4. A POST is read to its last byte before anything of it counts.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import hdrs, web

from ... import observability
from . import engine
from .bodies import read_whole, refusal
from .engine import Fault, NotAPacket
from .poll import Poll

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...settings import Settings
    from .engine import Packet

LOOK_S: Final = 1.0
"""How often it is looked whether a waiting GET is still there.

Needed in host applications: our own server cancels the handler at once.
"""

UPGRADING_S: Final = 0.1
"""How long a GET waits during an upgrade: the client is about to pause its polling."""

_BYTES: Final = "application/octet-stream"


class Polled(Protocol):
    """What long-polling needs of its connection."""

    hub: Hub
    settings: Settings
    session: Session

    async def take(self, packets: Iterable[Packet]) -> bool:
        """Carry out packets; False: not all of them. Raises `NotAPacket`."""

    def fail(self) -> None:
        """End it because of what its client did."""

    def broke(self, way: Polling) -> None:
        """End it because a request broke, unless it has another way by now."""

    def forget(self) -> None:
        """Let its id be nobody's."""


class Polling:
    """The way of a session that polls."""

    def __init__(self, connection: Polled) -> None:
        self._connection = connection
        self._poll: Poll | None = None
        self._posting: web.Request | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._last: deque[bytes] = deque()
        """What the next GETs are answered."""
        self._finished = False
        self._ping_waits = False
        self._is_watched = False
        self._is_upgrading = False

    # The wire

    def room(self) -> int:
        """See `Wire.room`."""
        poll = self._waiting()
        if poll is not None and not self._finished:
            return max(0, poll.room_bytes)
        # Room for nothing: what is over and has nothing to tell need not wait for a GET
        # before it is closed. Else a server that stops would wait for its pollers.
        session = self._connection.session
        return 1 if session.closed and not session.outbox else 0

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        poll = self._waiting()
        if poll is not None:
            poll.add(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`: an answer takes what gathers, by the outbox."""
        return False

    async def writable(self) -> None:
        """Wait for the next GET, or for another way. See `Wire.writable`."""
        if self._finished:
            raise ConnectionResetError
        if self.room() > 0:
            return
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def ping(self) -> None:
        """Send a ping, with the next GET where none waits."""
        self._ping_waits = True
        self._say_ping()

    def upgrading(self, *, now: bool) -> None:
        """Let no GET wait for long while an upgrade is under way."""
        self._is_upgrading = now
        self._let_go()

    # The client

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer with what there is to tell, as soon as there is anything."""
        if self._last:
            last = self._last.popleft()
            if not self._last:
                self._connection.forget()
            return await self.say(request, engine.payload_of(last))
        if self._poll is not None:
            self._connection.fail()
            return refusal(Fault.BAD_REQUEST)
        poll = self._poll = Poll(request)
        self._wake()
        self._connection.session.flush(self._connection.hub.now())
        self._say_ping()
        self._watch()
        if self._is_upgrading:
            self._connection.hub.wheel.call_later(UPGRADING_S, self._let_go)
        try:
            await poll.ready
            poll.taken = True
            payload = engine.payload_of(b"".join(poll.frames))
            return await self.say(request, payload)
        finally:
            self._poll = None
            if not poll.taken:
                self._connection.broke(self)

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take a payload; answered when all of it was carried out."""
        if self._posting is not None:
            self._connection.fail()
            return refusal(Fault.BAD_REQUEST)
        self._posting = request
        token = observability.session_id.set(self._connection.session.id)
        answer = None
        try:
            answer = await self._take(request)
        except (ConnectionError, web.RequestPayloadError):
            return refusal(Fault.BAD_REQUEST)
        finally:
            observability.session_id.reset(token)
            self._posting = None
            if answer is None:
                # It broke: cancelled, where the server cancels such handlers.
                self._connection.broke(self)
        return answer

    async def _take(self, request: web.Request) -> web.Response:
        most = self._connection.settings.max_frame_bytes
        body = await read_whole(request, most)
        if body is None:
            text = f"A payload has at most {most} bytes (maxPayload).\n"
            return web.Response(status=413, text=text)
        try:
            if request.headers.get(hdrs.CONTENT_TYPE, "").startswith(_BYTES):
                # The way of protocol 3; in 4 bytes travel as base64 among the text.
                body = b""
            whole = await self._connection.take(engine.decode_payload(body))
        except NotAPacket:
            self._connection.fail()
            whole = False
        return web.Response(text="ok") if whole else refusal(Fault.BAD_REQUEST)

    async def say(self, request: web.Request, payload: bytes) -> web.StreamResponse:
        """Write an answer; one that cannot be written ends the session."""
        response = web.Response(
            body=payload,
            content_type="text/plain",
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )
        is_written = False
        try:
            await response.prepare(request)
            await response.write_eof()
            is_written = True
        except ConnectionError:
            return response
        finally:
            if not is_written:
                self._connection.broke(self)
        return response

    # Its end

    def retire(self) -> None:
        """Let a GET and what waits for one go: from now on there is a WebSocket."""
        self._is_upgrading = True
        self._let_go()
        self._wake()

    def finish(self, words: bytes, end: bytes) -> None:
        """Say the last things, `words` if any and then the end.

        The end comes alone: stock clients obey it before they hand on what came beside
        it, which they do when they are back. The close timeout cuts what is not over.
        """
        if self._finished:
            return
        self._finished = True
        loop = asyncio.get_running_loop()
        loop.call_later(self._connection.settings.close_timeout_s, self._cut)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError())
        self._last.extend((words, end) if words else (end,))
        poll = self._poll
        if poll is not None and not poll.taken and (words or not poll.frames):
            poll.add(self._last.popleft())
        if not self._last:
            self._connection.forget()

    def _cut(self) -> None:
        self._last.clear()
        self._connection.forget()
        poll = None if self._poll is None else self._poll.request
        for request in (poll, self._posting):
            if request is not None and request.transport is not None:
                request.transport.abort()

    # What waits

    def _waiting(self) -> Poll | None:
        return self._poll if self._poll is not None and self._poll.waits else None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _say_ping(self) -> None:
        poll = self._waiting()
        if poll is not None and self._ping_waits:
            self._ping_waits = False
            poll.add(engine.PING)

    def _let_go(self) -> None:
        if self._is_upgrading and self._poll and not self._poll.ready.done():
            self._poll.add(engine.NOOP)

    def _watch(self) -> None:
        """Look after the connection of a GET: nobody says that it broke."""
        if not self._is_watched:
            self._is_watched = True
            self._connection.hub.wheel.call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._is_watched = False
        if self._poll is None:
            return
        if self._poll.waits or self._poll.taken:
            self._watch()
        else:
            self._connection.broke(self)
