"""The handshake of a WebSocket: who may begin one, and what is agreed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from .admission import admit
from .base import Socket
from .deflate import agree
from .takeover import Endless

if TYPE_CHECKING:
    from aiohttp.http import WebSocketWriter
    from multidict import CIMultiDict

    from ..hub.hub import Hub
    from ..settings import Settings
    from .deflate import Deflate


class Response(Endless, web.WebSocketResponse):
    """aiohttp's handshake, and nothing behind it: `takeover`."""

    deflate: Deflate | None = None
    """What was agreed on; None: nothing is compressed, by neither side."""

    def _handshake(
        self, request: web.BaseRequest
    ) -> tuple[CIMultiDict[str], str | None, int, bool]:
        # aiohttp's own answer leaves to the client what the messages build on.
        headers, protocol, bits, alone = super()._handshake(request)
        if self.deflate is not None:
            headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = self.deflate.answer
            bits, alone = self.deflate.window_bits, True
        return headers, protocol, bits, alone

    def _post_start(
        self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter
    ) -> None:
        # What aiohttp would read by is not made.
        self._writer = writer


async def accept(
    request: web.Request,
    hub: Hub,
    settings: Settings,
    *,
    max_frame_bytes: int,
    compress: bool = False,
    is_new: bool = True,
) -> tuple[Response, Socket]:
    """Do the handshake; return the response for aiohttp and the socket.

    `max_frame_bytes` holds for what was inflated, too. `compress`: if the peer offers
    it, see `Response.deflate`. `is_new`: for one more session, not one that is there.
    Raises HTTPServiceUnavailable where there is no room for it, and HTTPBadRequest
    where the peer has gone meanwhile.
    """
    if is_new:
        admit(hub, settings)
    ws = Response(compress=False)
    if compress:
        offers = request.headers.getall(hdrs.SEC_WEBSOCKET_EXTENSIONS, ())
        ws.deflate = agree(offers)
    try:
        await ws.prepare(request)
        inflates = ws.deflate is not None
        return ws, Socket(request, hub, settings, max_frame_bytes, inflates=inflates)
    except ConnectionError:
        # Cut in the middle of the handshake: nobody is there to be told, or to log.
        raise web.HTTPBadRequest from None
