"""The server and the clients of the suite of gateways."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, TypeAlias

import pytest

from server import Settings
from server.gateways.socketio import polling
from server.kinds.ticker import kind as ticker
from tests.contracts.gateways.all import GATEWAYS
from tests.contracts.gateways.house import HeldLog, House, open_house, read_slowly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.contracts.gateways.driver import Driver

    OpenHouse: TypeAlias = Callable[..., Awaitable[House]]


LOOK_S = 0.05
"""How soon it is seen that an HTTP reader has gone: a second is long for tests."""

CLOSE_TIMEOUT_S = 0.5
"""Nobody is waited for long."""


@pytest.fixture
async def open_a_house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenHouse]:
    """Starts a server with some settings."""
    monkeypatch.setattr(polling, "LOOK_S", LOOK_S)
    # The market beside it stays closed: a day of it would be worked out meanwhile.
    monkeypatch.setattr(ticker, "OPENS_AFTER_S", 3_600)
    async with AsyncExitStack() as stack:

        async def make(**settings: float) -> House:
            values = {"close_timeout_s": CLOSE_TIMEOUT_S, **settings}
            chosen = Settings.model_validate(values)
            return await stack.enter_async_context(open_house(chosen))

        yield make


@pytest.fixture
async def house(open_a_house: OpenHouse) -> House:
    """A server with the default settings."""
    return await open_a_house()


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> type[Driver]:
    """The clients of one gateway, by its name in the matrix."""
    return GATEWAYS[request.param]


@pytest.fixture
def held_log(monkeypatch: pytest.MonkeyPatch) -> HeldLog:
    """What holds commits back; to be made before the server."""
    return HeldLog(monkeypatch)


@pytest.fixture
def slow_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has logs read slowly, so that a joiner's past is old when it comes."""
    read_slowly(monkeypatch)
