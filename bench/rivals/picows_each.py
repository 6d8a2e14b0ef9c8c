# mypy: ignore-errors
# (Its package stands in the bench's own environment, where no type checker looks.)
"""picows, a `send` to each; speaks what `bench/rivals/bare.py` does."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

ROOMS: defaultdict[bytes, set[WSTransport]] = defaultdict(set)


class Subscriber(WSListener):
    """One of a room, and one who speaks there."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        self._room = ROOMS[request.path]

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Subscribe it."""
        transport.send(WSMsgType.TEXT, b'{"type":"reply"}')
        self._room.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget it."""
        self._room.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Tell its room what it says."""
        if frame.msg_type is WSMsgType.TEXT or frame.msg_type == WSMsgType.TEXT:
            text = frame.get_payload_as_bytes()
            for other in self._room:
                other.send(WSMsgType.TEXT, text)


async def main() -> None:
    """Serve for ever."""
    server = await ws_create_server(Subscriber, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(f"picows is at http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
