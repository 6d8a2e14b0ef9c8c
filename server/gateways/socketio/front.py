"""`/socket.io/`: who asks for what, by the query; and the Engine.IO sessions there are.

Refused here, in engine.io's own words: other versions of the protocol, JSONP (`j=`),
transports that are none, ids that nobody has, and requests by another way than the
session's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import hdrs, web

from ...keys import HUB, SETTINGS
from .. import frames
from ..admission import admit
from ..handshake import accept
from . import engine
from .bodies import refusal
from .connection import Connection
from .engine import Fault
from .polling import Polling
from .upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...hub.hub import Hub
    from .connection import Peer

    OpenPeer: TypeAlias = Callable[[web.Request, Connection], Peer]

POLLING: Final = "polling"
WEBSOCKET: Final = "websocket"
ELSEWHERE: Final = (
    "There are several nodes, and this one does not have the session. Long-polling"
    " needs a load balancer with sticky sessions; or let the client use WebSocket"
    ' alone: io({ transports: ["websocket"] }).'
)


class Front:
    """The Engine.IO sessions of one application; `open_peer` makes each one's peer."""

    def __init__(self, open_peer: OpenPeer) -> None:
        self._open_peer = open_peer
        self._connections: dict[str, Connection] = {}

    def __len__(self) -> int:
        return len(self._connections)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(status=204)
        fault = _fault(request)
        if fault is not None:
            return refusal(fault)
        sid = request.query.get("sid")
        if sid:
            return await self._go_on(request, sid)
        if request.query["transport"] == WEBSOCKET:
            return await self._open_socket(request)
        return await self._open_polling(request)

    # The handshake

    async def _open_polling(self, request: web.Request) -> web.StreamResponse:
        admit(request.app[HUB], request.app[SETTINGS])
        connection = self._connection(request)
        polling = Polling(connection)
        connection.way = polling
        self._begin(request, connection)
        await connection.on_open()
        return await polling.say(request, _opened(connection, (WEBSOCKET,)))

    async def _open_socket(self, request: web.Request) -> web.StreamResponse:
        if not _is_upgrade(request):
            return refusal(Fault.BAD_REQUEST)
        hub, settings = request.app[HUB], request.app[SETTINGS]
        ws, socket = await accept(
            request, hub, settings, max_frame_bytes=settings.max_frame_bytes
        )
        connection = self._connection(request)
        connection.way = socket
        self._begin(request, connection)
        socket.write(frames.text(_opened(connection)))
        socket.serve(connection, pings=False)
        return ws

    def _connection(self, request: web.Request) -> Connection:
        hub = request.app[HUB]
        sid = hub.new_id("") + hub.new_id("")

        def forget() -> None:
            self._connections.pop(sid, None)

        return Connection(sid, hub, request.app[SETTINGS], forget)

    def _begin(self, request: web.Request, connection: Connection) -> None:
        connection.begin(self._open_peer(request, connection))
        self._connections[connection.sid] = connection

    # What follows it

    async def _go_on(self, request: web.Request, sid: str) -> web.StreamResponse:
        connection = self._connections.get(sid)
        if connection is not None and connection.beat.is_late:
            connection.lose()
            connection = self._connections.get(sid)
        if connection is None:
            return refusal(Fault.UNKNOWN_SID, _hint(request.app[HUB]))
        if request.query["transport"] == WEBSOCKET:
            return await self._upgrade(request, connection)
        if isinstance(connection.way, Polling):
            if request.method == hdrs.METH_GET:
                return await connection.way.get(request)
            if request.method == hdrs.METH_POST:
                return await connection.way.posts.post(request)
        return refusal(Fault.BAD_REQUEST)

    async def _upgrade(
        self, request: web.Request, connection: Connection
    ) -> web.StreamResponse:
        if not _is_upgrade(request):
            return refusal(Fault.BAD_REQUEST)
        settings = request.app[SETTINGS]
        ws, socket = await accept(
            request,
            connection.hub,
            settings,
            max_frame_bytes=settings.max_frame_bytes,
            is_new=False,
        )
        Upgrade(connection, socket).serve()
        return ws


def routes(open_peer: OpenPeer) -> list[web.RouteDef]:
    """Return the routes; `open_peer` makes the peer of each new connection."""
    front = Front(open_peer)
    return [
        web.route(hdrs.METH_ANY, path, front.answer)
        for path in ("/socket.io", "/socket.io/")
    ]


def _opened(connection: Connection, upgrades: tuple[str, ...] = ()) -> bytes:
    settings = connection.settings
    return engine.opened(
        connection.sid,
        upgrades=upgrades,
        ping_interval_s=settings.ping_interval_s,
        ping_timeout_s=settings.ping_timeout_s,
        max_payload_bytes=settings.max_frame_bytes,
    )


def _fault(request: web.Request) -> Fault | None:
    """Return what is wrong with a request, whatever session it names."""
    query = request.query
    if query.get("transport") not in (POLLING, WEBSOCKET):
        return Fault.UNKNOWN_TRANSPORT
    if query.get("EIO") != engine.PROTOCOL:
        return Fault.BAD_VERSION
    if "j" in query:
        return Fault.BAD_REQUEST
    if not query.get("sid") and request.method != hdrs.METH_GET:
        return Fault.BAD_METHOD
    return None


def _hint(hub: Hub) -> str:
    return "" if hub.backplane.alone else ELSEWHERE


def _is_upgrade(request: web.Request) -> bool:
    asked = "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()
    return asked and request.method == hdrs.METH_GET
