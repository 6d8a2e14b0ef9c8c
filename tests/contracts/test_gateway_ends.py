"""What every gateway promises about who is here, and how a connection ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from server.errors import FORCED, NO_PONG, SHUTDOWN
from tests.contracts.gateways.driver import ANSWER_S
from tests.contracts.gateways.house import until
from tests.contracts.gateways.native import Native
from tests.contracts.matrix import Promise, shows

if TYPE_CHECKING:
    from tests.contracts.conftest import OpenHouse
    from tests.contracts.gateways.driver import Driver
    from tests.contracts.gateways.house import House

SOON = {"ping_interval_s": 0.2, "ping_timeout_s": 0.5}

SAYS_NOTHING = (
    "An EventSource says nothing after its request, so it cannot fall silent. A machine"
    " that has vanished is found by TCP: it does not receive the heartbeat"
    " (`--tcp-user-timeout-s`)."
)
LOOKED_AFTER = "Whose connection closed is missed within a second."
COMES_BACK = (
    "An EventSource comes back from everything, here after 30 s or more; a page"
    " should `close()` it at the event `closing` with a code from 3500 on."
)
POLL = (
    "A connection is one GET: it is missed within a second while one waits, and by the"
    " ping timeout between two."
)
WORDS = (
    "Its wire has fewer codes: 1012 is the server that restarts, 4400-4499 is to stay"
    " away."
)


async def watching(house: House, channel: str) -> Native:
    """Return somebody who is told who comes and goes."""
    watcher = Native(house.port, "zoe")
    watcher.channel = channel
    watcher.presence = True
    house.clients.append(watcher)
    await watcher.join()
    return watcher


async def next_of(watcher: Native, count: int) -> list[tuple[str, str]]:
    """Read until so many have come and gone; return all of them."""
    async with asyncio.timeout(ANSWER_S):
        while len(watcher.here) < count:
            await watcher.take()
    return watcher.here


@shows(Promise.PRESENCE, notes={"sse": LOOKED_AFTER, "polling": POLL})
async def test_presence_comes_and_goes(house: House, gateway: type[Driver]) -> None:
    """Others are told once of who comes, and once of who is cut off, without a word.

    Two connections of one person are one person.
    """
    watcher = await watching(house, gateway.CHANNEL)
    one, two = [await house.joined(gateway, "ada") for _ in range(2)]
    assert (await next_of(watcher, 2))[1:] == [("join", "u_ada")]
    await one.rests()
    one.cut()
    await until(lambda: len(house.sessions("ada")) == 1)
    await two.rests()
    two.cut()
    assert (await next_of(watcher, 3))[1:] == [("join", "u_ada"), ("leave", "u_ada")]
    assert not house.sessions("ada")


@shows(Promise.PRESENCE)
async def test_presence_goes_with_who_is_cut_between_two_words(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """Also where nothing was under way just then that could break."""
    house = await open_a_house(**SOON)
    watcher = await watching(house, gateway.CHANNEL)
    client = await house.joined(gateway, "ada")
    await house.say(client.channel, "a word")
    await client.reads_to("a word")
    client.cut()
    assert (await next_of(watcher, 3))[1:] == [("join", "u_ada"), ("leave", "u_ada")]


@shows(Promise.SILENT, exempt={"sse": SAYS_NOTHING})
async def test_a_silent_peer_ends(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """Its connection stands, and no pong comes; who answers stays."""
    house = await open_a_house(**SOON)
    watcher = await watching(house, gateway.CHANNEL)
    silent = await house.joined(gateway, "ada")
    silent.mute = True
    async with asyncio.timeout(ANSWER_S):
        # Read meanwhile: whether the watcher hears it is how it is known.
        assert (await next_of(watcher, 3))[1:] == [
            ("join", "u_ada"),
            ("leave", "u_ada"),
        ]
    assert house.hub.stats.closed[NO_PONG.code] == 1
    assert not house.sessions("ada")
    assert len(house.sessions("zoe")) == 1
    assert (await silent.ended()).returns


@shows(Promise.SILENT, exempt={"sse": SAYS_NOTHING})
async def test_who_answers_stays(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """However quiet it is: pings, and the answers to them, are enough."""
    house = await open_a_house(ping_interval_s=0.05, ping_timeout_s=0.5)
    client = await house.joined(gateway)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await client.reads_to("nobody says this")
    await house.say(client.channel, "still here?")
    assert await client.reads_to("still here?") == ["still here?"]


@shows(Promise.DRAIN, notes={"yjs": WORDS})
async def test_a_server_that_stops_tells_all_to_come_back(
    house: House, gateway: type[Driver]
) -> None:
    """Each connection ends with the reason, and the server is gone within seconds."""
    clients = [await house.joined(gateway, f"ada{number}") for number in range(5)]
    for each in clients:
        await each.rests()
    async with asyncio.timeout(ANSWER_S), asyncio.TaskGroup() as group:
        group.create_task(house.stop())
        endings = [group.create_task(each.ended()) for each in clients]
    for ending in endings:
        assert ending.result().returns
        assert ending.result().code in (SHUTDOWN.code, 1012)


@shows(Promise.BANNED, notes={"yjs": WORDS, "sse": COMES_BACK})
async def test_who_is_banned_is_told_to_stay_away(
    house: House, gateway: type[Driver]
) -> None:
    """On all connections, and nobody else is."""
    banned = [await house.joined(gateway) for _ in range(2)]
    other = await house.joined(gateway, "bob")
    house.hub.disconnect("u_ada")
    for each in banned:
        ended = await each.ended()
        assert not ended.returns
        assert ended.code in (FORCED.code, 4400)
    await house.say(other.channel, "the rest")
    assert await other.reads_to("the rest") == ["the rest"]
    assert not house.sessions("ada")
