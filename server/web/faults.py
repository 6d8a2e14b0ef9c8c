"""What goes wrong, in the asker's own words: a page, JSON under /api, or plain text."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from ..errors import (
    BAD_REQUEST,
    INTERNAL,
    LIMIT_EXCEEDED,
    NOT_YET,
    PERMISSION_DENIED,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    UNRECOVERABLE,
    Refusal,
)
from ..keys import BASE
from .identity import VISITOR
from .render import render

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from ..errors import ReplyError

logger = logging.getLogger("hubbub.web")

STARTED = web.RequestKey("STARTED", bool)
"""Set when a response has begun: then there is no room for another."""

FIRST_ERROR: Final = 400

_STATUS: Final = {
    BAD_REQUEST.code: 400,
    PERMISSION_DENIED.code: 403,
    UNKNOWN_CHANNEL.code: 404,
    UNRECOVERABLE.code: 409,
    NOT_YET.code: 409,
    LIMIT_EXCEEDED.code: 413,
    TOO_MANY_REQUESTS.code: 429,
    UNAVAILABLE.code: 503,
}
_CODES: Final = {
    403: PERMISSION_DENIED.code,
    413: LIMIT_EXCEEDED.code,
    429: TOO_MANY_REQUESTS.code,
    503: UNAVAILABLE.code,
}
# Status: title, what happened, what to do.
_WORDS: Final = {
    403: ("Not allowed", "This page is not for you.", ""),
    404: (
        "Not found",
        "There is nothing at this address.",
        "Names of rooms and notes have 1 to 64 of a-z, 0-9, dot, dash and underscore.",
    ),
    500: (
        "Something broke",
        "The server failed while making this page. What was saved is safe.",
        "Try again; the server's log says more.",
    ),
    503: ("Not ready", "The server cannot answer at the moment.", "Try again soon."),
}


@web.middleware
async def faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception into a response that its reader understands."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < FIRST_ERROR:
            raise
        return _answer(request, error)
    except Refusal as refusal:
        return _refuse(request, refusal.error)
    except Exception:
        if request.get(STARTED):
            raise
        # The text of an unknown error may be sensitive: it stays in the log.
        logger.exception("%s %s failed", request.method, request.path)
        return _refuse(request, INTERNAL)


async def note_start(request: web.Request, response: web.StreamResponse) -> None:
    """Remember that a response has begun, as `on_response_prepare`."""
    request[STARTED] = True


def _answer(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    headers = {
        str(name): error.headers[name]
        for name in (hdrs.ALLOW, hdrs.RETRY_AFTER)
        if name in error.headers
    }
    message = (error.text or error.reason).strip()
    code = _CODES.get(error.status, BAD_REQUEST.code)
    return _say(request, error.status, code, message, headers)


def _refuse(request: web.Request, error: ReplyError) -> web.StreamResponse:
    status = _STATUS.get(error.code, 500)
    return _say(request, status, error.code, error.message, {})


def _say(
    request: web.Request, status: int, code: int, message: str, headers: dict[str, str]
) -> web.StreamResponse:
    if request.path.removeprefix(request.app[BASE]).startswith("/api/"):
        told = {"code": code, "message": message}
        return web.json_response(told, status=status, headers=headers)
    if _wants_page(request):
        title, happened, hint = _WORDS.get(status, ("Refused", message, ""))
        words = {"title": title, "message": happened, "hint": hint, "status": status}
        response = render(request, "error.html", "error", words)
        response.set_status(status)
        response.headers.extend(headers)
        return response
    return web.Response(text=message + "\n", status=status, headers=headers)


def _wants_page(request: web.Request) -> bool:
    # Whom the gate refused gets no page: it would be this server's own.
    accepts = "text/html" in request.headers.get(hdrs.ACCEPT, "")
    return accepts and VISITOR in request and hdrs.UPGRADE not in request.headers
