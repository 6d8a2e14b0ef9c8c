"""`/ws/notes/{name}`: one route, two wires. The client's first frame decides.

Stock y-websocket providers throw on a text frame, so the server is silent until it
knows: binary means Yjs only, text means JSON only. `?format=json` decides at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ..errors import Disconnect
from ..keys import HUB, PRINCIPAL, SETTINGS
from .base import own_codes
from .deflate import spoken
from .handshake import accept
from .native.codec import NATIVE
from .native.handler import NativeReceiver, first_subscribe
from .yjs.handler import YjsReceiver, close_words
from .yjs.speech import YJS

if TYPE_CHECKING:
    from ..hub.hub import Hub
    from ..hub.session import Session
    from ..model import Subscribe
    from .base import Socket
    from .deflate import Deflate

WELCOME = "welcome"
SYNC_OVERHEAD_BYTES = 64 * 1024
"""What a Yjs frame may hold beside a whole note: its head, and awareness."""

TOO_BIG = Disconnect(1009, "message too big")
"""RFC 6455 section 7.4.1; what the other routes of the native wire close with."""


class EitherReceiver:
    """Waits for the first frame and hands everything to the receiver of its wire."""

    def __init__(
        self,
        session: Session,
        hub: Hub,
        socket: Socket,
        subscribe: Subscribe,
        max_text_bytes: int,
        *,
        only_json: bool = False,
        deflate: Deflate | None = None,
    ) -> None:
        self.session = session
        self._deflate = deflate
        self._max_text_bytes = max_text_bytes
        self._hub = hub
        self._socket = socket
        self._subscribe = subscribe
        self._only_json = only_json
        self._chosen: NativeReceiver | YjsReceiver | None = None

    async def on_open(self) -> None:
        """Speak JSON at once, where that was asked for."""
        if self._only_json:
            await self.speak_json()

    async def on_text(self, frame: bytes) -> None:
        """Speak JSON from now on, if this is the first frame."""
        chosen = self._chosen or await self.speak_json()
        if len(frame) > self._max_text_bytes:
            self.session.close(TOO_BIG)
            return
        await chosen.on_text(frame)

    async def on_binary(self, frame: bytes) -> None:
        """Speak Yjs from now on, if this is the first frame."""
        if self._chosen is None:
            self._chosen = YjsReceiver(self.session, self._hub, self._subscribe.channel)
        await self._chosen.on_binary(frame)

    def on_gone(self) -> None:
        """End the session."""
        self.session.gone()

    async def speak_json(self) -> NativeReceiver:
        """Make it a session of the native wire, and join."""
        self._socket.close_words = own_codes
        self.session.speak("native", spoken(NATIVE, self._deflate))
        self._chosen = chosen = NativeReceiver(self.session, self._subscribe)
        await chosen.on_open()
        return chosen


async def note(request: web.Request) -> web.WebSocketResponse:
    """Open a note by whichever wire its client speaks."""
    name = request.match_info.get("name") or WELCOME
    subscribe = first_subscribe(request, f"notes:{name}")
    hub, settings = request.app[HUB], request.app[SETTINGS]
    ws, socket = await accept(
        request,
        hub,
        settings,
        # More than one update may have: what is too large must be told why, because
        # stock providers come back from a bare 1009 for ever, with the same frame.
        max_frame_bytes=settings.note_state_bytes + SYNC_OVERHEAD_BYTES,
        compress=settings.compress,
    )
    socket.close_words = close_words
    codec = spoken(YJS, ws.deflate)
    session = hub.open_session(request[PRINCIPAL], "yjs", codec, socket)
    receiver = EitherReceiver(
        session,
        hub,
        socket,
        subscribe,
        settings.max_frame_bytes,
        only_json=request.query.get("format") == "json",
        deflate=ws.deflate,
    )
    socket.serve(receiver)
    return ws


def routes() -> list[web.RouteDef]:
    """Return the routes of notes."""
    return [web.get("/ws/notes", note), web.get("/ws/notes/{name}", note)]
