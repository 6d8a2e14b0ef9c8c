"""Event streams over a real server, behind the gate, beside the native wire."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from server import keys
from server.backplanes.local import LocalBackplane
from server.gateways.native import handler as native
from server.gateways.sse import handler as sse
from server.hub.hub import Hub
from server.kinds.chat.kind import ChatKind
from server.kinds.notes.kind import NotesKind
from server.kinds.open import OpenKind
from server.seams.kind import Kind, Policy
from server.settings import Settings
from server.web import faults, gate
from server.web.identity import COOKIE, fresh_guest, write_cookie
from server.web.origins import open_to_origins
from tests.clocks import ManualClock
from tests.gateways.hosting import PatientServer, counted_log, give_hub, limits_of
from tests.gateways.sse.readers import RawReader
from tests.hub.tally import TallyKind

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from server.gateways.sse.stream import Draw
    from server.hub.limits import Limits
    from server.keys import Identify
    from tests.hub.logs import FaultyLog

    Client: TypeAlias = TestClient[web.Request, None]

SECRET = bytes(range(32))


def cookie_of(name: str) -> dict[str, str]:
    """The headers of somebody who has a guest's cookie."""
    guest = fresh_guest(name, lambda prefix: f"{prefix}{name.lower()}")
    return {"Cookie": f"{COOKIE}={write_cookie(guest, SECRET)}"}


def application(
    hub: Hub, log: FaultyLog, settings: Settings, draw: Draw
) -> web.Application:
    """The gate, and behind it event streams and the native wire."""
    app = web.Application(middlewares=[faults.faults, gate.gate])
    app.on_response_prepare.append(gate.add_headers)
    app.on_response_prepare.append(faults.note_start)
    app[keys.BASE], app[keys.SECRET] = "", SECRET
    app.add_routes(native.routes())
    open_to_origins(app, sse.routes(draw))
    give_hub(app, hub, settings, log)
    return app


@dataclass
class House:
    """A server with one hub, and the ways to speak to it.

    Each draw is the least that may be drawn; `drawn` notes between what.
    """

    client: Client
    hub: Hub
    log: FaultyLog
    tally: TallyKind
    settings: Settings
    drawn: list[tuple[int, int]]
    readers: list[RawReader] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.client.port is not None
        return self.client.port

    @property
    def own(self) -> dict[str, str]:
        """The headers of one of its own pages."""
        return {"Origin": f"http://{self.client.host}:{self.port}"}

    async def follow(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        receive_bytes: int | None = None,
        version: str = "1.1",
        method: str = "GET",
    ) -> RawReader:
        """Open a stream, and read the head of its answer."""
        reader = await RawReader.open(
            self.port,
            f"{method} {path} HTTP/{version}",
            headers or {},
            receive_bytes=receive_bytes,
        )
        self.readers.append(reader)
        return reader


OpenHouse: TypeAlias = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(aiohttp_client: AiohttpClient) -> AsyncIterator[OpenHouse]:
    """Makes a server; its clock stands, its ids and epochs count up."""
    houses: list[House] = []

    async def make(
        settings: Settings | None = None,
        *,
        identify: Identify | None = None,
        limits: Limits | None = None,
        hosted: bool = False,
    ) -> House:
        settings = settings or Settings()
        clock, tally = ManualClock(), TallyKind()
        log = counted_log(clock)
        kinds: dict[str, Kind] = {
            "open": OpenKind(clock, Policy(recent=2)),
            "chat": ChatKind(clock),
            "notes": NotesKind(clock),
            "tally": tally,
        }
        ids = itertools.count(1)
        hub = Hub(
            kinds,
            LocalBackplane(),
            clock,
            lambda prefix: f"{prefix}{next(ids)}",
            limits or limits_of(settings),
        )
        drawn: list[tuple[int, int]] = []

        def draw(least: int, most: int) -> int:
            drawn.append((least, most))
            return least

        app = application(hub, log, settings, draw)
        if identify is not None:
            app[keys.IDENTIFY] = identify
        server = PatientServer(app) if hosted else TestServer(app)
        client: Client = await aiohttp_client(server)
        house = House(client, hub, log, tally, settings, drawn)
        houses.append(house)
        return house

    yield make
    for house in houses:
        house.log.let_go()
        for reader in house.readers:
            reader.close()
    # The server's own end waits by the loop's time, which a test may have stopped.
    vars(asyncio.get_running_loop()).pop("time", None)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    """A server with the default settings."""
    return await open_house()
