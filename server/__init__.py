"""Hubbub: an all-in-one realtime server.

    from hubbub import add_hubbub          # into an existing aiohttp application
    from hubbub import build_app           # or one of its own
"""

from __future__ import annotations

from .app import add_hubbub, build_app
from .errors import Lagged, Refusal, Unrecoverable
from .hub.hub import Hub
from .model import Position, Principal, Publication, Signal
from .settings import Settings

__all__ = [
    "Hub",
    "Lagged",
    "Position",
    "Principal",
    "Publication",
    "Refusal",
    "Settings",
    "Signal",
    "Unrecoverable",
    "add_hubbub",
    "build_app",
]
