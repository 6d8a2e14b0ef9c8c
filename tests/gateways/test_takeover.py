from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server import keys
from server.gateways.base import Socket
from server.gateways.native.handler import routes
from server.hub.session import Session
from server.model import Principal
from tests.gateways.conftest import OpenPlace, Place
from tests.gateways.peers import TEXT, RawPeer, upgrade
from tests.gateways.tcp import Tcp
from tests.looptime import turns, until

FEW = 20
_MASK = b"\0\0\0\0"
"""A mask that changes nothing."""


@pytest.fixture
async def place(open_place: OpenPlace) -> Place:
    """A server."""
    return await open_place()


def kept() -> Counter[str]:
    """What aiohttp keeps for each connection or request, counted."""
    kinds = (RequestHandler, web.BaseRequest, web.StreamResponse)
    return Counter(
        type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)
    )


def live_sessions() -> int:
    """How many there are, of other tests too."""
    return sum(isinstance(each, Session) for each in gc.get_objects())


async def connected(place: Place, count: int) -> list[RawPeer]:
    """Subscribers that have been told so."""
    peers = [await place.raw("/ws/open/a") for _ in range(count)]
    for peer in peers:
        await peer.hear()
    await turns(3)
    return peers


async def test_nothing_of_aiohttp_stays_for_an_idle_socket(place: Place) -> None:
    """No request, no parser, no task: what is left is the session's own."""
    gc.collect()
    before, tasks = kept(), len(asyncio.all_tasks())
    peers = await connected(place, FEW)
    gc.collect()
    assert kept() == before
    assert len(asyncio.all_tasks()) == tasks
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("is_polite", [True, False])
async def test_who_has_gone_is_not_left_to_the_collector(
    place: Place, *, is_polite: bool
) -> None:
    """With a close frame or without, socket and session die by their counts alone."""
    before = live_sessions()
    peers = await connected(place, FEW)
    known = [weakref.ref(each.wire) for each in place.hub.sessions.values()]
    assert isinstance(known[0](), Socket)
    gc.collect()
    gc.disable()
    try:
        for peer in peers:
            if is_polite:
                await peer.send(8, b"\x03\xe8")
                assert await peer.end() == 1000
            peer.close()
        await until(lambda: not place.hub.sessions)
        await until(lambda: not any(each() for each in known))
        assert live_sessions() == before
    finally:
        gc.enable()


async def test_what_follows_the_handshake_at_once_is_heard(place: Place) -> None:
    """In the same segment, before the server has answered; more of it than fits.

    What aiohttp had read by then is handed over, with nothing lost or doubled.
    """
    said = [b'{"id":%d,"type":"ping"}' % number for number in range(1, 4_001)]
    frames = b"".join(
        bytes((0x80 | TEXT, 0x80 | len(each))) + _MASK + each for each in said
    )
    tcp = await Tcp.dial(place.port)
    sending = asyncio.Task(tcp.pour(upgrade("/ws") + frames))
    heard = b""
    while heard.count(b'"type":"reply"') < len(said):
        async with asyncio.timeout(10):
            heard += await tcp.read()
    await sending
    ids = [int(found) for found in re.findall(rb'"id":(\d+)}', heard)]
    assert ids == list(range(1, 4_001))
    tcp.close()


@pytest.fixture(params=[True, False], ids=["cancels", "waits"])
async def cancelling(
    request: pytest.FixtureRequest, place: Place
) -> AsyncIterator[int]:
    """Another listener of the application, by whether aiohttp cancels handlers."""

    @web.middleware
    async def name_all(
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        request[keys.PRINCIPAL] = Principal("g_1", "Ada")
        return await handler(request)

    app = web.Application(middlewares=[name_all])
    app[keys.HUB] = place.hub
    app[keys.SETTINGS] = place.settings
    app.add_routes(routes())
    runner = web.AppRunner(app, handler_cancellation=request.param)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_host_that_cancels_handlers_and_one_that_does_not(
    cancelling: int, caplog: pytest.LogCaptureFixture
) -> None:
    """For both the connection goes on, and nothing is logged."""
    peer = await RawPeer.connect(cancelling, "/ws/open/a")
    await peer.hear()
    await peer.say({"id": 1, "type": "publish", "data": "x"})
    assert {(await peer.hear())["type"], (await peer.hear())["type"]} == {
        "reply",
        "event",
    }
    peer.close()
    await turns(5)
    assert caplog.records == []
