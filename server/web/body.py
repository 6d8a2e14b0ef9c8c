"""The bodies of calls: small, JSON, and of the shape that was asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web

from ..errors import BAD_REQUEST, Refusal

if TYPE_CHECKING:
    from aiohttp import StreamReader

MAX_BODY_BYTES: Final = 4096
BODY_TIMEOUT_S: Final = 10.0
"""A body that takes longer is not waited for."""

Words = TypeVar("Words", bound=msgspec.Struct)


async def read_words(request: web.Request, shape: type[Words]) -> Words:
    """Return the body of a call as `shape`.

    Raises `Refusal` (bad request) where it is not, HTTPRequestEntityTooLarge, and
    HTTPRequestTimeout where it does not come.
    """
    # A form of another page cannot send this content type without asking first.
    if request.content_type != "application/json":
        raise Refusal(BAD_REQUEST.because("Content-Type must be application/json"))
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read(request.content)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The body did not come.\n") from None
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "no JSON"
        raise Refusal(BAD_REQUEST.because(reason)) from None


async def _read(content: StreamReader) -> bytes:
    body = b""
    while len(body) <= MAX_BODY_BYTES and not content.at_eof():
        body += await content.read(MAX_BODY_BYTES + 1 - len(body))
    if len(body) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body))
    return body
