"""`/socket.io/`: what is refused before it reaches a session."""

from __future__ import annotations

import json

import pytest

from tests.gateways.peers import RawPeer
from tests.gateways.socketio.conftest import OpenHouse
from tests.gateways.socketio.engine_peers import POLL, WEBSOCKET, EchoHouse
from tests.looptime import until

UNKNOWN_TRANSPORT = {"code": 0, "message": "Transport unknown"}
UNKNOWN_SID = {"code": 1, "message": "Session ID unknown"}
BAD_METHOD = {"code": 2, "message": "Bad handshake method"}
BAD_REQUEST = {"code": 3, "message": "Bad request"}
BAD_VERSION = {"code": 5, "message": "Unsupported protocol version"}


@pytest.mark.parametrize(
    ("method", "query", "words"),
    [
        ("GET", "", UNKNOWN_TRANSPORT),
        ("GET", "?EIO=4", UNKNOWN_TRANSPORT),
        ("GET", "?EIO=4&transport=webtransport", UNKNOWN_TRANSPORT),
        ("GET", "?EIO=4&transport=__proto__", UNKNOWN_TRANSPORT),
        ("GET", "?EIO=3&transport=polling", BAD_VERSION),
        ("GET", "?EIO=3&transport=polling&b64=1", BAD_VERSION),
        ("GET", "?EIO=44&transport=websocket", BAD_VERSION),
        ("GET", "?transport=polling", BAD_VERSION),
        ("GET", "?EIO=4&transport=polling&j=0", BAD_REQUEST),
        ("GET", "?EIO=4&transport=websocket", BAD_REQUEST),
        ("GET", "?EIO=4&transport=polling&sid=nobody", UNKNOWN_SID),
        ("GET", "?EIO=4&transport=websocket&sid=nobody", UNKNOWN_SID),
        ("POST", "?EIO=4&transport=polling&sid=nobody", UNKNOWN_SID),
        ("GET", "?EIO=4&transport=polling&sid=__proto__", UNKNOWN_SID),
        ("POST", "?EIO=4&transport=polling", BAD_METHOD),
        ("POST", "?EIO=4&transport=polling&sid=", BAD_METHOD),
        ("PUT", "?EIO=4&transport=polling", BAD_METHOD),
        ("DELETE", "?EIO=4&transport=polling", BAD_METHOD),
    ],
)
async def test_what_is_refused(
    house: EchoHouse, method: str, query: str, words: dict[str, object]
) -> None:
    """With 400 and engine.io's own JSON; no session is made."""
    async with house.client.request(method, f"/socket.io/{query}") as answer:
        assert answer.status == 400
        assert answer.content_type == "application/json"
        assert await answer.json() == words
    assert not house.peers
    assert len(house.front) == 0


async def test_a_head_makes_no_session(house: EchoHouse) -> None:
    """Whoever looks whether there is something does not leave anything behind."""
    async with house.client.head(POLL) as answer:
        assert answer.status == 400
    assert not house.peers


async def test_options_are_answered(house: EchoHouse) -> None:
    """With nothing; what a foreign page may do is not said here."""
    async with house.client.options(POLL) as answer:
        assert answer.status == 204
    assert not house.peers


async def test_the_last_slash_may_be_missing(house: EchoHouse) -> None:
    """As clients with `addTrailingSlash: false` ask."""
    async with house.client.get("/socket.io?EIO=4&transport=polling") as answer:
        assert answer.status == 200


async def test_base64_clients_are_welcome(house: EchoHouse) -> None:
    """`forceBase64` of a stock client says `b64=1`: 4 has base64 where it must."""
    async with house.client.get(POLL + "&b64=1") as answer:
        assert answer.status == 200
    peer = await RawPeer.connect(house.port, WEBSOCKET + "&b64=1")
    assert (await peer.receive())[1][:1] == b"0"
    peer.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_a_session_is_not_harmed_by_other_methods(
    house: EchoHouse, method: str
) -> None:
    """They are refused."""
    sid = await house.handshake()
    async with house.client.request(method, f"{POLL}&sid={sid}") as answer:
        assert answer.status == 400
    assert await house.post(sid, "4hello") == (200, "ok")


async def test_mixed_transports_are_refused(house: EchoHouse) -> None:
    """Polling for a session with a WebSocket, and a WebSocket that is none."""
    socket = await house.opened_socket()
    sid = str(socket.open_packet["sid"])
    for status, text in (await house.poll(sid), await house.post(sid, "4no")):
        assert (status, json.loads(text)) == (400, BAD_REQUEST)
    polling = await house.handshake()
    async with house.client.get(f"{WEBSOCKET}&sid={polling}") as answer:
        assert (answer.status, await answer.json()) == (400, BAD_REQUEST)
    await socket.say("4hello")
    assert await socket.hear() == "4hello"
    assert await house.post(polling, "4hello") == (200, "ok")


async def test_an_id_cannot_be_guessed(house: EchoHouse) -> None:
    """Two random ids of the hub, 80 bits each; a part of one is nobody's."""
    sid = await house.handshake()
    assert len(sid) == 32
    for guess in (sid[:-1], sid[:16], sid.upper() + "x", sid + sid):
        status, text = await house.poll(guess)
        assert (status, json.loads(text)) == (400, UNKNOWN_SID)
    assert house.peer.session.id not in sid


async def test_a_node_among_many_says_what_is_needed(open_house: OpenHouse) -> None:
    """A polling request that reached the wrong one: sticky sessions, or WebSocket."""
    house = await open_house(is_alone=False)
    status, text = await house.poll("elsewhere")
    words = json.loads(text)
    hint = words.pop("hint")
    assert (status, words) == (400, UNKNOWN_SID)
    assert "sticky sessions" in hint
    assert 'transports: ["websocket"]' in hint


async def test_a_thousand_handshakes_leave_nothing(house: EchoHouse) -> None:
    """Each ends like any other."""
    sids = [await house.handshake() for _ in range(1_000)]
    assert len(set(sids)) == len(house.front) == 1_000
    for sid in sids:
        await house.post(sid, "1")
        await house.poll(sid)
    await until(lambda: not house.hub.sessions, 100_000)
    assert len(house.front) == 0
