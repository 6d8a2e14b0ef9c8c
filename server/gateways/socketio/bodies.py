"""What HTTP requests bring, whole; and how they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from . import engine

if TYPE_CHECKING:
    from .engine import Fault


async def read_whole(request: web.Request, most_bytes: int) -> bytes | None:
    """Return a request's body, all of it; None where it is larger.

    Raises ConnectionError or `web.RequestPayloadError` where it does not end well.
    """
    if (request.content_length or 0) > most_bytes:
        return None
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > most_bytes:
            return None
    return bytes(body)


def refusal(fault: Fault, hint: str = "") -> web.Response:
    """Return the answer to a request that is refused, in engine.io's own words."""
    body = engine.refused(fault, hint)
    return web.Response(status=400, body=body, content_type="application/json")
