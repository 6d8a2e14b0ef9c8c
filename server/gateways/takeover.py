"""How a connection is taken over from aiohttp, once it has answered the request.

aiohttp keeps for each WebSocket, and each response that does not end, a request, its
parser and headers, two tasks and a stack of coroutines, though nothing of it is needed
any more: three quarters of what an idle subscriber takes. So after the handshake the
connection gets another protocol, and for aiohttp it is over.

Rules (aiohttp 3.14, tried out):
1. What the peer sent behind its handshake is with aiohttp and is asked for by
   `set_parser`.
2. aiohttp's protocol is told that its connection is lost, after its transport was taken
   from it: so it lets go of everything and closes nothing. Where it cancels handlers
   whose peer has gone, it cancels this one: nothing may be awaited afterwards.
3. The response ends without another word (`Endless`): aiohttp's own would end the
   body, or close the WebSocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import asyncio


class Endless(web.StreamResponse):
    """A response whose connection is somebody else's when its handler ends."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Say nothing."""


class _Tail:
    """Takes what has come already, in the place of a parser."""

    def __init__(self) -> None:
        self.seen = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.seen += data
        return False, b""

    def feed_eof(self) -> None:
        """Know that aiohttp will bring no more."""


def take_over(request: web.Request, successor: asyncio.Protocol) -> bytes:
    """Give a connection to another protocol; return what its peer has sent already.

    Raises ConnectionResetError where it is lost already.
    """
    protocol, transport = request.protocol, request.transport
    if transport is None:
        raise ConnectionResetError
    tail = _Tail()
    protocol.set_parser(tail)  # type: ignore[arg-type] # it wants no more of a parser
    transport.set_protocol(successor)
    protocol.transport = None
    protocol.connection_lost(None)
    transport.resume_reading()
    return tail.seen
