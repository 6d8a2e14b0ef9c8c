"""Connections that ask for nothing, or take their time for it."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import web

from server import build_app
from server.serving import listen
from server.settings import Settings
from server.web.body import BODY_TIMEOUT_S
from server.web.callers import BATCH_S, LATE, Caller, Callers
from tests.looptime import LoopTime, turns, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pytest_aiohttp.plugin import AiohttpClient

SETTINGS = Settings(port=0, handshake_timeout_s=5, keepalive_timeout_s=60)
LATE_S = SETTINGS.handshake_timeout_s + BATCH_S
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"

Peer: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class House:
    """A server, and the connections to it."""

    def __init__(self, server: web.Server, port: int) -> None:
        self.server = server
        self.port = port
        self.peers: list[Peer] = []

    async def call(self, said: bytes = b"") -> Peer:
        """Connect and say something."""
        peer = await asyncio.open_connection("127.0.0.1", self.port)
        self.peers.append(peer)
        peer[1].write(said)
        count = len(self.peers)
        await until(lambda: len(self.server.connections) >= count, 20_000)
        await turns(20)
        return peer


async def answer(_: web.Request) -> web.Response:
    """Answer."""
    return web.Response(text="hello")


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Send back what comes."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(str(message.data))
    return ws


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """Listen as `serve` does."""
    app = web.Application()
    app.add_routes([web.get("/", answer), web.get("/ws", talk)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with listen(SETTINGS) as listener:
        site = Callers(runner, listener, SETTINGS, backlog=16)
        await site.start()
        port = listener.getsockname()[1]
        assert site.name.endswith(f":{port}")
        assert runner.server is not None
        house = House(runner.server, port)
        try:
            yield house
        finally:
            for _, writer in house.peers:
                writer.close()
            await runner.cleanup()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A server that listens so."""
    async with open_house() as found:
        yield found


async def test_who_says_nothing_is_not_waited_for(house: House) -> None:
    """Closed in silence: a browser that connects in advance has asked for nothing."""
    time = LoopTime()
    reader, _ = await house.call()
    await time.advance(LATE_S - 0.1)
    assert len(house.server.connections) == 1
    await time.advance(0.2)
    assert await reader.read() == b""
    await until(lambda: not house.server.connections, 20_000)


async def test_half_a_head_is_answered_with_408(house: House) -> None:
    """However steadily it goes on coming."""
    time = LoopTime()
    reader, writer = await house.call(HEAD)
    for _ in range(int(LATE_S) + 1):
        writer.write(b"X")
        await turns(20)
        await time.advance(1.0)
    assert await reader.read() == LATE


async def test_who_has_asked_stays(house: House) -> None:
    """For its next request, and as a WebSocket; others beside it are let go."""
    time = LoopTime()
    reader, writer = await house.call(HEAD + b"\r\n")
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    upgrade = (
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
    )
    talking, speaker = await house.call(upgrade)
    assert (await talking.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    silent, _ = await house.call()
    await time.advance(LATE_S + 0.1)
    assert await silent.read() == b""
    writer.write(HEAD + b"\r\n")
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    speaker.write(b"\x81\x82" + bytes(4) + b"hi")
    assert await talking.readexactly(4) == b"\x81\x02hi"


async def test_a_body_that_does_not_come_is_not_waited_for(
    aiohttp_client: AiohttpClient,
) -> None:
    """Who has sent a whole head, and half of what it promises: 408 as well."""
    client = await aiohttp_client(build_app())
    assert client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    time = LoopTime()
    writer.write(
        b"POST /api/name HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        b'Content-Type: application/json\r\n\r\n{"name":'
    )
    await turns(50)
    await time.advance(BODY_TIMEOUT_S + 0.1)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_who_has_gone_is_forgotten(house: House) -> None:
    """What is to be hurried later does not keep what has ended."""
    for _ in range(50):
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.close()
        await turns(5)
    await until(lambda: not house.server.connections, 20_000)
    await turns(20)
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Caller)]
