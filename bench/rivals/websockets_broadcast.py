# mypy: ignore-errors
# (Its package stands in the bench's own environment, where no type checker looks.)
"""`websockets` with its own `broadcast()`; speaks what `bench/rivals/bare.py` does."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve

ROOMS: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def handle(ws: ServerConnection) -> None:
    """Subscribe one socket, and tell its room what it says."""
    room = ROOMS[ws.request.path]
    await ws.send('{"type":"reply"}')
    room.add(ws)
    try:
        async for message in ws:
            broadcast(room, message)
    finally:
        room.discard(ws)


async def main() -> None:
    """Serve for ever."""
    async with serve(handle, "127.0.0.1", 0, compression=None, backlog=1024) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"websockets is at http://127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
