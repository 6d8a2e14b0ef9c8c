"""Event handlers in Python, and the stock client that calls them and is called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from server.gateways.socketio.namespace import ConnectRefused, Namespace

from .socketio_house import TRANSPORTS, raise_house
from .stock import needs_node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from server.gateways.socketio.socket import Socket
    from server.model import JSON

pytestmark = needs_node

by_transport = pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
WHOLE_FRAME = 60_000


@pytest.fixture
def game() -> Namespace:
    """A namespace that answers, asks, and takes its time."""
    game = Namespace("/game")

    @game.on("sum")
    async def sum_(socket: Socket, *numbers: int) -> int:
        return sum(numbers)

    @game.on("several")
    async def several(socket: Socket) -> tuple[str, list[int]]:
        return "a", [1, 2]

    @game.on("mirror")
    async def mirror(socket: Socket, value: dict[str, object]) -> object:
        return {"kind": type(value["bytes"]).__name__, "back": value}

    @game.on("ask me")
    async def ask_me(socket: Socket) -> object:
        return await socket.call("double", 21, b"\x00\xff")

    return game


@by_transport
async def test_acknowledgements_go_both_ways(
    game: Namespace, transports: Sequence[str]
) -> None:
    """One value, several, and what the client answers, with bytes in it."""
    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game", transports=transports)
        await ada.run("""
            socket.on("double", (number, bytes, answer) => {
              answer({ number: number * 2, bytes: [...new Uint8Array(bytes)] });
            });
        """)
        assert await ada.ask("sum", 1, 2, 3) == 6
        code = """return await new Promise((resolve) => {
            socket.emit("several", (...values) => resolve(values));
        })"""
        assert await ada.run(code) == ["a", [1, 2]]
        assert await ada.ask("ask me") == {"number": 42, "bytes": [0, 255]}
        assert await ada.transport() == transports[-1]


@by_transport
async def test_bytes_go_both_ways_wherever_they_stand(
    game: Namespace, transports: Sequence[str]
) -> None:
    """Nested, empty, several, and as large as a frame: they come back the same."""
    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game", transports=transports)
        code = """
            const bytes = Uint8Array.from({ length: args[0] }, (_, at) => at % 251);
            const deep = [{ empty: Buffer.alloc(0) }];
            const sent = { bytes: Buffer.from(bytes), deep };
            const { kind, back } = await socket.emitWithAck("mirror", sent);
            const same = Buffer.compare(Buffer.from(back.bytes), sent.bytes) === 0;
            return [kind, same, Buffer.from(back.deep[0].empty).length];
        """
        assert await ada.run(code, 3) == ["bytes", True, 0]
        assert await ada.run(code, WHOLE_FRAME // 2) == ["bytes", True, 0]


@by_transport
async def test_a_long_text_arrives_whole(
    game: Namespace, transports: Sequence[str]
) -> None:
    """Almost a frame, also by a POST that comes in several pieces."""

    @game.on("length")
    async def length(socket: Socket, text: str) -> int:
        return len(text)

    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game", transports=transports)
        assert await ada.ask("length", "x" * WHOLE_FRAME) == WHOLE_FRAME
        assert await ada.ask("length", "é" * 30_000) == 30_000


async def test_bytes_reach_clients_of_each_transport(game: Namespace) -> None:
    """The same bytes for a room in which polling and WebSocket are mixed."""
    there: list[Socket] = []

    @game.on("connect")
    async def came(socket: Socket, auth: Mapping[str, JSON]) -> None:
        there.append(socket)

    @game.on("show all")
    async def show_all(socket: Socket, picture: bytes) -> None:
        for each in there:
            await each.emit("picture", picture, {"again": picture})

    async with raise_house([game]) as house:
        clients = [
            await house.client(f"n{number}", "/game", transports=transports)
            for number, transports in enumerate([*TRANSPORTS, *TRANSPORTS])
        ]
        for each in clients:
            await each.run("""
                here[socket.id] = [];
                socket.on("picture", (one, { again }) => {
                  here[socket.id].push([...Buffer.from(one), ...Buffer.from(again)]);
                });
            """)
        for _ in range(2):
            await clients[0].run('socket.emit("show all", Buffer.from([0, 128, 255]))')
        for each in clients:
            code = "await until(() => here[socket.id].length >= 2); "
            shown = await each.run(f"{code} return here[socket.id];")
            assert shown == [[0, 128, 255, 0, 128, 255]] * 2
            assert await each.life(1) == [["connect", False]], "nobody was cut"


async def test_a_late_answer_is_an_error_and_no_more(game: Namespace) -> None:
    """`timeout(100)` throws; what follows is answered, in its order."""
    goes_on = asyncio.Event()

    @game.on("slow")
    async def slow(socket: Socket) -> str:
        await goes_on.wait()
        return "at last"

    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game")
        code = """
            const asked = socket.timeout(100).emitWithAck("slow");
            return await asked.then(() => "answered", (error) => error.message);
        """
        assert await ada.run(code) == "operation has timed out"
        goes_on.set()
        assert await ada.ask("slow") == "at last"
        assert await ada.ask("sum", 1, 1) == 2
        assert await ada.life(1) == [["connect", False]]


async def test_a_volatile_emit_is_an_event_or_nothing(game: Namespace) -> None:
    """The flag does not reach the wire; a signal is what may get lost."""
    async with raise_house([game]) as house:
        ada, bob = [await house.client(name) for name in ("ada", "bob")]
        for each in (ada, bob):
            await each.ask("join", "news")
        await ada.run('socket.volatile.emit("message", { data: 1 })')
        assert "position" in (await bob.heard("message", 1))[0]
        await ada.run("""
            socket.disconnect();
            socket.volatile.emit("message", { data: "lost" });
            socket.connect();
            await until(() => socket.connected);
            await socket.emitWithAck("join", "news");
            socket.emit("signal", { event: "typing", data: true });
            await socket.emitWithAck("message", { data: 2 });
        """)
        assert "position" not in (await bob.heard("typing", 1))[0]
        heard = await bob.heard("message", 2)
        assert [each["data"] for each in heard] == [1, 2]


async def test_middleware_refuses_with_a_reason(game: Namespace) -> None:
    """`connect_error` has message and data; with a better word one comes in."""

    @game.use
    async def check(socket: Socket, auth: Mapping[str, JSON]) -> None:
        if auth.get("token") != "sesame":
            raise ConnectRefused("who are you?", {"hint": "a word"})

    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game", auth={"token": "simsalabim"})
        refusal = ["refused", "who are you?", {"hint": "a word"}]
        assert await ada.life(1) == [refusal]
        assert await ada.run("return socket.active") is False, "it stays away"
        await ada.run("""
            socket.auth = { token: "sesame" };
            socket.connect();
        """)
        assert await ada.life(2) == [refusal, ["connect", False]]
        assert await ada.ask("sum", 1, 1) == 2
        await ada.cut()
        assert await ada.has_returned()
        nobody = await house.client("bob", "/gone")
        assert await nobody.life(1) == [["refused", "Invalid namespace", None]]


async def test_a_handler_sends_its_client_out(game: Namespace) -> None:
    """Of one namespace, for good; the connection and the other one stay."""

    @game.on("enough")
    async def enough(socket: Socket) -> None:
        await socket.disconnect()

    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game")
        await ada.run("""
            here.main = socket.io.socket("/");
            await until(() => here.main.connected);
            socket.emit("enough");
        """)
        end = ["disconnect", "io server disconnect"]
        assert await ada.life(2) == [["connect", False], end]
        code = (
            "return [here.main.connected, socket.active, socket.io.engine.readyState]"
        )
        assert await ada.run(code) == [True, False, "open"]
        await ada.run("socket.connect()")
        assert (await ada.life(3))[2][0] == "connect"


async def test_a_room_is_told_by_the_server(game: Namespace) -> None:
    """What is emitted to a room has an order and a past; volatile has neither."""
    async with raise_house([game]) as house:
        ada = await house.client("ada", "/game")
        await ada.ask("join", "table-1")
        await game.to("table-1").volatile.emit("clock", 3)
        await game.to("table-1").emit("score", [1, 0])
        assert (await ada.heard("clock", 1))[0]["data"] == 3
        assert (await ada.heard("score", 1))[0]["data"] == [1, 0]
        await ada.cut(meanwhile_s=0.2)
        await game.to("table-1").volatile.emit("clock", 2)
        await game.to("table-1").emit("score", [1, 1])
        assert await ada.has_returned()
        scores = await ada.heard("score", 2)
        assert [each["data"] for each in scores] == [[1, 0], [1, 1]]
        assert len(await ada.heard("clock", 1)) == 1
