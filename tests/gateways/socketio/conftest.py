"""Engine.IO sessions whose peer says everything back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import pytest
from aiohttp.test_utils import TestServer

from server.settings import Settings
from tests.gateways.hosting import PatientServer
from tests.gateways.socketio.engine_peers import STUCK_BYTES, EchoHouse, echo_house
from tests.gateways.socketio.talk import open_talk as open_talk  # noqa: PLC0414
from tests.gateways.socketio.talk import talk as talk  # noqa: PLC0414

if TYPE_CHECKING:
    from pytest_aiohttp.plugin import AiohttpClient

    from tests.gateways.socketio.engine_peers import Client


OpenHouse: TypeAlias = Callable[..., Awaitable[EchoHouse]]

SETTINGS = Settings(
    ping_interval_s=10, ping_timeout_s=5, close_timeout_s=0.2, max_frame_bytes=64 * 1024
)


@pytest.fixture
async def open_house(aiohttp_client: AiohttpClient) -> AsyncIterator[OpenHouse]:
    """Makes and starts an echo server."""
    houses: list[EchoHouse] = []

    async def make(
        settings: Settings = SETTINGS, *, is_alone: bool = True, cancels: bool = True
    ) -> EchoHouse:
        house = echo_house(settings, is_alone=is_alone)
        houses.append(house)
        server = TestServer(house.app) if cancels else PatientServer(house.app)
        house.client = cast("Client", await aiohttp_client(server))
        return house

    yield make
    # What a test did with time ends with it: the server stops in real time.
    vars(asyncio.get_running_loop()).pop("time", None)
    for house in houses:
        for peer in house.peers:
            peer.gate.set()
        for socket in house.sockets:
            socket.close()


@pytest.fixture
async def house(open_house: OpenHouse) -> EchoHouse:
    """An echo server with small bounds."""
    return await open_house()


@pytest.fixture(params=["cancels", "does not"])
async def roomy(open_house: OpenHouse, request: pytest.FixtureRequest) -> EchoHouse:
    """One that has room for what is stuck; its host cancels handlers, or does not."""
    settings = Settings(outbox_bytes=2 * STUCK_BYTES)
    return await open_house(settings, cancels=request.param == "cancels")
