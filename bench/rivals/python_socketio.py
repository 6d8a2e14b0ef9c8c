# mypy: ignore-errors
# (Its package stands in the bench's own environment, where no type checker looks.)
"""python-socketio on aiohttp; speaks what `bench/rivals/socketio.cjs` does."""

from __future__ import annotations

import asyncio

import socketio
from aiohttp import web

SERVER = socketio.AsyncServer(async_mode="aiohttp")


@SERVER.event
async def join(sid: str, room: str) -> bool:
    """Let one into a room; what is returned is the acknowledgement."""
    await SERVER.enter_room(sid, room)
    return True


@SERVER.event
async def message(_sid: str, room: str, text: str) -> None:
    """Tell a room what one says."""
    await SERVER.emit("message", text, room=room)


async def main() -> None:
    """Serve for ever."""
    app = web.Application()
    SERVER.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port = runner.addresses[0][1]
    print(f"python-socketio is at http://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
