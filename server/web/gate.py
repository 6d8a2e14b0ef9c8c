"""The gate: one middleware before every way in, pages, sockets and calls alike.

Rules:
1. The `Host` is one of ours. A page of a foreign site whose name is made to point here
   (DNS rebinding) has its own name in it, and gets nothing.
2. Upgrades, and all methods but GET and HEAD: an `Origin` is this server's own, or on
   the list. Without one it is no browser, and cookies do not count: nobody can be made
   to act by a page. The origin `null` is anybody's: there they do not count either.
3. GET and HEAD change nothing; cookies count. `Sec-Fetch-Site: cross-site` is refused,
   but for a link that somebody followed. Shared static files are for everybody.
   On routes that are opened to other origins (`origins`) an `Origin` is judged by rule
   2, and the page of a listed one may read the answer.
4. Who it is, is said by the host application, or by the guest's cookie; else it is a
   new guest. Everything behind the gate finds it in `request[PRINCIPAL]`.
5. Every response carries the security headers, the handshake and errors too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web
from multidict import CIMultiDict

from ..addresses import normal_origin
from ..errors import Refusal
from ..keys import IDENTIFY, PRINCIPAL, SETTINGS
from ..settings import ANY_HOST
from .headers import secure
from .identity import VISITOR, Visitor, fresh_guest, known_guest
from .origins import FOREIGN, NULL, OPEN, admit, is_opened, is_preflight

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

SHARED: Final = "shared"
"""The name of the route whose answers anybody may load."""

_SAFE_METHODS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?")


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whom the rules let in."""
    _check_host(request)
    if is_shared(request):
        return await handler(request)
    request[OPEN] = is_opened(request)
    cookies = _check_browser(request)
    # A browser asks for a page that may be signed in, but without its cookies.
    if not is_preflight(request):
        visitor = await _visitor(request, cookies=cookies)
        request[VISITOR] = visitor
        request[PRINCIPAL] = visitor.principal
    return await handler(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Give every response its security headers, as `on_response_prepare`."""
    admit(request, response)
    secure(request, response, shared=is_shared(request))


def is_shared(request: web.Request) -> bool:
    """Whether anybody may load what is asked for."""
    return request.match_info.route.name == SHARED and request.method in _SAFE_METHODS


def _check_host(request: web.Request) -> None:
    hosts = request.headers.getall(hdrs.HOST, [])
    found = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    if found is None:
        raise web.HTTPBadRequest(text="The request names no host, or not properly.\n")
    names = request.app[SETTINGS].host_names
    if ANY_HOST not in names and found[1].strip("[]").rstrip(".") not in names:
        raise web.HTTPMisdirectedRequest(
            text="This server does not go by that host name."
            " If it should: --allow-host (HUBBUB_ALLOW_HOST).\n"
        )


def _check_browser(request: web.Request) -> bool:
    """Return whether cookies count; raise HTTPForbidden for a page that may not."""
    if _is_upgrade(request) or request.method not in _SAFE_METHODS:
        return _check_origin(request)
    if request[OPEN] and hdrs.ORIGIN in request.headers:
        return _check_origin(request)
    if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
        mode = request.headers.get("Sec-Fetch-Mode", "").lower()
        where = request.headers.get("Sec-Fetch-Dest", "").lower()
        if (mode, where) != ("navigate", "document"):
            raise _forbidden("Pages of other sites may not load this.")
    return True


def _check_origin(request: web.Request) -> bool:
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if not origins:
        return False
    if len(origins) > 1:
        raise _forbidden("A request comes from one origin.")
    try:
        origin = normal_origin(origins[0])
    except ValueError:
        raise _forbidden("The origin is none.") from None
    if origin in _own_origins(request):
        return True
    if origin not in request.app[SETTINGS].allow_origin:
        raise _forbidden(
            f"Pages of {origin} may not connect here."
            " If they should: --allow-origin (HUBBUB_ALLOW_ORIGIN)."
        )
    request[FOREIGN] = origin
    return origin != NULL


def _own_origins(request: web.Request) -> frozenset[str]:
    # Both schemes: a proxy in front may speak TLS in our place.
    host = request.headers[hdrs.HOST]
    schemes = ("http", "https")
    try:
        return frozenset(normal_origin(f"{scheme}://{host}") for scheme in schemes)
    except ValueError:
        # A host that no page can have, like one with port 99999.
        return frozenset()


def _is_upgrade(request: web.Request) -> bool:
    return "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()


async def _visitor(request: web.Request, *, cookies: bool) -> Visitor:
    identify = request.app.get(IDENTIFY)
    if identify is not None:
        principal = await identify(request if cookies else _without_cookies(request))
        if principal is None:
            raise _forbidden("You are not signed in, or may not be here.")
        return Visitor(principal, named=True, kept=True)
    known = known_guest(request) if cookies else None
    return known or _newcomer(request)


def _newcomer(request: web.Request) -> Visitor:
    """Return a new guest; a socket or a stream may say `?name=`.

    Raises HTTPBadRequest for a name that cannot be.
    """
    says = _is_upgrade(request) or request[OPEN]
    name = request.query.get("name") if says else None
    try:
        return fresh_guest(name)
    except Refusal as refusal:
        raise web.HTTPBadRequest(text=refusal.error.message + "\n") from None


def _without_cookies(request: web.Request) -> web.Request:
    headers = CIMultiDict(request.headers)
    headers.popall(hdrs.COOKIE, None)
    return request.clone(headers=headers)


def _forbidden(sentence: str) -> web.HTTPForbidden:
    return web.HTTPForbidden(text=sentence + "\n")
