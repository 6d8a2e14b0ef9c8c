"""What Hubbub is compared with: the smallest broadcast servers that aiohttp allows.

`python -m bench.bare each` awaits `send_str` to one subscriber after the other, as most
examples do. `python -m bench.bare joined` builds the frame once and writes what
gathered in one turn of the loop at once, without history, bounds or acknowledgements:
about what this interpreter can do.

Both speak as much of the native wire as the load generator does: a subscriber connects
to `/ws/open/{name}` and gets one frame first; a text frame that comes is sent to all.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from server.gateways import frames

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

READY = '{"type":"reply"}'


async def _accept(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    await ws.send_str(READY)
    return ws


class Each:
    """Awaits each subscriber in turn."""

    def __init__(self) -> None:
        self._sockets: set[web.WebSocketResponse] = set()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Subscribe one socket, and send to all what it says."""
        ws = await _accept(request)
        self._sockets.add(ws)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    for socket in tuple(self._sockets):
                        await socket.send_str(message.data)
        finally:
            self._sockets.discard(ws)
        return ws


class Joined:
    """Frames once, and writes once a turn."""

    def __init__(self) -> None:
        self._transports: set[asyncio.Transport] = set()
        self._waiting: list[bytes] = []

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Subscribe one socket, and send to all what it says."""
        ws = await _accept(request)
        transport = request.transport
        if transport is None:
            return ws
        self._transports.add(transport)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    self._say(message.data)
        finally:
            self._transports.discard(transport)
        return ws

    def _say(self, text: str) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(frames.text(text.encode()))

    def _flush(self) -> None:
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        for transport in self._transports:
            if not transport.is_closing():
                transport.write(chunk)


def handler(way: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of one of the two ways."""
    return Each().handle if way == "each" else Joined().handle


async def _serve(way: str) -> None:
    app = web.Application()
    app.router.add_get("/ws/open/{name}", handler(way))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"Bare aiohttp is at http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
