"""The smallest broadcast servers that aiohttp allows.

`python -m bench.rivals.bare WAY`, where WAY is one of

- `each` awaits `send_str` to one subscriber after the other, as most examples do;
- `once` builds the frame once and writes it to each transport;
- `joined` does so too, but writes what gathered in one turn of the loop at once,
  without history, positions, bounds or acknowledgements: about what this interpreter
  can do, and so the yardstick.

They speak as much of the native wire as the load generator does: a subscriber connects
to `/ws/open/{name}` and gets one frame first; a text frame that comes goes to all of
that name.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict

from aiohttp import WSMsgType, web

from server.gateways import frames

READY = '{"type":"reply"}'


class Room:
    """Those who asked for one path; each way is a class that knows how to tell them."""

    def __init__(self) -> None:
        self.people: dict[web.WebSocketResponse, asyncio.Transport] = {}

    async def tell(self, text: str) -> None:
        """Bring a text to all."""
        raise NotImplementedError


class Each(Room):
    """Awaits each subscriber in turn."""

    async def tell(self, text: str) -> None:
        """Bring a text to all."""
        for ws in tuple(self.people):
            await ws.send_str(text)


class Once(Room):
    """Frames once."""

    async def tell(self, text: str) -> None:
        """Bring a text to all."""
        self._write(frames.text(text.encode()))

    def _write(self, chunk: bytes) -> None:
        for transport in self.people.values():
            if not transport.is_closing():
                transport.write(chunk)


class Joined(Once):
    """Frames once, and writes once a turn."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[bytes] = []

    async def tell(self, text: str) -> None:
        """Bring a text to all, at the end of the turn."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(frames.text(text.encode()))

    def _flush(self) -> None:
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._write(chunk)


WAYS = {"each": Each, "once": Once, "joined": Joined}


class Rooms:
    """All rooms of one way."""

    def __init__(self, way: str) -> None:
        self._rooms: defaultdict[str, Room] = defaultdict(WAYS[way])

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Subscribe one socket, and tell its room what it says."""
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        await ws.send_str(READY)
        if request.transport is None:
            return ws
        room = self._rooms[request.match_info["name"]]
        room.people[ws] = request.transport
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    await room.tell(message.data)
        finally:
            del room.people[ws]
        return ws


async def _serve(way: str) -> None:
    app = web.Application()
    app.router.add_get("/ws/open/{name}", Rooms(way).handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    print(f"Bare aiohttp is at http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
