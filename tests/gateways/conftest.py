"""The native gateway's routes over a real server, without pages and without a gate."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import ClientWebSocketResponse, web

from server import keys
from server.backplanes.local import LocalBackplane
from server.gateways.native.handler import routes
from server.hub.hub import Hub
from server.hub.limits import Limits
from server.kinds.chat.kind import ChatKind
from server.kinds.open import OpenKind
from server.model import Principal
from server.seams.kind import Keep, Kind, Policy
from server.settings import Settings
from server.stores.memory import MemoryStore
from tests.clocks import ManualClock
from tests.hub.logs import FaultyLog
from tests.hub.tally import TallyKind

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    Client: TypeAlias = TestClient[web.Request, web.Application]

NAMES = ("Ada", "Bob", "Cyd", "Dan")


@dataclass
class Place:
    """A server with one hub, and the ways to speak to it."""

    client: Client
    hub: Hub
    log: FaultyLog
    tally: TallyKind
    settings: Settings
    sockets: list[ClientWebSocketResponse] = field(default_factory=list)

    async def connect(
        self, path: str = "/ws", *, autoping: bool = True
    ) -> ClientWebSocketResponse:
        """Open a socket."""
        socket = await self.client.ws_connect(path, autoping=autoping)
        self.sockets.append(socket)
        return socket


OpenPlace: TypeAlias = Callable[..., Awaitable[Place]]


@pytest.fixture
async def open_place(aiohttp_client: AiohttpClient) -> AsyncIterator[OpenPlace]:
    """Makes a server; its clock stands, its ids and epochs count up."""
    places: list[Place] = []

    async def make(settings: Settings | None = None) -> Place:
        settings = settings or Settings()
        clock, tally = ManualClock(), TallyKind()
        epochs = (f"epoch{count}" for count in itertools.count(1))
        store = MemoryStore(clock, lambda: next(epochs))
        log = FaultyLog(store.log)
        kinds: dict[str, Kind] = {
            "open": OpenKind(clock, Policy(recent=2)),
            "quick": OpenKind(clock, Policy(flush_interval_s=0.05)),
            "chat": ChatKind(clock),
            "tally": tally,
        }
        limits = Limits(
            outbox_bytes=settings.outbox_bytes,
            subscriptions=settings.subscriptions_per_session,
            close_timeout_s=settings.close_timeout_s,
        )
        ids = itertools.count(1)

        def new_id(prefix: str) -> str:
            return f"{prefix}{next(ids)}"

        hub = Hub(
            kinds,
            LocalBackplane(),
            clock,
            lambda prefix: f"{prefix}{next(ids)}",
            limits,
        )
        guests = itertools.count()

        @web.middleware
        async def identify(
            request: web.Request,
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        ) -> web.StreamResponse:
            number = next(guests)
            name = NAMES[number % len(NAMES)]
            request[keys.PRINCIPAL] = Principal(f"g_{number + 1}", name)
            return await handler(request)

        app = web.Application(middlewares=[identify])
        app[keys.HUB], app[keys.SETTINGS] = hub, settings
        app.add_routes(routes())

        async def life(_: web.Application) -> AsyncIterator[None]:
            await hub.start(dict.fromkeys(Keep, log))
            yield
            await hub.stop()

        async def send_away(_: web.Application) -> None:
            await hub.send_away()

        app.cleanup_ctx.append(life)
        app.on_shutdown.append(send_away)
        client = await aiohttp_client(app)
        place = Place(client, hub, log, tally, settings)
        places.append(place)
        return place

    yield make
    for place in places:
        place.log.append_gate.set()
        place.log.read_gate.set()
        for socket in place.sockets:
            await socket.close()


@pytest.fixture
async def place(open_place: OpenPlace) -> Place:
    """A server with the default settings."""
    return await open_place()
