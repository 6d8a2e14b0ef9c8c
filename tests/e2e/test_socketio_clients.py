"""Stock Socket.IO clients, unchanged: in Node, in a page, and python-socketio's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import socketio  # type: ignore[import-untyped]

from server import Settings
from server.errors import FORCED_RECONNECT
from tests.browsers import open_browser

from .cluster import flags
from .room_guests import Line
from .server_process import ServerProcess
from .socketio_house import CONNECT, TRANSPORTS, Client, raise_house
from .stock import desk, needs_node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

    from .socketio_house import House

pytestmark = needs_node

by_transport = pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
QUICK_BEATS = Settings(ping_interval_s=2, ping_timeout_s=2)


async def say(house: House, *texts: str, room: str = "news") -> None:
    """Say something in a room of the main namespace, as the server."""
    for text in texts:
        await house.hub.publish(f"open:{room}", text)


async def contents(client: Client, count: int) -> list[Any]:
    """Wait for so many messages; return all, which must be no more."""
    heard = await client.heard("message", count)
    assert len(heard) == count
    return [each["data"] for each in heard]


@by_transport
async def test_a_stock_client_talks(transports: Sequence[str]) -> None:
    """It joins, says and hears, reads back, sees who is there, leaves."""
    async with raise_house() as house:
        ada = await house.client("ada", transports=transports)
        bob = await house.client("bob")
        await say(house, "before")
        for each in (ada, bob):
            reply = await each.ask("join", "news")
            assert (reply["type"], reply["recovered"]) == ("reply", False)
        reply = await ada.ask("message", {"room": "news", "data": "hello"})
        (heard,) = await bob.heard("message", 1)
        assert heard["position"] == reply["position"]
        assert (heard["data"], heard["from"]["name"]) == ("hello", "ada")
        past = (await bob.ask("history", "news"))["publications"]
        assert [each["data"] for each in past] == ["before", "hello"]
        assert (await ada.ask("presence", "news"))["count"] == 2
        await ada.ask("leave", "news")
        await say(house, "after")
        assert await contents(bob, 2) == ["hello", "after"]
        assert await contents(ada, 1) == ["hello"]
        assert await ada.transport() == transports[-1]


@pytest.mark.browser
async def test_io_without_arguments_in_a_page() -> None:
    """A page loads the client from where it always is, and `io()` connects."""
    with ServerProcess() as server:
        async with open_browser() as browser:
            page = await browser.new_page()
            await page.goto(f"{server.url}/lesson")
            await page.add_script_tag(url="/socket.io/socket.io.js")
            found = await page.evaluate("""async () => {
              const socket = io();
              const heard = [];
              socket.on("message", ({ data }) => heard.push(data));
              await new Promise((resolve) => socket.once("connect", resolve));
              await socket.emitWithAck("join", "news");
              await socket.emitWithAck("message", { data: 1 });
              while (socket.io.engine.upgrading) {
                await new Promise((resolve) => setTimeout(resolve, 5));
              }
              const transport = socket.io.engine.transport.name;
              socket.io.engine.close();
              await new Promise((resolve) => socket.once("connect", resolve));
              await socket.emitWithAck("message", { data: 2 });
              return [transport, socket.recovered, heard];
            }""")
    assert found == ["websocket", True, [1, 2]]


@by_transport
async def test_python_s_client_talks(transports: Sequence[str]) -> None:
    """python-socketio's client: events, acknowledgements, and `since` after a cut."""
    async with raise_house() as house:
        client = socketio.AsyncClient(reconnection=False)
        heard: list[dict[str, Any]] = []
        # Each handler gets the place as a second argument.
        client.on("message", lambda message, _: heard.append(message))
        where = {"socketio_path": "/live/socket.io", "transports": list(transports)}
        await client.connect(f"{house.url}?user=ada", **where)
        await client.call("join", "news")
        await client.call("message", {"data": "one"})
        assert [each["data"] for each in heard] == ["one"]
        await client.disconnect()
        await say(house, "two", "three")
        await client.connect(f"{house.url}?user=ada", **where)
        since = heard[-1]["position"]
        reply = await client.call("join", {"channel": "news", "since": since})
        assert reply["recovered"]
        assert [each["data"] for each in reply["publications"]] == ["two", "three"]
        assert client.transport() == transports[-1]
        await client.disconnect()


# Connection state recovery


@by_transport
async def test_recovery_without_having_heard_anything(
    transports: Sequence[str],
) -> None:
    """In a room or in none: it is the same socket, and misses nothing."""
    async with raise_house() as house:
        ada = await house.client("ada", transports=transports)
        who = await ada.run("return socket.id")
        await ada.cut()
        assert await ada.has_returned()
        await ada.ask("join", "news")
        await ada.cut(meanwhile_s=0.3)
        await say(house, "one", "two")
        assert await ada.has_returned()
        assert await contents(ada, 2) == ["one", "two"]
        assert await ada.run("return socket.id") == who


@by_transport
async def test_recovery_after_a_quiet_time(transports: Sequence[str]) -> None:
    """Heartbeats only since the last event."""
    async with raise_house(settings=QUICK_BEATS) as house:
        ada = await house.client("ada", transports=transports)
        await ada.ask("join", "news")
        await say(house, "one")
        await ada.heard("message", 1)
        await ada.run("""
            let beats = 0;
            socket.io.on("ping", () => { beats += 1; });
            await until(() => beats >= 3);
        """)
        await ada.cut(meanwhile_s=0.3)
        await say(house, "two")
        assert await ada.has_returned()
        assert await contents(ada, 2) == ["one", "two"]
        assert len(await ada.life(3)) == 3, "it was not cut by silence"


async def test_recovery_of_all_rooms_and_namespaces() -> None:
    """Two rooms in one namespace, one in another: all on one connection."""
    async with raise_house() as house:
        ada = await house.client("ada")
        await house.desk.run("here.chat = here.ada.io.socket('/chat')")
        chat = Client(house.desk, "chat")
        await chat.run("""
            here.chatHeard = [];
            socket.onAny((event, payload) => here.chatHeard.push([event, payload]));
            await until(() => socket.connected);
        """)
        for room in ("news", "sport"):
            await ada.ask("join", room)
        await chat.ask("join", "lobby")
        await say(house, "n1")
        await say(house, "s1", room="sport")
        await ada.heard("message", 2)
        await ada.cut(meanwhile_s=0.3)
        await say(house, "n2", "n3")
        await say(house, "s2", room="sport")
        await house.hub.publish("chat:lobby", {"text": "c1"})
        assert await ada.has_returned()
        assert await chat.has_returned()
        await say(house, "n4")
        heard = await ada.heard("message", 6)
        for room, letter in (("news", "n"), ("sport", "s")):
            of_room = [e["data"] for e in heard if e["channel"] == f"open:{room}"]
            assert of_room == [f"{letter}{n}" for n in range(1, len(of_room) + 1)]
        assert len(heard) == 6
        (said,) = await chat.heard("message", 1)
        assert said["data"]["text"] == "c1"
        ids = await house.desk.run("return [here.ada.io === here.chat.io]")
        assert ids == [True]


@pytest.mark.parametrize(("rooms", "texts", "size"), [(8, 1, 1), (3, 30, 40_000)])
async def test_recovery_while_the_transport_is_upgraded(
    rooms: int, texts: int, size: int
) -> None:
    """Much is to be told, while a client that changes its transport does not poll."""
    async with raise_house() as house:
        ada = await house.client("ada")
        names = [f"room-{number}" for number in range(rooms)]
        for name in names:
            await ada.ask("join", name)
        await ada.cut(meanwhile_s=0.3)
        said = [f"{number} " + "x" * size for number in range(texts)]
        for name in names:
            await say(house, *said, room=name)
        assert await ada.has_returned()
        heard = await ada.run(
            """
            const all = () => here.adaHeard.filter(([name]) => name === "message");
            await until(() => all().length >= args[0]);
            return all().map(([, { channel, data }]) => [channel, parseInt(data)]);
            """,
            rooms * texts,
        )
        assert len(heard) == rooms * texts
        for name in names:
            numbers = [number for room, number in heard if room == f"open:{name}"]
            assert numbers == list(range(texts))


async def test_recovery_that_cannot_be_is_told() -> None:
    """The stream is a new one: a new socket, in no room, and nothing is replayed."""
    async with raise_house() as house:
        ada = await house.client("ada")
        await ada.ask("join", "news")
        await say(house, "one")
        await ada.heard("message", 1)
        who = await ada.run("return socket.id")
        await ada.cut(meanwhile_s=0.2)
        await house.hub.new_epoch("open:news")
        await say(house, "two")
        assert not await ada.has_returned()
        assert await ada.run("return socket.id") != who
        reply = await ada.ask("join", "news")
        assert [each["data"] for each in reply["publications"]] == []
        await say(house, "three")
        assert await contents(ada, 2) == ["one", "three"]


async def test_a_durable_room_survives_a_restart(tmp_path: Path) -> None:
    """`kill -9` and a start on the same data: recovered, with what was said since."""
    async with desk() as node:
        with ServerProcess(tmp_path / "data") as server:
            ada, bob = Client(node, "ada"), Client(node, "bob")
            url, options = f"{server.url}/chat", {"forceNew": True}
            for each in (ada, bob):
                await node.run(CONNECT, each.name, url, options)
                await each.ask("join", "lobby")
            who = await ada.run("return socket.id")
            await ada.ask("message", {"data": "before"})
            # Ada comes back later than Bob, who says something in between.
            await ada.run("socket.io.reconnectionDelay(2000)")
            await bob.run("socket.io.reconnectionDelay(50)")
            await bob.run("socket.io.reconnectionDelayMax(100)")
            await asyncio.to_thread(server.restart)
            assert await bob.has_returned()
            await bob.ask("message", {"data": "meanwhile"})
            assert await ada.has_returned()
            await ada.ask("message", {"data": "after"})
            assert await ada.run("return socket.id") == who
            for each in (ada, bob):
                heard = await each.heard("message", 3)
                texts = [message["data"]["text"] for message in heard]
                assert texts == ["before", "meanwhile", "after"]


# Who is sent away, and who may come back


@by_transport
async def test_who_is_sent_away_for_good_stays_away(transports: Sequence[str]) -> None:
    """The stock client is told why, and does not try again by itself."""
    async with raise_house() as house:
        ada = await house.client("ada", transports=transports)
        house.hub.disconnect("u_ada")
        end = [["connect", False], ["disconnect", "io server disconnect"]]
        assert await ada.life(2) == end
        (closing,) = await ada.heard("closing", 1)
        assert closing == {"code": 3503, "reason": "forced"}
        assert await ada.run("return socket.active") is False
        await ada.run("await pause(500)")
        assert await ada.life(2) == end
        await ada.run("socket.connect()")
        assert (await ada.life(3))[2][0] == "connect"


@by_transport
async def test_who_is_sent_to_come_back_does(transports: Sequence[str]) -> None:
    """By itself, recovered, with a reason for the eyes of its page."""
    async with raise_house() as house:
        ada = await house.client("ada", transports=transports)
        await ada.ask("join", "news")
        house.hub.disconnect("u_ada", FORCED_RECONNECT)
        (closing,) = await ada.heard("closing", 1)
        assert closing["code"] == FORCED_RECONNECT.code
        (_, end, again) = await ada.life(3)
        assert end == ["disconnect", "transport close"]
        assert again == ["connect", True]
        await say(house, "one")
        assert await contents(ada, 1) == ["one"]


async def test_two_namespaces_share_a_connection() -> None:
    """One session of the hub; leaving one leaves the other alone."""
    async with raise_house() as house:
        ada = await house.client("ada")
        await house.desk.run("""
            here.chat = here.ada.io.socket("/chat");
            await until(() => here.chat.connected);
            await here.chat.emitWithAck("join", "lobby");
            await here.ada.emitWithAck("join", "news");
        """)
        assert len(house.hub.sessions) == 1
        (session,) = house.hub.sessions.values()
        assert set(session.subscriptions) == {"chat:lobby", "open:news"}
        await house.desk.run("here.chat.disconnect()")
        await ada.ask("presence", "news")
        assert set(session.subscriptions) == {"open:news"}
        await say(house, "one")
        assert await contents(ada, 1) == ["one"]


# Several nodes


@pytest.mark.nodes
@pytest.mark.timeout(120)
@pytest.mark.parametrize("transports", TRANSPORTS[:2], ids="+".join)
async def test_on_another_node_it_goes_on(
    transports: Sequence[str], own_redis: RedisServer, postgres: Postgres
) -> None:
    """A poll that meets the wrong node is answered what to do about it.

    The stock client hands that answer on with its event `disconnect`. By either
    transport it is recovered by the other node, which has never seen it.
    """
    database = postgres.create()
    urls = flags(own_redis.url, postgres.url(database))
    with ServerProcess(None, *urls) as first, ServerProcess(None, *urls) as second:
        async with Line(first.port) as line, desk() as node:
            ada = Client(node, "ada")
            url = f"http://127.0.0.1:{line.port}/chat"
            options = {"transports": transports, "reconnectionDelay": 500}
            await node.run(CONNECT, "ada", url, options)
            await ada.ask("join", "lobby")
            await ada.ask("message", {"data": "one"})
            await ada.run("""
                socket.on("disconnect", (reason, details) => {
                  here.answer = details?.context?.responseText ?? "";
                });
            """)
            line.target = second.port
            if transports == ["polling"]:
                # Its next request is on a connection of its own.
                await ada.run('socket.emit("message", { data: "to the wrong node" })')
            else:
                line.cut()
            assert (await ada.life(3))[2] == ["connect", True]
            await ada.ask("message", {"data": "two"})
            heard = await ada.heard("message", 2)
            assert [each["data"]["text"] for each in heard] == ["one", "two"]
            answer = await node.run("return here.answer")
            assert ("sticky sessions" in answer) == (transports == ["polling"])
            assert ('transports: [\\"websocket\\"]' in answer) == bool(answer)
    postgres.drop(database)
