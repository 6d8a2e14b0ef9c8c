"""The headers that tell browsers what pages may do: set on every response.

No script and no style stands in a page itself, but one: the notes' editor makes a
style element, which it may do by a nonce that is new for each response.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

_OWN: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "object-src": "'none'",
}
_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), "
    "microphone=(), payment=(), serial=(), usb=()",
}
POLICY: Final = "Content-Security-Policy"
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,262}")


def policy(host: str, style_nonce: str | None = None) -> str:
    """Return the Content-Security-Policy; `host` is the request's, with its port.

    `style_nonce` lets the page's own code make style elements that carry it.
    """
    rules = dict(_OWN)
    if _HOST.fullmatch(host):
        # Older browsers do not count a WebSocket to the own host as 'self'.
        rules["connect-src"] += f" ws://{host} wss://{host}"
    if style_nonce is not None:
        rules["style-src"] += f" 'nonce-{style_nonce}'"
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def secure(
    request: web.Request, response: web.StreamResponse, *, shared: bool = False
) -> None:
    """Add to a response what it does not yet have. `shared`: anybody may load it."""
    headers = response.headers
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault(POLICY, policy(request.headers.get("Host", "")))
    if shared:
        headers.setdefault("Access-Control-Allow-Origin", "*")
        headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin")
    else:
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Cache-Control", "no-store")
