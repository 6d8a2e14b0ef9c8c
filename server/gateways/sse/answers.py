"""What a call is answered with: the native wire's objects, under a status of HTTP."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from ...errors import (
    BAD_REQUEST,
    INTERNAL,
    LIMIT_EXCEEDED,
    NOT_SUBSCRIBED,
    NOT_YET,
    PERMISSION_DENIED,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    UNRECOVERABLE,
    HubbubError,
    Refusal,
)
from ..words import words_of

if TYPE_CHECKING:
    from ...errors import ReplyError
    from ...model import Failed
    from ..words import Words

logger = logging.getLogger("hubbub.sse")

RETRY_AFTER_S: Final = 2
STATUS: Final = {
    INTERNAL.code: 500,
    UNKNOWN_CHANNEL.code: 404,
    PERMISSION_DENIED.code: 403,
    NOT_SUBSCRIBED.code: 403,
    LIMIT_EXCEEDED.code: 413,
    BAD_REQUEST.code: 400,
    UNAVAILABLE.code: 503,
    TOO_MANY_REQUESTS.code: 429,
    UNRECOVERABLE.code: 409,
    NOT_YET.code: 409,
}
_COME_BACK: Final = (429, 503)

_encode = msgspec.json.Encoder().encode


def error_of(fault: Exception) -> ReplyError:
    """Return what to say of a fault; it is logged where it is none of ours."""
    if isinstance(fault, Refusal):
        return fault.error
    if isinstance(fault, HubbubError):
        return UNAVAILABLE
    # The text of an unknown error may be sensitive: it stays in the log.
    logger.error("a request failed", exc_info=fault)
    return INTERNAL


def answer(words: Words, status: int = 200) -> web.Response:
    """Return a response with an object of the native wire."""
    response = web.Response(
        body=_encode(words), status=status, content_type="application/json"
    )
    if status in _COME_BACK:
        response.headers[hdrs.RETRY_AFTER] = str(RETRY_AFTER_S)
    return response


def refuse(failed: Failed, status: int | None = None) -> web.Response:
    """Return the response that says why; `status` None: the one of its error."""
    return answer(words_of(failed) or {}, status or STATUS[failed.error.code])
