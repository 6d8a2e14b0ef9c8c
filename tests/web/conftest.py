"""An application with everything of the web, before a real hub and lists of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import web

from server import keys
from server.backplanes.local import LocalBackplane
from server.errors import TOO_MANY_REQUESTS, Refusal
from server.hub.hub import Hub
from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.runtime.clock import SystemClock, random_epoch, random_id
from server.seams.kind import Keep
from server.settings import Settings
from server.stores.memory import MemoryStore
from server.web import routes
from server.web.package import Files, own_files

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from server.keys import Identify
    from server.seams.kind import Kind

    Client: TypeAlias = TestClient[web.Request, web.Application]

SECRET = bytes(range(32))
PAGES = ("dashboard", "chat", "ticker", "notes", "lesson")
STAND_IN = """{% extends "base.html" %}{% block content %}
<p id="told">{{ room|default("-") }} {{ note|default("-") }} {{ vendor.notes }}</p>
<meta name="hubbub-style-nonce" content="{{ style_nonce }}">{% endblock %}"""


@dataclass
class Rows:
    """Both lists, kept in memory; `failure` is raised instead."""

    found_rooms: list[RoomRow] = field(default_factory=list)
    found_notes: list[NoteRow] = field(default_factory=list)
    failure: Exception | None = None

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """See `ChatRows.rooms`."""
        if self.failure is not None:
            raise self.failure
        return self.found_rooms[:limit]

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """See `NoteRows.notes`."""
        return self.found_notes[:limit]


async def who(request: web.Request) -> web.WebSocketResponse:
    """A socket that says who the gate let in."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    principal = request[keys.PRINCIPAL]
    await ws.send_json({"id": principal.id, "name": principal.name})
    await ws.close()
    return ws


async def touched(request: web.Request) -> web.Response:
    """A call that would change something."""
    principal = request[keys.PRINCIPAL]
    return web.json_response({"id": principal.id, "name": principal.name})


async def broken(request: web.Request) -> web.Response:
    """A handler with a bug."""
    raise RuntimeError("secret words")


async def late(request: web.Request) -> web.StreamResponse:
    """A handler whose bug shows when half of its response has left."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise RuntimeError("too late")


async def busy(request: web.Request) -> web.Response:
    """A handler that refuses in the hub's words."""
    raise Refusal(TOO_MANY_REQUESTS)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """The shell's own templates, stand-ins for the pages, and a few static files."""
    own = own_files()
    templates, static = tmp_path / "templates", tmp_path / "static"
    templates.mkdir()
    for name in ("base.html", "error.html", "_macros.html"):
        shutil.copy(own.templates / name, templates)
    for page in PAGES:
        (templates / f"{page}.html").write_text(STAND_IN, encoding="utf-8")
    for name, text in {
        "favicon.svg": "<svg/>",
        "package.json": "{}",
        "css/base.css": "a{}",
        "js/boot.js": "export {};",
        "js/.hidden.js": "1",
        "vendor/charts.js": "export {};",
        "node_modules/x/index.js": "1",
        "vendor-src/notes.js": "1",
    }.items():
        path = static / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "secret.js").write_text("secret", encoding="utf-8")
    (static / "js" / "link.js").symlink_to(tmp_path / "secret.js")
    return Files(templates, static)


Build: TypeAlias = Callable[..., web.Application]
Open: TypeAlias = "Callable[..., Awaitable[Client]]"


@pytest.fixture
def rows() -> Rows:
    """The lists of rooms and notes."""
    return Rows()


@pytest.fixture
def build(files: Files, rows: Rows) -> Build:
    """Makes the application."""

    def make(
        settings: Settings | None = None,
        *,
        base: str = "",
        identify: Identify | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> web.Application:
        app = web.Application()
        clock = SystemClock()
        hub = Hub(kinds or {}, LocalBackplane(), clock, random_id)
        memory = MemoryStore(clock, random_epoch)
        app[keys.SETTINGS] = settings or Settings()
        app[keys.BASE] = base
        app[keys.HUB] = hub
        if identify is not None:
            app[keys.IDENTIFY] = identify
        routes.setup(app, files)
        app.router.add_get("/ws", who)
        app.router.add_post("/touch", touched)
        app.router.add_get("/broken", broken)
        app.router.add_get("/api/broken", broken)
        app.router.add_get("/api/busy", busy)
        app.router.add_get("/late", late)

        async def life(app: web.Application) -> AsyncIterator[None]:
            app[keys.SECRET] = SECRET
            app[keys.CHAT_ROWS] = rows
            app[keys.NOTE_ROWS] = rows
            await hub.start(dict.fromkeys(Keep, memory.log))
            yield
            await hub.stop()

        app.cleanup_ctx.append(life)
        return app

    return make


def mounted(app: web.Application, base: str) -> web.Application:
    """Return what is served: the application, or a host that has it under `base`."""
    if not base:
        return app
    host = web.Application()
    host.add_subapp(base, app)
    return host


@pytest.fixture
def open_app(build: Build, aiohttp_client: AiohttpClient) -> Open:
    """Makes the application and a client of it that keeps its cookies."""

    async def make(
        settings: Settings | None = None,
        *,
        base: str = "",
        identify: Identify | None = None,
        kinds: Mapping[str, Kind] | None = None,
    ) -> Client:
        app = build(settings, base=base, identify=identify, kinds=kinds)
        return await aiohttp_client(mounted(app, base))

    return make


@pytest.fixture
async def client(open_app: Open) -> Client:
    """A client of the application with default settings."""
    return await open_app()
