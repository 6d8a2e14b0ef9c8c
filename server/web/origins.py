"""Which pages of other sites may use which routes: the answers that CORS asks for.

A WebSocket is let in or not; for all else a browser wants to be told that a page of
another origin may read the answer, and asks before a call that may change something.
The gate judges the origin; only routes that were added by `open_to_origins` answer one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web
from aiohttp.web_urldispatcher import AbstractResource

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENED: web.AppKey[frozenset[AbstractResource]] = web.AppKey("OPENED")
"""What pages of listed origins may use beside WebSockets."""
OPEN = web.RequestKey("OPEN", bool)
"""Set by the gate: pages of listed origins may use what is asked for."""
FOREIGN = web.RequestKey("FOREIGN", str)
"""The listed origin whose page made a request; absent: none of another site."""
NULL: Final = "null"

PREFLIGHT_AGE_S: Final = 7_200
"""So long a browser need not ask again; none remembers it for longer."""
MAX_ASKED: Final = 20
"""So many headers are allowed of those that a page wants to send."""
_METHODS: Final = "GET, POST"
_HEADERS: Final = ("content-type", "last-event-id")
_HEADER_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")


def open_to_origins(app: web.Application, routes: Sequence[web.RouteDef]) -> None:
    """Add routes that pages of listed origins may use, and answer their preflights."""
    paths = dict.fromkeys(each.path for each in routes)
    # First, so that a route for any method does not take them.
    asked = [web.options(path, preflight) for path in paths]
    added = {route.resource for route in app.add_routes([*asked, *routes])}
    resources = frozenset(each for each in added if each is not None)
    app[OPENED] = app.get(OPENED, frozenset()) | resources


def is_opened(request: web.Request) -> bool:
    """Whether pages of listed origins may use what is asked for."""
    resource = request.match_info.route.resource
    return resource in request.app.get(OPENED, frozenset())


def is_preflight(request: web.Request) -> bool:
    """Whether it only asks what a page may: without cookies, and nothing is done."""
    return request.method == hdrs.METH_OPTIONS and request[OPEN]


async def preflight(request: web.Request) -> web.Response:
    """`OPTIONS`: say what a page of the origin may send (Fetch standard, 3.3.2)."""
    response = web.Response(status=204)
    if FOREIGN in request:
        asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
        response.headers.update(
            {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: _METHODS,
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ", ".join(_allowed(asked)),
                hdrs.ACCESS_CONTROL_MAX_AGE: str(PREFLIGHT_AGE_S),
            }
        )
    return response


def _allowed(asked: str) -> Sequence[str]:
    names = [name.strip().lower() for name in asked.split(",", MAX_ASKED)[:MAX_ASKED]]
    fitting = filter(_HEADER_NAME.fullmatch, names)
    return tuple(dict.fromkeys([*_HEADERS, *fitting]))


def admit(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser that the page which asked may read the answer, where it may."""
    # Asked of the request: when an answer leaves, its application may be the host's.
    if not request.get(OPEN):
        return
    headers = response.headers
    # The answer to another origin is another one, for whoever keeps answers.
    headers.add(hdrs.VARY, hdrs.ORIGIN)
    origin = request.get(FOREIGN)
    if origin is None:
        return
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
    headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = hdrs.RETRY_AFTER
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if origin != NULL:
        # Any sandboxed frame has the origin null: there nobody's cookies count.
        headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
