"""A server that is full, and what each wire says of it before a session begins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from server.gateways.admission import FULL, RETRY_AFTER_S, admit
from server.settings import Settings
from tests.contracts.gateways.house import PREFIX, open_house, until
from tests.contracts.gateways.native import Native
from tests.contracts.gateways.socketio import Polling, SocketIo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.contracts.gateways.house import House
    from tests.gateways.conftest import Place

ROOM = 2
SOCKETIO = "/socket.io/?EIO=4&transport="


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A server with room for two sessions."""
    async with open_house(Settings(max_sessions=ROOM, close_timeout_s=0.2)) as house:
        yield house


@pytest.fixture
async def http(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    """Asks that server as somebody who is signed in."""
    base = f"http://127.0.0.1:{house.port}"
    async with aiohttp.ClientSession(base) as session:
        yield session


def url(path: str) -> str:
    """Return an address of the server for somebody who is signed in."""
    return f"{PREFIX}{path}{'&' if '?' in path else '?'}as=zoe"


@pytest.mark.parametrize(
    "path",
    ["/ws", "/ws/chat/lobby", "/ws/notes/a", f"{SOCKETIO}websocket"],
)
async def test_a_socket_is_refused_before_its_upgrade(
    house: House, http: aiohttp.ClientSession, path: str
) -> None:
    """With 503 and a time; those who are there hear all; who left makes room."""
    inside = [await house.joined(Native, name) for name in ("ada", "bob")]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url(path))
    assert refused.value.status == 503
    assert refused.value.headers is not None
    first_s, last_s = RETRY_AFTER_S
    assert first_s <= int(refused.value.headers["Retry-After"]) <= last_s
    assert house.hub.stats.turned_away == 1
    await house.say("room:one", "here")
    for client in inside:
        assert await client.reads_to("here") == ["here"]
    inside[0].cut()
    await until(lambda: len(house.hub.sessions) < ROOM)
    async with http.ws_connect(url(path)) as socket:
        assert not socket.closed


async def test_a_rush_harms_nobody_who_is_there(
    house: House, http: aiohttp.ClientSession
) -> None:
    """All of 200 at once are refused, to each another time; those inside hear all."""
    inside = [await house.joined(Native, name) for name in ("ada", "bob")]
    told: list[str] = []

    async def rush() -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url("/ws"))
        assert refused.value.headers is not None
        told.append(refused.value.headers["Retry-After"])

    lines = [str(number) for number in range(20)]
    async with asyncio.TaskGroup() as group:
        for _ in range(200):
            group.create_task(rush())
        for line in lines:
            await house.say("room:one", line)
            for client in inside:
                await client.reads_to(line)
    assert len(told) == house.hub.stats.turned_away == 200
    assert len(set(told)) > 5
    assert [each.lines for each in inside] == [lines, lines]


async def test_a_polling_session_is_refused_too(
    house: House, http: aiohttp.ClientSession
) -> None:
    """By its handshake; nothing is left of it."""
    for name in ("ada", "bob"):
        await house.joined(Native, name)
    async with http.get(url(f"{SOCKETIO}polling")) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert FULL in await answer.text()
    assert len(house.hub.sessions) == ROOM


async def test_a_session_that_is_there_may_change_its_way(house: House) -> None:
    """From long-polling to a WebSocket: it is not one more."""
    await house.joined(Native, "ada")
    polling = await house.joined(Polling, "bob")
    assert len(house.hub.sessions) == ROOM
    assert await polling.say("still here") is not None
    (session,) = house.sessions("bob")
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{house.port}") as http,
        http.ws_connect(
            f"{PREFIX}{SOCKETIO}websocket&as=bob&sid={sid_of(session.wire)}"
        ) as socket,
    ):
        await socket.send_str("2probe")
        assert (await socket.receive(timeout=5)).data == "3probe"
    assert house.hub.stats.turned_away == 0


def sid_of(wire: object) -> str:
    """Return the id of a Socket.IO session."""
    return str(getattr(wire, "sid", ""))


async def test_a_stream_is_told_on_itself(
    house: House, http: aiohttp.ClientSession
) -> None:
    """An EventSource would never come back from a 503; so it is told when to."""
    for name in ("ada", "bob"):
        await house.joined(SocketIo, name)
    async with http.get(url("/sse/open:a")) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        lines = (await answer.text()).splitlines()
    first_ms, last_ms = (1_000 * each for each in RETRY_AFTER_S)
    assert first_ms <= int(lines[0].removeprefix("retry: ")) <= last_ms
    assert "event: refused" in lines
    assert "event: closing" in lines
    assert len(house.hub.sessions) == ROOM
    assert house.hub.stats.turned_away == 1
    async with http.head(url("/sse/open:a")) as answer:
        assert answer.status == 200


async def test_each_is_told_another_time(place: Place) -> None:
    """As it is drawn: those who came together do not come back together."""
    drawn = iter((7, 11))

    def draw(first: int, last: int) -> int:
        assert (first, last) == RETRY_AFTER_S
        return next(drawn)

    await place.connect()
    full, room = Settings(max_sessions=1), Settings(max_sessions=2)
    for seconds in ("7", "11"):
        with pytest.raises(web.HTTPServiceUnavailable) as refused:
            admit(place.hub, full, draw)
        assert refused.value.headers["Retry-After"] == seconds
    admit(place.hub, room, draw)
    assert place.hub.stats.turned_away == 2
