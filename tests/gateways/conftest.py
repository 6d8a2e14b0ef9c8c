"""The native gateway's routes over a real server, without pages and without a gate."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import ClientWebSocketResponse, web

from server.backplanes.local import LocalBackplane
from server.gateways.native.handler import routes
from server.hub.hub import Hub
from server.kinds.chat.kind import ChatKind
from server.kinds.open import OpenKind
from server.model import Principal
from server.seams.kind import Kind, Policy
from server.settings import Settings
from tests.clocks import ManualClock
from tests.gateways.hosting import counted_log, give_hub, introduced, limits_of
from tests.gateways.peers import RawPeer
from tests.hub.tally import TallyKind

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from tests.hub.logs import FaultyLog

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
    peers: list[RawPeer] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.client.port is not None
        return self.client.port

    async def connect(
        self, path: str = "/ws", *, autoping: bool = True
    ) -> ClientWebSocketResponse:
        """Open a socket."""
        socket = await self.client.ws_connect(path, autoping=autoping)
        self.sockets.append(socket)
        return socket

    async def raw(
        self,
        path: str = "/ws",
        *offers: str,
        receive_bytes: int | None = None,
    ) -> RawPeer:
        """Open a raw connection; see `RawPeer.connect`."""
        peer = await RawPeer.connect(self.port, path, receive_bytes, offers=offers)
        self.peers.append(peer)
        return peer


OpenPlace: TypeAlias = Callable[..., Awaitable[Place]]
Connect: TypeAlias = Callable[..., Awaitable[RawPeer]]


@pytest.fixture
async def open_place(aiohttp_client: AiohttpClient) -> AsyncIterator[OpenPlace]:
    """Makes a server; its clock stands, its ids and epochs count up."""
    places: list[Place] = []

    async def make(settings: Settings | None = None) -> Place:
        settings = settings or Settings()
        clock, tally = ManualClock(), TallyKind()
        log = counted_log(clock)
        kinds: dict[str, Kind] = {
            "open": OpenKind(clock, Policy(recent=2)),
            "quick": OpenKind(clock, Policy(flush_interval_s=0.05)),
            "chat": ChatKind(clock),
            "tally": tally,
        }
        ids, guests = itertools.count(1), itertools.count()
        hub = Hub(
            kinds,
            LocalBackplane(),
            clock,
            lambda prefix: f"{prefix}{next(ids)}",
            limits_of(settings),
        )

        def who(_: web.Request) -> Principal:
            number = next(guests)
            return Principal(f"g_{number + 1}", NAMES[number % len(NAMES)])

        app = web.Application(middlewares=[introduced(who)])
        app.add_routes(routes())
        give_hub(app, hub, settings, log)
        client = await aiohttp_client(app)
        place = Place(client, hub, log, tally, settings)
        places.append(place)
        return place

    yield make
    for place in places:
        for peer in place.peers:
            peer.close()
        place.log.let_go()
        for socket in place.sockets:
            await socket.close()


@pytest.fixture
async def place(open_place: OpenPlace) -> Place:
    """A server with the default settings."""
    return await open_place()


@pytest.fixture
def connect(place: Place) -> Connect:
    """Opens raw connections to it; see `Place.raw`."""
    return place.raw
