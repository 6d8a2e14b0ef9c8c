"""The typed names under which an application and a request carry things."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from .hub.hub import Hub
from .kinds.chat.rows import ChatRows
from .kinds.notes.rows import NoteRows
from .kinds.ticker.kind import TickerKind
from .model import JSON, Outbound, Principal
from .settings import Settings

Identify: TypeAlias = Callable[[web.Request], Awaitable[Principal | None]]
"""Says who a request is of; None refuses it."""

WordsOf: TypeAlias = Callable[[Outbound], "dict[str, JSON] | None"]
"""Puts what a session is told into a JSON object; None where nothing is said."""

HUB = web.AppKey("HUB", Hub)
SETTINGS = web.AppKey("SETTINGS", Settings)
IDENTIFY: web.AppKey[Identify] = web.AppKey("IDENTIFY")
"""What the host application gave; absent: Hubbub's own guests."""
SECRET = web.AppKey("SECRET", bytes)
"""Signs cookies."""
BASE = web.AppKey("BASE", str)
"""The URL prefix without its last slash; empty when Hubbub is the whole site."""
CHAT_ROWS: web.AppKey[ChatRows] = web.AppKey("CHAT_ROWS")
NOTE_ROWS: web.AppKey[NoteRows] = web.AppKey("NOTE_ROWS")
TICKER = web.AppKey("TICKER", TickerKind)
WORDS: web.AppKey[WordsOf] = web.AppKey("WORDS")
"""The words of the wire that the pages speak; absent: pages come without a past."""

PRINCIPAL = web.RequestKey("PRINCIPAL", Principal)
"""Who the request is of; set by the gate."""
