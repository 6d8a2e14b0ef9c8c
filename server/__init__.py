"""Hubbub: an all-in-one realtime server.

`build_app(settings)` returns it as an application of its own; `add_hubbub(app, ...)`
puts it into an existing aiohttp application and returns its hub. Installed, the package
is called `hubbub`.
"""

from __future__ import annotations

from .app import add_hubbub, build_app
from .errors import Lagged, Refusal, Unrecoverable
from .gateways.socketio.namespace import ConnectRefused, Namespace
from .hub.hub import Hub
from .model import Position, Principal, Publication, Signal
from .settings import Settings

__all__ = [
    "ConnectRefused",
    "Hub",
    "Lagged",
    "Namespace",
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
