"""Packets that no stock client sends: refused clearly, bounded, harming nobody."""

from __future__ import annotations

import asyncio
import gc

import pytest

from server.errors import INVALID, TOO_MANY_ERRORS
from server.gateways.socketio.line import MOST_WAITING, Line
from server.gateways.socketio.namespace import Namespace
from server.gateways.socketio.receiver import MAX_ERRORS, PACKET_FRAMES
from server.gateways.socketio.socket import Socket
from server.model import JSON
from tests.gateways.socketio.talk import SETTINGS, OpenTalk, Talk, Talker
from tests.gateways.socketio.test_packets import BAD, POISON
from tests.looptime import turns, until


@pytest.fixture
async def bystander(talk: Talk) -> Talker:
    """Somebody in a room."""
    bob, _ = await talk.connected()
    await bob.join("a")
    return bob


async def is_well(talk: Talk, bystander: Talker) -> bool:
    """Whether somebody else still gets the next message."""
    await talk.hub.publish("open:a", "next")
    _, payload, _ = await bystander.event()
    return isinstance(payload, dict) and payload["data"] == "next"


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
async def test_what_is_no_packet_ends_its_connection_alone(
    talk: Talk, bystander: Talker, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """With a code that says why, or 1009 for a frame over the limit."""
    ada, _ = await talk.connected()
    await ada.say(payload)
    assert (await ada.end()).code in (INVALID.code, 1009)
    assert await is_well(talk, bystander)
    assert caplog.text == "", "nothing of it is logged"


# A text frame that is not UTF-8 is no packet of Engine.IO: it does not come so far.
UTF8 = {name: part for name, part in POISON.items() if name != "not UTF-8"}


@pytest.mark.parametrize("part", UTF8.values(), ids=UTF8.keys())
async def test_poison_is_answered(talk: Talk, bystander: Talker, part: bytes) -> None:
    """Its sender goes on, and so does everybody else."""
    ada, _ = await talk.connected()
    for packet in (b'28["message",{"channel":"a","data":%b}]', b'2["message",%b]'):
        await ada.say(packet % part)
    (words,) = await ada.ack(8)
    assert isinstance(words, dict)
    assert words["code"] == 107
    assert (await ada.event())[0] == "refused"
    assert await is_well(talk, bystander)
    await ada.join("a")


@pytest.mark.parametrize(
    "packet", ['2/chat,["x"]', "1/chat", "3/chat,1[]", '4/chat,{"message":"x"}', "0"]
)
async def test_a_packet_out_of_its_place_ends_the_connection(
    talk: Talk, packet: str
) -> None:
    """For a namespace that is not connected, or is already."""
    ada, _ = await talk.connected()
    await ada.say(packet)
    assert (await ada.end()).code == INVALID.code


async def test_a_text_between_attachments_ends_the_connection(talk: Talk) -> None:
    """And so does an attachment that nothing waits for."""
    for first in ('51-["x",{"_placeholder":true,"num":0}]', None):
        ada, _ = await talk.connected()
        if first is None:
            await ada.attach(b"x")
        else:
            await ada.say(first)
            await ada.emit("x")
        assert (await ada.end()).code == INVALID.code


async def test_attachments_are_bounded(talk: Talk) -> None:
    """All of one packet together."""
    ada, _ = await talk.connected()
    holes = ",".join(f'{{"_placeholder":true,"num":{n}}}' for n in range(10))
    await ada.say(f'510-["x",{holes}]')
    for _ in range(PACKET_FRAMES + 1):
        await ada.attach(b"x" * (SETTINGS.max_frame_bytes - 1))
    assert (await ada.end()).code == INVALID.code


async def test_ten_thousand_namespaces(talk: Talk, bystander: Talker) -> None:
    """A hundred in a row are told that there are none such; then it is over."""
    ada = await talk.talker()

    async def flood() -> None:
        for number in range(10_000):
            await ada.say(f"0/n{number}")

    flooding = asyncio.create_task(flood())
    for number in range(MAX_ERRORS):
        assert await ada.hear() == f'4/n{number},{{"message":"Invalid namespace"}}'
    assert (await ada.end()).code == TOO_MANY_ERRORS.code
    await asyncio.wait([flooding])
    flooding.exception()
    assert await is_well(talk, bystander)


async def test_a_flood_of_acknowledgements_costs_nothing(
    talk: Talk, bystander: Talker
) -> None:
    """Nobody waits for them, so nothing is kept or answered."""
    ada, _ = await talk.connected()
    for number in range(5_000):
        await ada.say(f'3{number}["x"]')
    await ada.join("a")
    assert await is_well(talk, bystander)


async def test_connecting_and_leaving_leaves_nothing(talk: Talk) -> None:
    """However often."""
    ada, _ = await talk.connected()
    for _ in range(300):
        await ada.connect("/chat")
        await ada.join("lobby", "/chat")
        await ada.say("1/chat,")
    await ada.join("a")
    (session,) = talk.hub.sessions.values()
    assert list(session.subscriptions) == ["open:a"]
    assert not talk.hub.channels["chat:lobby"].subscriptions


async def test_events_for_a_handler_that_waits_are_bounded(
    open_talk: OpenTalk,
) -> None:
    """What is more stays with the client: its connection is not read."""
    game, gate, calls = Namespace("/game"), asyncio.Event(), []

    @game.on("slow")
    async def slow(socket: Socket, number: JSON) -> None:
        calls.append(number)
        await gate.wait()

    talk = await open_talk([game])
    ada, _ = await talk.connected("/game")

    async def flood() -> None:
        for number in range(2_000):
            await ada.emit("slow", number, namespace="/game")
        await ada.emit("slow", "last", namespace="/game", ack=0)

    flooding = asyncio.create_task(flood())
    await until(lambda: calls, 100_000)
    lines = [each for each in gc.get_objects() if isinstance(each, Line)]
    (line,) = [each for each in lines if each.busy]
    await until(lambda: len(line) == MOST_WAITING, 100_000)
    await turns(1_000)
    assert (len(line), len(calls)) == (MOST_WAITING, 1)
    gate.set()
    await flooding
    assert await ada.ack(0, "/game") == []
    assert calls == [*range(2_000), "last"]
    await until(lambda: not line.busy, 100_000)


@pytest.mark.parametrize(
    "name", ["__proto__", "constructor", "hasOwnProperty", "handler", "connect "]
)
async def test_names_that_mean_something_elsewhere_mean_nothing(
    open_talk: OpenTalk, name: str
) -> None:
    """As an event, and as a key of its content."""
    talk = await open_talk([Namespace("/")])
    ada, _ = await talk.connected()
    await ada.join("a")
    await ada.emit(name, {"data": {name: {"polluted": True}}})
    event, payload, _ = await ada.event()
    assert isinstance(payload, dict)
    assert (event, payload["data"]) == (name, {name: {"polluted": True}})
