"""Guests: who comes without an account is somebody all the same.

A guest has a random id and a friendly name, both in a cookie that is signed, so that
nobody can be somebody else. The server keeps no table of guests.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ..errors import Refusal
from ..keys import BASE, SECRET
from ..model import Principal
from ..runtime.clock import random_id
from .names import check_name, guest_name, hue, initials

if TYPE_CHECKING:
    from ..runtime.clock import NewId

COOKIE: Final = "hubbub_guest"
COOKIE_AGE_S: Final = 365 * 24 * 3600
COOKIE_MAX_CHARS: Final = 1024
# Says what is signed, so that a signature made for anything else is none here.
_PURPOSE: Final = b"hubbub guest cookie, form 1\n"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page.

    `named`: the name was chosen, not generated. `kept`: they need no cookie, because
    they sent a good one, or because the host application knows them.
    """

    principal: Principal
    named: bool
    kept: bool


class _Signed(msgspec.Struct, array_like=True, frozen=True):
    id: str
    name: str
    named: bool


VISITOR = web.RequestKey("VISITOR", Visitor)
"""Set by the gate; absent where it refused the request."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Signed)


def fresh_guest(name: str | None = None, new_id: NewId = random_id) -> Visitor:
    """Return a new guest; `name` None gives a generated one. Raises `Refusal`."""
    guest_id = new_id("g_")
    if name is None:
        principal = Principal(guest_id, guest_name(guest_id))
        return Visitor(principal, named=False, kept=False)
    return Visitor(Principal(guest_id, check_name(name)), named=True, kept=False)


def known_guest(request: web.Request) -> Visitor | None:
    """Return the guest of the request's cookie; None without a good one."""
    cookie = request.cookies.get(COOKIE)
    return None if cookie is None else read_cookie(cookie, request.app[SECRET])


def read_cookie(cookie: str, secret: bytes) -> Visitor | None:
    """Return the guest of a cookie; None where it is forged or garbled."""
    if len(cookie) > COOKIE_MAX_CHARS or not cookie.isascii():
        return None
    text, _, signature = cookie.partition(".")
    if not hmac.compare_digest(_sign(text, secret), signature):
        return None
    try:
        signed = _decoder.decode(base64.urlsafe_b64decode(text))
        name = check_name(signed.name)
    except (msgspec.MsgspecError, binascii.Error, Refusal):
        # Signed by an older rule: it counts no longer.
        return None
    return Visitor(Principal(signed.id, name), signed.named, kept=True)


def write_cookie(visitor: Visitor, secret: bytes) -> str:
    """Return the signed cookie of a guest."""
    principal = visitor.principal
    signed = _Signed(principal.id, principal.name, visitor.named)
    text = base64.urlsafe_b64encode(_encoder.encode(signed)).decode()
    return f"{text}.{_sign(text, secret)}"


def keep_guest(
    request: web.Request, response: web.StreamResponse, visitor: Visitor
) -> None:
    """Give the browser its cookie."""
    # The proxy's header may be forged, but all that a forger gains is a cookie that
    # travels less.
    forwarded = request.headers.get("X-Forwarded-Proto", "").lower()
    response.set_cookie(
        COOKIE,
        write_cookie(visitor, request.app[SECRET]),
        max_age=COOKIE_AGE_S,
        path=request.app[BASE] or "/",
        secure=request.secure or forwarded == "https",
        httponly=True,
        samesite="Lax",
    )


def user_context(visitor: Visitor) -> dict[str, str | int | bool]:
    """Return what templates show of a visitor."""
    who = visitor.principal
    return {
        "id": who.id,
        "name": who.name,
        "initials": initials(who.name),
        "hue": hue(who.id),
        "named": visitor.named,
    }


def _sign(text: str, secret: bytes) -> str:
    return hmac.new(secret, _PURPOSE + text.encode(), hashlib.sha256).hexdigest()
