"""The pages: each is a template, filled in once; its socket keeps it alive."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from ..keys import BASE, SETTINGS
from ..kinds.ticker.telling import MARKET
from .figures import ACTIVITY, STATS
from .headers import POLICY, policy
from .identity import VISITOR, keep_guest
from .past import read_past
from .render import render

if TYPE_CHECKING:
    from collections.abc import Mapping

LOBBY: Final = "lobby"
WELCOME: Final = "welcome"
NONCE_BYTES: Final = 16

_NAME = re.compile(r"[a-z0-9._-]{1,64}")


async def dashboard(request: web.Request) -> web.StreamResponse:
    """`/`: what the hub does, and a door to each app."""
    past = await read_past(request, STATS, ACTIVITY, MARKET)
    return _page(request, "dashboard", {"title": "Dashboard", "past": past})


async def chat(request: web.Request) -> web.StreamResponse:
    """`/chat/{room}`."""
    room = _name(request)
    past = await read_past(request, f"chat:{room}")
    return _page(request, "chat", {"title": room, "room": room, "past": past})


async def ticker(request: web.Request) -> web.StreamResponse:
    """`/ticker`."""
    past = await read_past(request, MARKET)
    return _page(request, "ticker", {"title": "Ticker", "past": past})


async def note(request: web.Request) -> web.StreamResponse:
    """`/notes/{name}`; its editor makes a style element by the response's nonce."""
    name = _name(request)
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    settings = request.app[SETTINGS]
    durable = settings.data_dir is not None or settings.database_url is not None
    words = {"title": name, "note": name, "style_nonce": nonce, "durable": durable}
    response = _page(request, "notes", words)
    response.headers[POLICY] = policy(request.headers[hdrs.HOST], nonce)
    return response


async def lesson(request: web.Request) -> web.StreamResponse:
    """`/lesson`: the bare client, and how a message travels."""
    return _page(request, "lesson", {"title": "Lesson"})


async def to_dashboard(request: web.Request) -> web.StreamResponse:
    """The prefix without its slash."""
    raise web.HTTPFound(request.app[BASE] + "/")


async def to_lobby(request: web.Request) -> web.StreamResponse:
    """`/chat`."""
    raise web.HTTPFound(f"{request.app[BASE]}/chat/{LOBBY}")


async def to_welcome(request: web.Request) -> web.StreamResponse:
    """`/notes`."""
    raise web.HTTPFound(f"{request.app[BASE]}/notes/{WELCOME}")


def _name(request: web.Request) -> str:
    name = request.match_info["name"]
    if _NAME.fullmatch(name) is None:
        raise web.HTTPNotFound
    return name


def _page(
    request: web.Request, page: str, words: Mapping[str, object]
) -> web.StreamResponse:
    response = render(request, f"{page}.html", page, words)
    visitor = request[VISITOR]
    if not visitor.kept:
        keep_guest(request, response, visitor)
    return response
