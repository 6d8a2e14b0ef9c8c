"""The published cases of Socket.IO v5, each at the wire's level.

As in docs/socket.io-protocol/v5-test-suite of socketio/socket.io, in our words; those
of Engine.IO are in test_engine_cases.
"""

from __future__ import annotations

import json

import pytest

from server.errors import CLOSED, INVALID
from server.gateways.socketio.namespace import Namespace
from server.gateways.socketio.receiver import CONNECT_TIMEOUT_S
from server.gateways.socketio.socket import Socket
from server.settings import Settings
from tests.gateways.socketio.talk import OpenTalk, Talk, Talker
from tests.looptime import LoopTime


def the_suites_handlers(name: str) -> Namespace:
    """Return a namespace that does what the suite asks of a server."""
    namespace = Namespace(name, recovery=False)

    @namespace.on("connect")
    async def came(socket: Socket, auth: dict[str, object]) -> None:
        await socket.emit("auth", auth)

    @namespace.on("message")
    async def said(socket: Socket, *arguments: object) -> None:
        await socket.emit("message-back", *arguments)

    @namespace.on("message-with-ack")
    async def asked(socket: Socket, *arguments: object) -> tuple[object, ...]:
        return arguments

    return namespace


@pytest.fixture
async def suite(open_talk: OpenTalk) -> Talk:
    """A server as the suite expects it."""
    return await open_talk([the_suites_handlers("/"), the_suites_handlers("/custom")])


@pytest.fixture
async def talker(suite: Talk) -> Talker:
    """A client of it, connected to the main namespace."""
    talker, _ = await suite.connected()
    assert await talker.event() == ["auth", {}]
    return talker


# connect


@pytest.mark.parametrize(
    ("sent", "head", "event"),
    [
        ("0", "0", '2["auth",{}]'),
        ('0{"token":"123"}', "0", '2["auth",{"token":"123"}]'),
        ("0/custom,", "0/custom,", '2/custom,["auth",{}]'),
        ("0/custom", "0/custom,", '2/custom,["auth",{}]'),
        (
            '0/custom,{"token":"abc"}',
            "0/custom,",
            '2/custom,["auth",{"token":"abc"}]',
        ),
    ],
    ids=["main", "main with payload", "custom", "without comma", "with payload"],
)
async def test_a_namespace_is_connected_to(
    suite: Talk, sent: str, head: str, event: str
) -> None:
    """It is answered with the socket's id and no more; what auth says gets through."""
    talker = await suite.talker()
    await talker.say(sent)
    answer = await talker.hear_text()
    assert answer.startswith(head)
    words = json.loads(answer.removeprefix(head))
    assert list(words) == ["sid"]
    assert isinstance(words["sid"], str)
    assert await talker.hear() == event


async def test_an_unknown_namespace_is_refused(suite: Talk) -> None:
    """In the reference server's words; the connection stays."""
    talker = await suite.talker()
    await talker.say("0/random")
    assert await talker.hear() == '4/random,{"message":"Invalid namespace"}'
    assert await talker.connect()


async def test_a_connection_that_begins_with_nonsense_is_closed(suite: Talk) -> None:
    """No packet begins like that."""
    talker = await suite.talker()
    await talker.say("abc")
    assert (await talker.end()).code == INVALID.code


async def test_who_connects_to_no_namespace_is_closed(suite: Talk) -> None:
    """After the connect timeout, also if it answers all pings."""
    time = LoopTime()
    talker = await suite.talker()
    passed = 0.0
    while passed < CONNECT_TIMEOUT_S - 1:
        await time.advance(1.0)
        await talker.ws.send_str("3")
        passed += 1.0
    assert len(suite.hub.sessions) == 1
    await time.advance(2.0)
    assert not suite.hub.sessions
    closed = await talker.end()
    assert (closed.code, talker.pings) == (CLOSED.code, 1)


async def test_who_connected_in_time_is_not(suite: Talk) -> None:
    """Not even where it has left all namespaces since."""
    time = LoopTime()
    talker, _ = await suite.connected()
    await talker.say("1")
    session = next(iter(suite.hub.sessions.values()))
    for _ in range(50):
        await time.advance(1.0)
        await talker.ws.send_str("3")
    assert not session.closed


# disconnect


async def test_the_main_namespace_is_left(open_talk: OpenTalk) -> None:
    """The connection stays: the next thing that comes is a ping."""
    suite = await open_talk(
        [the_suites_handlers("/")], Settings(ping_interval_s=0.3, ping_timeout_s=0.2)
    )
    talker, _ = await suite.connected()
    assert await talker.event() == ["auth", {}]
    await talker.say("1")
    message = await talker.ws.receive_str(timeout=5)
    assert message == "2"


async def test_a_custom_namespace_is_left(talker: Talker) -> None:
    """The main one goes on."""
    await talker.connect("/custom")
    assert await talker.event("/custom") == ["auth", {}]
    await talker.say("1/custom")
    await talker.say('2["message","message to main namespace"]')
    assert await talker.hear() == '2["message-back","message to main namespace"]'


# message


async def test_a_plain_text_packet(talker: Talker) -> None:
    """Its arguments come as they are."""
    await talker.say('2["message",1,"2",{"3":[true]}]')
    assert await talker.hear() == '2["message-back",1,"2",{"3":[true]}]'


TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def test_a_packet_with_binary_attachments(talker: Talker) -> None:
    """The attachments follow their packet, each in a frame of its own."""
    await talker.say(f'52-["message",{TWO}]')
    await talker.attach(b"\1\2\3")
    await talker.attach(b"\4\5\6")
    heard = [await talker.hear() for _ in range(3)]
    assert heard == [f'52-["message-back",{TWO}]', b"\1\2\3", b"\4\5\6"]


async def test_a_plain_text_packet_with_an_ack(talker: Talker) -> None:
    """What the handler returns is the acknowledgement."""
    await talker.say('2456["message-with-ack",1,"2",{"3":[false]}]')
    assert await talker.hear() == '3456[1,"2",{"3":[false]}]'


async def test_a_packet_with_binary_attachments_and_an_ack(talker: Talker) -> None:
    """The acknowledgement has attachments, too."""
    await talker.say(f'52-789["message-with-ack",{TWO}]')
    await talker.attach(b"\1\2\3")
    await talker.attach(b"\4\5\6")
    heard = [await talker.hear() for _ in range(3)]
    assert heard == [f"62-789[{TWO}]", b"\1\2\3", b"\4\5\6"]


@pytest.mark.parametrize(
    "packet",
    ["abc", "2{}", '2abc["message-with-ack",1,"2",{"3":[false]}]'],
    ids=["unknown type", "payload", "ack id"],
)
async def test_an_invalid_packet_closes_the_connection(
    talker: Talker, packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After what came before it; nothing of it is logged."""
    await talker.say('2["message","before"]')
    await talker.say(packet)
    assert await talker.hear() == '2["message-back","before"]'
    assert await talker.event() == ["closing", {"code": 3501, "reason": "bad request"}]
    assert await talker.hear() == "1"
    assert (await talker.end()).code == INVALID.code
    assert caplog.text == ""
