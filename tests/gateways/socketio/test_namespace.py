from __future__ import annotations

import asyncio

import pytest

from server.errors import LIMIT_EXCEEDED, Refusal
from server.gateways.socketio.namespace import ConnectRefused, Namespace
from server.gateways.socketio.packets import RESERVED
from server.gateways.socketio.socket import MOST_CALLS, Socket, SocketGone
from server.model import JSON
from tests.gateways.socketio.talk import OpenTalk
from tests.looptime import until

GAME = "/game"


@pytest.fixture
def game() -> Namespace:
    """A namespace without handlers yet."""
    return Namespace(GAME)


@pytest.fixture
def sockets(game: Namespace) -> list[Socket]:
    """Those that have connected to it."""
    found: list[Socket] = []

    @game.on("connect")
    async def came(socket: Socket, auth: JSON) -> None:
        found.append(socket)

    return found


@pytest.mark.parametrize(
    "name", ["", "game", "/Game", "/a b", "/a/b", "/" + "a" * 17, "/open", "/1"]
)
def test_a_namespace_is_named_as_a_kind(name: str) -> None:
    """And the main one has one name only."""
    with pytest.raises(ValueError, match="namespace"):
        Namespace(name)


@pytest.mark.parametrize("event", sorted(RESERVED - {"connect", "disconnect"}))
def test_a_reserved_event_has_no_handler(game: Namespace, event: str) -> None:
    """No packet could ever carry it."""
    with pytest.raises(ValueError, match="reserved"):
        game.on(event)


async def test_a_namespace_is_given_once(game: Namespace, open_talk: OpenTalk) -> None:
    """Two would hide each other's handlers."""
    with pytest.raises(ValueError, match="/game is given twice"):
        await open_talk([game, Namespace(GAME)])


def test_without_an_application_there_are_no_rooms(game: Namespace) -> None:
    """It says so."""
    with pytest.raises(Refusal, match="in no application"):
        game.to("a")


async def test_what_a_handler_returns_acknowledges(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """None is no value, a tuple several; coroutine function or not."""

    @game.on("say")
    async def say(socket: Socket, *values: JSON) -> object:
        return {0: None, 1: values[0] if values else None}.get(len(values), values)

    @game.on("plain")
    def plain(socket: Socket) -> list[int]:
        return [1, 2]

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    cases: list[tuple[list[JSON], list[JSON]]] = [
        (["say"], []),
        (["say", 1], [1]),
        (["say", 1, 2], [1, 2]),
        (["plain"], [[1, 2]]),
    ]
    for number, (said, answer) in enumerate(cases):
        await ada.emit(*said, namespace=GAME, ack=number)
        assert await ada.ack(number, GAME) == answer
    await ada.emit("say", 1, namespace=GAME)
    await ada.emit("say", 2, namespace=GAME, ack=9)
    assert await ada.ack(9, GAME) == [2], "unasked, nothing is said"


async def test_a_handler_that_fails_is_answered_and_logged_once(
    game: Namespace, open_talk: OpenTalk, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection stays; a refusal and wrong arguments are no failures."""

    @game.on("fail")
    async def fail(socket: Socket) -> None:
        raise ZeroDivisionError("a secret")

    @game.on("refuse")
    async def refuse(socket: Socket) -> None:
        raise Refusal(LIMIT_EXCEEDED.because("slowly"))

    @game.on("unsayable")
    async def unsayable(socket: Socket) -> object:
        return object()

    @game.on("two")
    async def two(socket: Socket, first: JSON, second: JSON) -> None:
        """Take two."""

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    codes = []
    cases: list[list[JSON]] = [["fail"], ["fail"], ["refuse"], ["unsayable"]]
    cases += [["two", 1], ["two", 1, 2, 3]]
    for number, said in enumerate(cases):
        await ada.emit(*said, namespace=GAME, ack=number)
        (words,) = await ada.ack(number, GAME)
        assert isinstance(words, dict)
        assert "secret" not in str(words)
        codes.append(words["code"])
    assert codes == [100, 100, 106, 100, 107, 107]
    assert caplog.text.count("/game: fail failed") == 1
    assert caplog.text.count("failed") == 2
    await ada.emit("fail", namespace=GAME)
    name, words = await ada.event(GAME)
    assert isinstance(words, dict)
    assert (name, words["code"]) == ("refused", 100)


async def test_a_client_can_be_asked(game: Namespace, open_talk: OpenTalk) -> None:
    """While the handler waits its answer is read; late and double ones are nothing."""

    @game.on("ask")
    async def ask(socket: Socket, question: JSON) -> object:
        return [await socket.call("question", question, b"?"), len(socket.rooms)]

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    await ada.emit("ask", "why", namespace=GAME, ack=0)
    hole = '{"_placeholder":true,"num":0}'
    assert await ada.hear() == f'51-/game,0["question","why",{hole}]'
    assert await ada.hear() == b"?"
    await ada.say("3/game,7[1]")
    await ada.say("3/game,0[1,2]")
    await ada.say("3/game,0[3]")
    assert await ada.ack(0, GAME) == [[[1, 2], 0]]


async def test_an_answer_that_does_not_come_is_waited_for_so_long(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """Then it is a TimeoutError; when the client goes, at once `SocketGone`."""
    raised: list[type[BaseException]] = []

    @game.on("ask")
    async def ask(socket: Socket, seconds: float) -> None:
        try:
            await socket.call("question", timeout_s=seconds)
        except (TimeoutError, SocketGone) as error:
            raised.append(type(error))

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    await ada.emit("ask", 0.01, namespace=GAME)
    await until(lambda: raised, 100_000)
    await ada.emit("ask", 60, namespace=GAME)
    for _ in range(2):
        assert (await ada.hear_text()).startswith("2/game,")
    await ada.cut()
    await until(lambda: len(raised) == 2, 100_000)
    assert raised == [TimeoutError, SocketGone]


async def test_so_many_calls_may_wait(
    game: Namespace, sockets: list[Socket], open_talk: OpenTalk
) -> None:
    """More is refused; what was answered makes room."""
    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    async with asyncio.TaskGroup() as group:
        for _ in range(MOST_CALLS):
            group.create_task(sockets[0].call("question"))
        await asyncio.sleep(0)
        with pytest.raises(Refusal, match="64 calls wait"):
            await sockets[0].call("question")
        for number in range(MOST_CALLS):
            await ada.say(f"3/game,{number}[]")
    with pytest.raises(ValueError, match="reserved"):
        await sockets[0].emit("disconnect")


async def test_who_comes_in_is_asked_in_order(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """Middleware, then the connect handler; each may refuse, with its reasons."""
    asked = []

    @game.use
    async def first(socket: Socket, auth: dict[str, JSON]) -> None:
        asked.append("first")
        if auth.get("token") != "ok":
            raise ConnectRefused("who are you?", {"hint": "token"})
        socket.stash["user"] = "ada"

    @game.use
    def second(socket: Socket, auth: dict[str, JSON]) -> None:
        asked.append("second")

    @game.on("connect")
    async def came(socket: Socket, auth: dict[str, JSON]) -> None:
        asked.append(f"came {socket.stash['user']} {socket.auth} {socket.who.id}")

    talk = await open_talk([game])
    ada = await talk.talker()
    await ada.say("0/game,")
    assert await ada.hear() == (
        '4/game,{"message":"who are you?","data":{"hint":"token"}}'
    )
    assert asked == ["first"]
    await ada.connect(GAME, {"token": "ok"})
    assert asked[1:] == ["first", "second", "came ada {'token': 'ok'} g_1"]


async def test_a_failed_connect_handler_lets_nobody_in(
    game: Namespace, open_talk: OpenTalk, caplog: pytest.LogCaptureFixture
) -> None:
    """And its words stay in the log; a refusal's are told."""

    @game.use
    async def check(socket: Socket, auth: dict[str, JSON]) -> None:
        if auth:
            raise Refusal(LIMIT_EXCEEDED)
        raise ZeroDivisionError("a secret")

    talk = await open_talk([game])
    ada = await talk.talker()
    await ada.say("0/game,")
    assert await ada.hear() == '4/game,{"message":"internal error"}'
    await ada.say('0/game,{"a":1}')
    assert await ada.hear() == (
        '4/game,{"message":"limit exceeded","data":{"code":106,"temporary":false}}'
    )
    assert "a secret" in caplog.text
    assert len(caplog.records) == 1


async def test_what_a_connect_handler_tells_comes_behind_the_answer(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """The first of it lets the client in; refused afterwards, it is sent out."""

    @game.on("connect")
    async def came(socket: Socket, auth: dict[str, JSON]) -> None:
        await socket.join("lobby", presence=True)
        await socket.emit("welcome", "text")
        if auth:
            raise ConnectRefused("no")

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    heard = [await ada.event(GAME) for _ in range(3)]
    assert [event[0] for event in heard] == ["joined", "join", "welcome"]
    assert heard[0][2] == "game:lobby=epoch1.0"
    assert heard[2][1:] == ["text", "game:lobby=epoch1.0"]
    bob = await talk.talker()
    await bob.connect(GAME, {"a": 1})
    assert (await bob.event(GAME))[0] == "joined"
    while (packet := await bob.hear_text()) != "1/game,":
        assert packet.startswith("2/game,")
    assert len(talk.hub.channels["game:lobby"].subscriptions) == 1


async def test_rooms_by_the_server(game: Namespace, open_talk: OpenTalk) -> None:
    """A handler takes the place of the event, as for `join`; the kind is asked too."""

    @game.on("join")
    async def join(socket: Socket, room: str) -> list[str]:
        if room == "secret":
            raise Refusal(LIMIT_EXCEEDED.because("not you"))
        await socket.join(room)
        return list(socket.rooms)

    @game.on("leave")
    async def leave(socket: Socket, room: str) -> list[str]:
        await socket.leave(room)
        return list(socket.rooms)

    @game.on("move")
    async def move(socket: Socket, square: JSON) -> object:
        position = await socket.publish("table", "moved", {"to": square}, key="k1")
        await socket.signal("table", "hint", square)
        return str(position)

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    for number, (room, code) in enumerate([("secret", 106), ("lab-g_9", 103)]):
        await ada.emit("join", room, namespace=GAME, ack=number)
        (words,) = await ada.ack(number, GAME)
        assert isinstance(words, dict)
        assert words["code"] == code
    await ada.emit("join", "table", namespace=GAME, ack=2)
    assert (await ada.event(GAME))[0] == "joined"
    assert await ada.ack(2, GAME) == [["table"]]
    await ada.emit("move", "e4", namespace=GAME, ack=3)
    heard = sorted([await ada.hear_text() for _ in range(3)])
    assert [each[:16] for each in heard] == [
        '2/game,["hint",{',
        '2/game,["moved",',
        '3/game,3["epoch1',
    ]
    await ada.emit("leave", "table", namespace=GAME, ack=4)
    assert await ada.event(GAME) == ["recovery", ""]
    assert await ada.ack(4, GAME) == [[]]


async def test_emitting_to_a_room_publishes(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """By the server, in the room's order and history; volatile it is a signal."""
    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    await ada.join("table", GAME)
    position = await game.to("table").emit("moved", {"to": "e4"}, key="once")
    assert (
        await game.to("game:table").emit("moved", {"to": "e4"}, key="once") == position
    )
    name, payload, place = await ada.event(GAME)
    assert isinstance(payload, dict)
    assert (name, payload["data"], place) == (
        "moved",
        {"to": "e4"},
        "game:table=epoch1.1",
    )
    assert "from" not in payload
    assert await game.to("table").volatile.emit("cursor", 5) is None
    name, payload = await ada.event(GAME)
    assert isinstance(payload, dict)
    assert (name, payload["data"]) == ("cursor", 5)
    with pytest.raises(Refusal):
        game.to("chat:lobby")


async def test_the_end_is_told_once_with_its_reason(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """After the handler that is at work; not for one who never came in."""
    gone, gate = [], asyncio.Event()

    @game.use
    async def check(socket: Socket, auth: dict[str, JSON]) -> None:
        if auth:
            raise ConnectRefused("no")

    @game.on("wait")
    async def wait(socket: Socket) -> None:
        await gate.wait()
        gone.append("waited")

    @game.on("out")
    async def out(socket: Socket) -> None:
        await socket.disconnect()

    @game.on("disconnect")
    async def went(socket: Socket, reason: str) -> None:
        gone.append(reason)

    talk = await open_talk([game])
    refused = await talk.talker()
    await refused.say('0/game,{"a":1}')
    await refused.hear()
    await refused.cut()
    ada, _ = await talk.connected(GAME)
    await ada.say("1/game,")
    await until(lambda: gone, 100_000)
    await ada.connect(GAME)
    await ada.emit("out", namespace=GAME)
    assert await ada.hear() == "1/game,"
    await ada.emit("out", namespace=GAME)
    await ada.say("1/game,")
    await ada.connect(GAME)
    await ada.emit("wait", namespace=GAME)
    await until(lambda: len(gone) == 2, 100_000)
    await ada.cut()
    await until(lambda: not talk.hub.sessions, 100_000)
    assert gone == ["client namespace disconnect", "server namespace disconnect"]
    gate.set()
    await until(lambda: len(gone) == 4, 100_000)
    assert gone[2:] == ["waited", "transport close"]


async def test_what_was_said_before_the_end_is_handled(
    game: Namespace, open_talk: OpenTalk
) -> None:
    """Ten events and then the end, as `emit` ten times and `disconnect()`: all ten."""
    done: list[object] = []
    gate = asyncio.Event()

    @game.on("note")
    async def note(socket: Socket, number: int) -> None:
        await gate.wait()
        done.append(number)

    @game.on("disconnect")
    async def went(socket: Socket, reason: str) -> None:
        done.append(reason)

    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    for number in range(10):
        await ada.emit("note", number, namespace=GAME)
    await ada.say("1/game,")
    await ada.ws.close()
    await until(lambda: not talk.hub.sessions, 100_000)
    gate.set()
    await until(lambda: len(done) == 11, 100_000)
    assert done[:10] == list(range(10))


async def test_a_socket_that_is_gone_tells_nothing(
    game: Namespace, sockets: list[Socket], open_talk: OpenTalk
) -> None:
    """Its application is told by an exception."""
    talk = await open_talk([game])
    ada, _ = await talk.connected(GAME)
    await ada.cut()
    await until(lambda: not talk.hub.sessions, 100_000)
    (socket,) = sockets
    with pytest.raises(SocketGone):
        await socket.emit("x")
    with pytest.raises(SocketGone):
        await socket.call("x")
    with pytest.raises(SocketGone):
        await socket.join("a")
    await socket.disconnect()
    assert socket.rooms == ()
