"""Everything of the web that is common, put into an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from ..keys import BASE
from . import api, faults, gate, health, pages, render
from .assets import ASSETS, Assets, favicon, socketio_client, static_file
from .package import own_files

if TYPE_CHECKING:
    from .package import Files


def setup(app: web.Application, files: Files | None = None) -> None:
    """Put the gate, the pages, the calls and the probes into an application of its own.

    Wanted before: `app[SETTINGS]`, `app[BASE]`, `app[HUB]`, and `app[IDENTIFY]` where
    the host application gave one. Wanted at the start: `app[SECRET]`, `app[CHAT_ROWS]`,
    `app[NOTE_ROWS]`. `files` None takes the package's own. Reads and compiles all
    templates and static files. The application must be Hubbub's alone (mount it with
    `add_subapp`), because the gate stands before everything in it.
    """
    found = files or own_files()
    app[ASSETS] = Assets(found.static)
    render.setup(app, found.templates)
    health.setup(app)
    # The outermost first: what the gate refuses is told by `faults`, too.
    app.middlewares.extend((faults.faults, gate.gate))
    app.on_response_prepare.append(gate.add_headers)
    app.on_response_prepare.append(faults.note_start)
    app.add_routes(_routes())
    if app[BASE]:
        app.add_routes([web.get("", pages.to_dashboard)])


def _routes() -> list[web.RouteDef]:
    return [
        web.get("/", pages.dashboard),
        web.get("/chat", pages.to_lobby),
        web.get("/chat/{name}", pages.chat),
        web.get("/ticker", pages.ticker),
        web.get("/notes", pages.to_welcome),
        web.get("/notes/{name}", pages.note),
        web.get("/lesson", pages.lesson),
        web.get("/api/rooms", api.rooms),
        web.get("/api/notes", api.notes),
        web.post("/api/name", api.rename),
        web.get("/api/channels/{channel}/explain", api.explain),
        web.get("/static/{path:.+}", static_file, name=gate.SHARED),
        web.get(r"/socket.io/{file:socket\.io\.[a-z.]+}", socketio_client),
        web.get("/favicon.ico", favicon),
        web.get("/healthz", health.healthz),
        web.get("/readyz", health.readyz),
        web.get("/metrics", health.metrics),
    ]
