"""TCP connections until they have asked for something, and no longer than a while.

aiohttp waits for a request's head as long as for the next request: connections that say
nothing, or one byte in a while, would be held for more than a minute.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import ref

from aiohttp import web

if TYPE_CHECKING:
    import socket

    from ..settings import Settings

ACCEPTED_AT_ONCE: Final = 32
"""So many connections are taken in a turn of the loop, however many wait: asyncio would
take as many as may wait, and each makes work for the next turn."""
BATCH_S: Final = 1.0
"""Those that come within so long are looked at together."""

LATE: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class Caller(web.RequestHandler):
    """One connection, as aiohttp serves it."""

    # aiohttp's own has no __weakref__.
    __slots__ = ("__weakref__", "_heard")

    def __init__(self, server: web.Server, settings: Settings) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none
            keepalive_timeout=settings.keepalive_timeout_s,
        )
        self._heard = False

    def data_received(self, data: bytes) -> None:
        """See aiohttp."""
        self._heard = True
        super().data_received(data)

    def hurry(self) -> None:
        """End it, unless it has asked for something.

        Who has begun to ask is told why (RFC 9110 section 15.5.9). Who has not is not:
        browsers open connections in advance, and would show that as an answer.
        """
        if self._request_count or self.transport is None:
            return
        if self._heard and isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(LATE)
        self.force_close()


class Callers(web.SockSite):
    """Listens, and hurries whoever comes.

    A head that is not whole after `handshake_timeout_s`, and up to `BATCH_S` later, is
    not waited for.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        listener: socket.socket,
        settings: Settings,
        *,
        backlog: int,
    ) -> None:
        super().__init__(runner, listener, backlog=backlog)
        self._settings = settings
        self._newest: list[ref[Caller]] = []
        self._newest_until_s = 0.0

    async def start(self) -> None:
        """Begin to listen."""
        await web.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            self._caller, sock=self._sock, backlog=ACCEPTED_AT_ONCE
        )
        self._sock.listen(self._backlog)

    def _caller(self) -> Caller:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        caller = Caller(server, self._settings)
        self._batch().append(ref(caller))
        return caller

    def _batch(self) -> list[ref[Caller]]:
        """Return those who are hurried together with who comes now."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._newest_until_s:
            self._newest, self._newest_until_s = [], now + BATCH_S
            wait_s = self._settings.handshake_timeout_s + BATCH_S
            loop.call_later(wait_s, _hurry, self._newest)
        return self._newest


def _hurry(batch: list[ref[Caller]]) -> None:
    for known in batch:
        caller = known()
        if caller is not None:
            caller.hurry()
