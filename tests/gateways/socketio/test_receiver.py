from __future__ import annotations

import asyncio

import pytest

from server.errors import FORCED, SHUTDOWN, TOO_MANY_ERRORS
from server.gateways.socketio.entrance import MAX_NAMESPACES
from server.gateways.socketio.namespace import Namespace
from server.gateways.socketio.receiver import MAX_ERRORS
from server.gateways.socketio.socket import Socket
from server.model import JSON, Event
from tests.gateways.socketio.talk import OpenTalk, Talk
from tests.hub.outage import cut_off, reunite
from tests.looptime import until

POSITION = "epoch1.1"


def error(found: list[JSON]) -> tuple[object, object]:
    """Return an error's code and message."""
    (words,) = found
    assert isinstance(words, dict)
    assert words["type"] == "error"
    return words["code"], words["message"]


async def test_join_say_and_be_told(talk: Talk) -> None:
    """In the order of the channel; the acknowledgement is the native reply."""
    ada, _ = await talk.connected()
    bob, _ = await talk.connected()
    for talker in (ada, bob):
        reply, place = await talker.join("tea")
        assert (reply["type"], reply["channel"]) == ("reply", "open:tea")
        assert place == "open:tea=epoch1.0"
    await ada.emit("message", {"channel": "tea", "data": {"n": 1}}, ack=1)
    name, payload, place_after = await bob.event()
    assert (name, place_after) == ("message", "open:tea=epoch1.1")
    assert isinstance(payload, dict)
    assert payload["data"] == {"n": 1}
    assert payload["from"] == {"id": "g_1", "name": "G_1"}
    assert (await ada.event())[0] == "message"
    assert await ada.ack(1) == [
        {
            "type": "reply",
            "channel": "open:tea",
            "position": "epoch1.1",
            "durable": False,
        }
    ]


SAYINGS: list[tuple[tuple[JSON, ...], str, JSON]] = [
    (("message", {"channel": "tea", "data": 1}), "message", 1),
    (("message", {"room": "tea", "data": 1}), "message", 1),
    (("message", {"channel": "open:tea", "data": 1}), "message", 1),
    (("message", {"data": None}), "message", None),
    (("message", "bare"), "message", "bare"),
    (("message", [1, 2]), "message", [1, 2]),
    (("move",), "move", None),
    (("move", {"data": 1, "event": "other", "type": "signal"}), "move", 1),
    (("publish", {"data": 1}), "message", 1),
    (("publish", {"channel": "tea", "event": "move", "data": 1}), "move", 1),
    (("__proto__", 1), "__proto__", 1),
    (
        ("toString", {"data": {"__proto__": {"a": 1}}}),
        "toString",
        {"__proto__": {"a": 1}},
    ),
    (("join ", 1), "join ", 1),
]


@pytest.mark.parametrize(("said", "name", "content"), SAYINGS)
async def test_an_event_is_a_publication(
    talk: Talk, said: tuple[JSON, ...], name: str, content: JSON
) -> None:
    """The room may be left out in the only one; what is no object is the data."""
    ada, _ = await talk.connected()
    await ada.join("tea")
    await ada.emit(*said)
    event, payload, _ = await ada.event()
    assert isinstance(payload, dict)
    assert (event, payload["event"], payload["data"]) == (name, name, content)


async def test_a_key_makes_it_idempotent(talk: Talk) -> None:
    """The reply repeats the first position."""
    ada, _ = await talk.connected()
    for number in range(2):
        said: JSON = {"channel": "tea", "data": 1, "key": "once"}
        await ada.emit("message", said, ack=number)
        (reply,) = await ada.ack(number)
        assert isinstance(reply, dict)
        assert (reply["position"], reply["key"]) == (POSITION, "once")


async def test_signals_history_and_presence(talk: Talk) -> None:
    """Commands of the native wire, by their names."""
    ada, _ = await talk.connected()
    await ada.emit("join", {"room": "tea", "presence": True}, ack=0)
    assert await ada.event() == ["recovery", "?"]
    (reply,) = await ada.ack(0)
    assert isinstance(reply, dict)
    assert reply["presence"] == [{"id": "g_1", "name": "G_1", "sessions": 1}]
    await ada.event()
    assert (await ada.event())[0] == "join"
    await ada.emit("signal", {"event": "typing", "data": True, "key": "k"}, ack=1)
    heard = [await ada.hear_text() for _ in range(2)]
    assert any(each.startswith("31[") for each in heard)
    (signal,) = [each for each in heard if each.startswith('2["typing",')]
    assert "position" not in signal
    await ada.emit("message", 1)
    await ada.event()
    await ada.emit("history", "tea", ack=2)
    (page,) = await ada.ack(2)
    assert isinstance(page, dict)
    assert page["position"] == POSITION
    await ada.emit("presence", ack=3)
    (there,) = await ada.ack(3)
    assert isinstance(there, dict)
    assert there["count"] == 1


async def test_leaving_a_room_says_the_place_first(talk: Talk) -> None:
    """Nothing more comes of it; the others go on."""
    ada, _ = await talk.connected()
    await ada.join("a")
    await ada.join("b", ack=1)
    await ada.emit("leave", "a", ack=2)
    assert await ada.event() == ["recovery", "open:b=epoch2.0"]
    assert await ada.ack(2) == [{"type": "reply", "channel": "open:a"}]
    await talk.hub.publish("open:a", 1)
    await talk.hub.publish("open:b", 2)
    _, payload, place = await ada.event()
    assert isinstance(payload, dict)
    assert (payload["data"], place) == (2, "open:b=epoch2.1")


async def test_a_join_without_acknowledgement_is_told_by_an_event(talk: Talk) -> None:
    """Nothing is silent: what the acknowledgement would say, and the place."""
    await talk.hub.publish("open:tea", 1)
    ada, _ = await talk.connected()
    await ada.emit("join", "tea")
    name, reply, place = await ada.event()
    assert (name, place) == ("joined", "open:tea=epoch1.1")
    assert isinstance(reply, dict)
    assert reply["position"] == POSITION


async def test_a_join_with_since_brings_what_was_missed(talk: Talk) -> None:
    """For clients without recovery."""
    for number in range(3):
        await talk.hub.publish("open:tea", number)
    ada, _ = await talk.connected()
    reply, _ = await ada.join({"room": "tea", "since": POSITION})
    assert reply["recovered"] is True
    assert isinstance(reply["publications"], list)
    assert [each["data"] for each in reply["publications"]] == [1, 2]


async def test_namespaces_are_kinds(talk: Talk) -> None:
    """One connection, one session; each namespace its own rooms and its own ids."""
    ada, _ = await talk.connected()
    await ada.connect("/chat")
    await ada.join("lobby")
    await ada.join("lobby", "/chat")
    assert len(talk.hub.sessions) == 1
    await ada.emit("message", {"data": {"text": "hi"}}, namespace="/chat", ack=0)
    event = await ada.event("/chat")
    assert event[2] == "chat:lobby=epoch2.1"
    assert (await ada.ack(0, "/chat"))[0]
    await ada.say("1/chat")
    await ada.emit("message", "still here")
    assert (await ada.event())[0] == "message"
    assert "chat:lobby" not in next(iter(talk.hub.sessions.values())).subscriptions


async def test_presence_gap_and_reset_go_to_their_namespace(talk: Talk) -> None:
    """As events of their own names."""
    ada, _ = await talk.connected("/custom")
    await ada.emit("join", {"room": "a", "presence": True}, namespace="/custom")
    assert (await ada.event("/custom"))[0] == "joined"
    assert (await ada.event("/custom"))[0] == "join"
    bob, _ = await talk.connected("/custom")
    await bob.emit("join", "a", namespace="/custom")
    for wanted in ("join", "leave"):
        name, payload = await ada.event("/custom")
        assert isinstance(payload, dict)
        assert (name, payload["user"]) == (wanted, {"id": "g_2", "name": "G_2"})
        await bob.cut()
    await talk.hub.new_epoch("custom:a")
    name, payload, place = await ada.event("/custom")
    assert (name, place) == ("reset", "custom:a=epoch2.0")


async def test_an_outage_is_told_to_each_namespace(talk: Talk) -> None:
    """Once; also to one that is connected meanwhile."""
    ada, _ = await talk.connected()
    await ada.join("a")
    await ada.connect("/custom")
    cut_off(talk.hub)
    down: list[JSON] = ["status", {"type": "status", "live": False}]
    assert await ada.event() == down
    assert await ada.event("/custom") == down
    await ada.connect("/chat")
    assert await ada.event("/chat") == down
    await ada.emit("message", 1, ack=7)
    assert error(await ada.ack(7))[0] == 108
    reunite(talk.hub)
    for namespace in ("/", "/custom", "/chat"):
        event = await ada.event(namespace)
        assert event == ["status", {"type": "status", "live": True}]


REFUSED: list[tuple[tuple[JSON, ...], str]] = [
    (("message", {"channel": "chat:tea", "data": 1}), "/ has no such room"),
    (("message", {"channel": 7, "data": 1}), "Expected `str | null`, got `int`"),
    (("message", {"text": "hi"}), "data is missing: the payload is {channel, data}"),
    (("message", 1, 2), "an event has one payload"),
    (("message", 1), "channel is missing"),
    (("m" * 65, {"channel": "a", "data": 1}), "event must be 1 to 64 characters"),
    (("join", 7), "the payload must be a room or an object"),
    (("join", {"room": "a", "since": "x"}), "not a position"),
    (("publish", 7), "the payload must be an object"),
    ((7, 1), "the event's name must be a string"),
]


@pytest.mark.parametrize(("said", "reason"), REFUSED)
async def test_a_bad_event_is_answered(
    talk: Talk, said: tuple[JSON, ...], reason: str
) -> None:
    """To its acknowledgement; without one by the event `refused`."""
    ada, _ = await talk.connected()
    await ada.emit(*said, ack=0)
    code, message = error(await ada.ack(0))
    assert code == 107
    assert reason in str(message)
    await ada.emit(*said)
    name, words = await ada.event()
    assert (name, error([words])) == ("refused", (107, message))


async def test_what_the_hub_refuses_is_answered_alike(talk: Talk) -> None:
    """With its code, byte for byte as on the native wire."""
    ada, _ = await talk.connected()
    for number, room in enumerate(("lab-g_99", "NO", "a b")):
        await ada.emit("join", room, ack=number)
        code, _ = error(await ada.ack(number))
        assert code == (103 if number == 0 else 102)
    await ada.emit("join", "lab-g_99")
    name, words = await ada.event()
    assert (name, error([words])) == ("refused", (103, "permission denied"))


async def test_bytes_are_for_kinds_of_bytes(talk: Talk) -> None:
    """Alone as the data of an event; a kind of JSON refuses them."""
    ada, _ = await talk.connected()
    hole = '{"_placeholder":true,"num":0}'
    for number, payload in enumerate(
        (f'{{"channel":"a","data":{hole}}}', f'{{"channel":"a","data":[{hole}]}}', hole)
    ):
        await ada.say(f'51-{number}["message",{payload}]')
        await ada.attach(b"\0")
        assert error(await ada.ack(number))[0] == 107


async def test_a_hundred_refusals_in_a_row_end_the_connection(talk: Talk) -> None:
    """A good event in between begins the count anew."""
    ada, _ = await talk.connected()
    for _ in range(2):
        for _ in range(MAX_ERRORS - 1):
            await ada.emit("message", 1)
        await ada.emit("history", "a")
    for _ in range(MAX_ERRORS):
        await ada.emit("message", 1)
    heard = 0
    while (event := await ada.event())[0] == "refused":
        heard += 1
    assert heard == 3 * MAX_ERRORS - 2
    assert event[0] == "closing"
    assert (await ada.end()).code == TOO_MANY_ERRORS.code


async def test_who_may_come_back_is_not_sent_out(talk: Talk) -> None:
    """So the stock client comes back by itself; each namespace is told why.

    When to, stands in the close frame alone: no stock client reads it.
    """
    ada, _ = await talk.connected()
    await ada.connect("/chat")
    talk.hub.disconnect_all(SHUTDOWN)
    why: list[JSON] = ["closing", {"code": 3001, "reason": "shutdown"}]
    assert await ada.event() == why
    assert await ada.event("/chat") == why
    closed = await ada.end()
    assert (closed.code, closed.reason) == (3001, "shutdown; retry 1000 ms")


async def test_who_may_not_is_sent_out_of_each_namespace(talk: Talk) -> None:
    """So the stock client stays away."""
    ada, _ = await talk.connected()
    await ada.connect("/chat")
    talk.hub.disconnect_all(FORCED)
    assert (await ada.event())[0] == "closing"
    assert await ada.hear() == "1"
    assert (await ada.event("/chat"))[0] == "closing"
    assert await ada.hear() == "1/chat,"
    assert (await ada.end()).code == FORCED.code


async def test_one_encode_for_all_in_one_room(talk: Talk) -> None:
    """A hundred sessions, each with its own other namespaces."""
    talkers = [(await talk.connected())[0] for _ in range(100)]
    for talker in talkers:
        await talker.join("tea")
    before = talk.hub.stats.encodes
    await talk.hub.publish("open:tea", 1)
    for talker in talkers:
        assert (await talker.event())[2] == "open:tea=epoch1.1"
    assert talk.hub.stats.encodes - before == 1


async def test_events_of_one_connection_keep_their_order(open_talk: OpenTalk) -> None:
    """Also where a handler waits, and the next events are not for it."""
    namespace, gate = Namespace("/game"), asyncio.Event()

    @namespace.on("slow")
    async def slow(socket: Socket) -> str:
        await gate.wait()
        return "slow"

    talk = await open_talk([namespace])
    ada, _ = await talk.connected("/game")
    await ada.connect("/")
    await ada.emit("slow", namespace="/game", ack=0)
    await ada.emit("join", "a", ack=1)
    await ada.emit("message", 7, ack=2)
    session = next(iter(talk.hub.sessions.values()))
    await asyncio.sleep(0.05)
    assert not session.subscriptions
    gate.set()
    assert await ada.ack(0, "/game") == ["slow"]
    assert await ada.event() == ["recovery", "?"]
    await ada.ack(1)


async def test_leaving_waits_for_what_was_told_of_the_room(talk: Talk) -> None:
    """What it drops must not stand in a place that the client has read."""
    ada, _ = await talk.connected()
    await ada.join("a")
    await ada.join("b", ack=1)
    await ada.emit("leave", "a", ack=2)
    for number in range(20):
        await talk.hub.publish("open:a", number)
        await talk.hub.publish("open:b", number)
    seen: dict[str, int] = {"open:a": 0, "open:b": 0}
    left = False
    while not left or seen["open:b"] < 20:
        packet = await ada.hear_text()
        left = left or packet.startswith("32[")
        if not packet.startswith('2["message",'):
            continue
        channel = "open:a" if '"channel":"open:a"' in packet else "open:b"
        seen[channel] += 1
        if "epoch1." in packet.rpartition('"open:')[2]:
            assert f"epoch1.{seen['open:a']}" in packet


async def test_a_session_that_is_gone_leaves_nothing(talk: Talk) -> None:
    """No subscription, no session, no member."""
    ada, _ = await talk.connected()
    await ada.join("a")
    await ada.cut()
    await until(lambda: not talk.hub.sessions, 20_000)
    assert not talk.hub.channels["open:a"].subscriptions


async def test_sixteen_namespaces_and_no_more(talk: Talk) -> None:
    """The next is refused in words; one that is left makes room."""
    ada = await talk.talker()
    for number in range(MAX_NAMESPACES):
        await ada.connect(f"/k{number}")
    await ada.say("0/chat")
    assert await ada.hear() == '4/chat,{"message":"At most 16 namespaces"}'
    await ada.say("1/k0")
    await ada.connect("/chat")


async def test_own_signals_reach_by_name(talk: Talk) -> None:
    """A signal from elsewhere comes without a place."""
    ada, _ = await talk.connected()
    await ada.join("a")
    signal = Event("cursor", 5, signal=True)
    await talk.hub.signal(next(iter(talk.hub.sessions.values())).who, "open:a", signal)
    name, payload = await ada.event()
    assert isinstance(payload, dict)
    assert (name, payload["data"]) == ("cursor", 5)
