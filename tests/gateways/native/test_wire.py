from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from server.errors import (
    FORCED,
    INVALID,
    SHUTDOWN,
    TOO_MANY_ERRORS,
)
from server.gateways.native.handler import MAX_ERRORS
from tests.gateways.conftest import Place
from tests.gateways.peers import RawPeer
from tests.hub.outage import cut_off, reunite
from tests.looptime import until

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text("utf-8"))


async def test_the_golden_frames(place: Place) -> None:
    """What docs/reference/native-wire.md specifies, frame by frame."""
    sockets: dict[str, ClientWebSocketResponse] = {}
    for step in GOLDEN:
        if "route" in step:
            sockets[step["to"]] = await place.connect(step["route"])
        elif "to" in step:
            await sockets[step["to"]].send_json(step["frame"])
        else:
            received = await sockets[step["from"]].receive_json(timeout=5)
            assert received == step["frame"], step


async def test_two_sockets_in_ten_lines(place: Place) -> None:
    """As the README shows it."""
    ada = await place.client.ws_connect("/ws/chat/lobby")
    bob = await place.client.ws_connect("/ws/chat/lobby")
    assert (await ada.receive_json())["type"] == "reply"
    assert (await bob.receive_json())["type"] == "reply"
    await ada.send_json({"type": "publish", "data": {"text": "Hello"}})
    for socket in (ada, bob):
        event = await socket.receive_json()
        assert event["data"]["text"] == "Hello"
        assert event["from"]["name"] == "Ada"


async def say(socket: ClientWebSocketResponse, text: str | bytes) -> None:
    """Send a text frame as it is, even if it is no text."""
    raw = text if isinstance(text, bytes) else text.encode()
    await socket.send_frame(raw, WSMsgType.TEXT)


BAD = {
    "empty": b"",
    "no JSON": b"hello",
    "half an object": b'{"type":"ping"',
    "two objects": b"{}{}",
    "not an object": b"[1,2]",
    "a number": b"1",
    "no type": b'{"id":1}',
    "NaN": b'{"type":"publish","channel":"open:a","data":NaN}',
    "Infinity": b'{"type":"publish","channel":"open:a","data":-Infinity}',
    "huge number": b'{"type":"publish","channel":"open:a","data":1e999}',
    "huge integer": b'{"type":"publish","channel":"open:a","data":9223372036854775808}',
    "lone surrogate": b'{"type":"publish","channel":"open:a","data":"\\ud800"}',
    "surrogate in a name": b'{"type":"signal","channel":"open:a","data":{"\\udc00":1}}',
    "U+0000": b'{"type":"publish","channel":"open:a","data":"a\\u0000b"}',
    "not UTF-8": b'{"type":"publish","channel":"open:a","data":"\xff\xfe"}',
    "depth 33": b'{"type":"publish","channel":"open:a","data":'
    + b"[" * 32
    + b"]" * 32
    + b"}",
    "endless depth": b"[" * 60_000,
    "type of another type": b'{"type":7}',
    "channel of another type": b'{"type":"subscribe","channel":["open:a"]}',
    "since of another type": b'{"type":"subscribe","channel":"open:a","since":1}',
    "no position": b'{"type":"subscribe","channel":"open:a","since":"x"}',
    "id zero": b'{"type":"ping","id":0}',
    "negative id": b'{"type":"ping","id":-1}',
    "id too large": b'{"type":"ping","id":9007199254740992}',
    "text as id": b'{"type":"ping","id":"1"}',
    "long event": b'{"type":"publish","channel":"open:a","event":"' + b"e" * 65 + b'"}',
    "no event": b'{"type":"publish","channel":"open:a","event":""}',
    "bad key": b'{"type":"publish","channel":"open:a","data":1,"key":"a b"}',
    "bad signal key": b'{"type":"signal","channel":"open:a","data":1,"key":""}',
    "bad limit": b'{"type":"history","channel":"open:a","limit":"all"}',
    "text as presence": b'{"type":"subscribe","channel":"open:a","presence":"yes"}',
}


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD.keys())
async def test_a_bad_frame_is_answered_and_harms_nobody(
    place: Place, frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """With a clear error; the sender goes on, and the other gets the next message."""
    reader = await place.connect("/ws/open/a")
    await reader.receive_json(timeout=5)
    socket = await place.connect()
    await say(socket, frame)
    error = await socket.receive_json(timeout=5)
    assert (error["type"], error["code"]) == ("error", 107)
    assert error["message"].startswith("bad request: ")
    await socket.send_json({"type": "publish", "channel": "open:a", "data": "next"})
    event = await reader.receive_json(timeout=5)
    assert (event["data"], event["position"]) == ("next", "epoch1.1")
    assert caplog.text == "", "nothing of it is logged"


BAD_NAMES = [
    "",
    "open",
    "open:",
    "open:a b",
    "open:A",
    "open:é",
    "OPEN:a",
    "x:y",
    "open:a\n",
]


@pytest.mark.parametrize("channel", BAD_NAMES)
async def test_a_bad_name_is_an_unknown_channel(place: Place, channel: str) -> None:
    """For every command; byte for byte the same for all of them."""
    socket = await place.connect()
    for kind in ("subscribe", "publish", "signal", "history", "presence"):
        command = {"type": kind, "channel": channel, "data": 1, "id": 1}
        await socket.send_json(command)
        error = await socket.receive_json(timeout=5)
        code = 107 if channel == "" else 102
        assert (error["id"], error["code"]) == (1, code)


async def test_depth_32_is_taken(place: Place) -> None:
    """It comes back as it was, and so do the greatest numbers and other scripts."""
    socket = await place.connect("/ws/open/a")
    await socket.receive_json(timeout=5)
    nested: object = None
    for _ in range(31):
        nested = [nested]
    for content in (nested, [2**63 - 1, -(2**63), 0.1, "\u2028 \U0001f600 [[[[" * 9]):
        await socket.send_json({"type": "publish", "data": content})
        assert (await socket.receive_json(timeout=5))["data"] == content


async def test_an_oversized_frame_is_closed_with_1009(place: Place) -> None:
    """And nobody else is affected."""
    reader, socket = await place.connect("/ws/open/a"), await place.connect()
    await reader.receive_json(timeout=5)
    await say(socket, b'{"type":"ping","data":"' + b"x" * 65_536 + b'"}')
    closed = await socket.receive(timeout=5)
    assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1009)
    await place.hub.publish("open:a", 1)
    assert (await reader.receive_json(timeout=5))["data"] == 1


async def test_a_binary_frame_is_refused(place: Place) -> None:
    """The native wire is text; its sender need not come back."""
    socket = await place.connect()
    await socket.send_bytes(b"\0\1")
    closed = await socket.receive(timeout=5)
    assert (closed.data, closed.extra) == (INVALID.code, INVALID.reason)


async def test_a_hundred_errors_in_a_row_end_the_session(place: Place) -> None:
    """Each was answered; a good one in between begins the count anew."""
    socket = await place.connect()
    for _ in range(2):
        for _ in range(MAX_ERRORS - 1):
            await say(socket, "nonsense")
        await socket.send_json({"type": "ping"})
    for _ in range(MAX_ERRORS):
        await say(socket, "nonsense")
    kinds = []
    while (message := await socket.receive(timeout=5)).type is WSMsgType.TEXT:
        kinds.append(json.loads(message.data)["type"])
    assert kinds.count("error") == 3 * MAX_ERRORS - 2
    assert kinds.count("pong") == 2
    assert (message.data, message.extra) == (
        TOO_MANY_ERRORS.code,
        TOO_MANY_ERRORS.reason,
    )


async def test_the_farewell_comes_behind_what_waited(place: Place) -> None:
    """Also where the client goes on talking."""
    socket = await place.connect("/ws/open/a")
    for number in range(50):
        await place.hub.publish("open:a", "x" * 5_000)
        await socket.send_json({"type": "ping", "id": number + 1})
    place.hub.disconnect_all(FORCED)
    await socket.send_json({"type": "ping"})
    events = 0
    while (message := await socket.receive(timeout=5)).type is WSMsgType.TEXT:
        events += '"event"' in message.data
    assert events >= 50
    assert message.data == FORCED.code


async def test_a_shutdown_is_told_to_all(place: Place) -> None:
    """With 3001: come back, each at a time of its own."""
    sockets = [await place.connect() for _ in range(5)]
    async with asyncio.timeout(5):
        closing = asyncio.Task(place.hub.send_away())
        messages = [await socket.receive() for socket in sockets]
        await closing
    assert [message.data for message in messages] == [SHUTDOWN.code] * 5
    assert {message.extra for message in messages} == {
        f"shutdown; retry {1_000 + 4 * each} ms" for each in range(5)
    }


async def test_a_route_resumes_by_its_query(place: Place) -> None:
    """`since` brings what was missed; presence is asked for there too."""
    await place.hub.publish("open:a", 1)
    await place.hub.publish("open:a", 2)
    socket = await place.connect("/ws/open/a?since=epoch1.1&presence=1")
    reply = await socket.receive_json(timeout=5)
    assert reply["recovered"]
    assert [each["data"] for each in reply["publications"]] == [2]
    assert [each["id"] for each in reply["presence"]] == ["g_1"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws/open/a?since=x", 400),
        ("/ws/open/A%20b", 404),
        ("/ws/open/" + "a" * 65, 404),
        ("/ws/nokind/a", 404),
    ],
)
async def test_what_can_never_be_is_refused_before_the_upgrade(
    place: Place, path: str, status: int
) -> None:
    """In HTTP's words."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    response = await place.client.get(path, headers=upgrade)
    assert response.status == status
    assert place.hub.sessions == {}


async def test_a_route_that_may_not_be_joined_is_closed(place: Place) -> None:
    """After the reason; there is nothing to come back to."""
    socket = await place.connect("/ws/open/lab-g_99")
    error = await socket.receive_json(timeout=5)
    assert error["code"] == 103
    assert (await socket.receive(timeout=5)).data == 3507


async def test_text_is_a_message_in_chat(place: Place) -> None:
    """What is no JSON object, on the chat routes alone."""
    socket = await place.connect("/ws/chat")
    assert (await socket.receive_json(timeout=5))["channel"] == "chat:lobby"
    for text in ("hello", "[1]", "12", '"quoted"', "naïve \U0001f600"):
        await say(socket, text)
        assert (await socket.receive_json(timeout=5))["data"]["text"] == text
    await socket.send_json({"type": "publish", "data": {"text": "as a command"}})
    assert (await socket.receive_json(timeout=5))["data"]["text"] == "as a command"
    for raw in (b'{"type":"pub', b"\xff", b"a\0b"):
        await say(socket, raw)
        assert (await socket.receive_json(timeout=5))["code"] == 107


async def test_the_lessons_client_needs_only_text(place: Place) -> None:
    """One greeting, then each message to everybody, the sender too."""
    ada = await place.connect("/ws/chat/tea?format=text")
    bob = await place.connect("/ws/chat/tea?format=text")
    for socket in (ada, bob):
        assert (await socket.receive_str(timeout=5)).startswith("Welcome to tea.")
    await ada.send_str('{"type":"publish"}')
    for socket in (ada, bob):
        assert await socket.receive_str(timeout=5) == 'Ada: {"type":"publish"}'
    await say(bob, b"\xff\xfe")
    refused = await bob.receive_str(timeout=5)
    assert refused == "Not sent: bad request: not UTF-8"
    await bob.send_str("hi")
    assert await ada.receive_str(timeout=5) == "Bob: hi"


async def test_many_channels_on_one_socket(place: Place) -> None:
    """A hundred, each with its own order; one more is refused."""
    socket = await place.connect()
    for number in range(101):
        command = {"type": "subscribe", "channel": f"open:c{number}", "id": number + 1}
        await socket.send_json(command)
    replies = [await socket.receive_json(timeout=5) for _ in range(101)]
    assert [each["type"] for each in replies] == ["reply"] * 100 + ["error"]
    assert replies[-1]["code"] == 106
    for content in range(3):
        for number in range(100):
            await place.hub.publish(f"open:c{number}", content)
    events = [await socket.receive_json(timeout=5) for _ in range(300)]
    for number in range(100):
        of_it = [each for each in events if each["channel"] == f"open:c{number}"]
        assert [each["data"] for each in of_it] == [0, 1, 2]


async def test_leaving_one_channel_leaves_the_others(place: Place) -> None:
    """Nothing more comes of it."""
    socket = await place.connect()
    for channel in ("open:a", "open:b"):
        await socket.send_json({"type": "subscribe", "channel": channel})
        await socket.receive_json(timeout=5)
    await socket.send_json({"type": "unsubscribe", "channel": "open:a", "id": 1})
    assert (await socket.receive_json(timeout=5))["id"] == 1
    await place.hub.publish("open:a", 1)
    await place.hub.publish("open:b", 2)
    assert (await socket.receive_json(timeout=5))["channel"] == "open:b"


async def test_who_goes_while_joining_leaves_no_session(place: Place) -> None:
    """Its first subscription is given up, and not waited for."""
    await place.hub.publish("open:a", 1)
    place.log.read_gate.clear()
    assert place.client.port is not None
    peer = await RawPeer.connect(place.client.port, "/ws/open/a")
    await until(lambda: "open:a" in place.hub.channels)
    channel = place.hub.channels["open:a"]
    await until(lambda: channel.subscriptions)
    peer.close()
    await until(lambda: not place.hub.sessions, 20_000)
    assert not channel.subscriptions
    place.log.read_gate.set()


async def test_an_outage_is_told_and_what_cannot_be_kept_is_refused(
    place: Place,
) -> None:
    """Once to each subscriber, and to who comes meanwhile; then that it is over."""
    ann = await place.connect("/ws/open/a")
    await ann.receive_json(timeout=5)
    cut_off(place.hub)
    bob = await place.connect("/ws/open/a")
    assert (await bob.receive_json(timeout=5))["type"] == "reply"
    for socket in (ann, bob):
        assert await socket.receive_json(timeout=5) == {"type": "status", "live": False}
    await ann.send_json({"type": "publish", "data": 1, "id": 1})
    refused = await ann.receive_json(timeout=5)
    assert (refused["code"], refused["temporary"]) == (108, True)
    reunite(place.hub)
    for socket in (ann, bob):
        assert await socket.receive_json(timeout=5) == {"type": "status", "live": True}
    await ann.send_json({"type": "publish", "data": 1, "id": 2})
    assert (await ann.receive_json(timeout=5))["position"] == "epoch1.1"
