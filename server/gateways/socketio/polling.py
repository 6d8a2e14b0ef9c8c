"""Long-polling: a GET waits for what there is to tell; for POSTs see `Posts`.

Rules:
1. One GET at a time; a second one ends the session (section HTTP long-polling of the
   specification).
2. There is room only while a GET waits. What comes before the next one waits in the
   outbox, whose bound ends a session whose client does not come.
3. A GET whose connection breaks ends the session: nobody knows what it has read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from aiohttp import web

from . import engine
from .bodies import refusal
from .engine import Fault
from .poll import Poll
from .posts import Posted, Posts

LOOK_S: Final = 1.0
"""How often it is looked whether a waiting GET is still there.

Needed in host applications: our own server cancels the handler at once.
"""

UPGRADING_S: Final = 0.1
"""How long a GET waits during an upgrade: the client is about to pause its polling."""


class Polled(Posted, Protocol):
    """What long-polling needs of its connection."""

    def broke(self, way: Polling) -> None:
        """End it because a request broke, unless it has another way by now."""

    def forget(self) -> None:
        """Let its id be nobody's."""


class Polling:
    """The way of a session that polls."""

    def __init__(self, connection: Polled) -> None:
        self._connection = connection
        self._poll: Poll | None = None
        self.posts = Posts(connection, self.broke)
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
        self.posts.is_hurried = now
        self.posts.hurry()

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
                self.broke()

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
                self.broke()
        return response

    # Its end

    def broke(self) -> None:
        """End the session, unless it has another way by now: a request broke."""
        self._connection.broke(self)

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
        for request in (poll, self.posts.request):
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
            self.broke()
