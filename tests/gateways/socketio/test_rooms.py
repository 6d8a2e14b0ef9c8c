from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from server.errors import Disconnect, Refusal
from server.gateways.places import read_places
from server.gateways.socketio.codec import OwnCodec, SharedCodec, reply
from server.gateways.socketio.rooms import Rooms
from server.hub.session import Session
from server.model import Done, Position, Subscribe
from tests.gateways.socketio.talk import packets_of
from tests.hub.stage import ANN, Stage, raise_curtain
from tests.looptime import turns, until

ROOMS = ("open:a", "open:b", "open:c")


class StallingWire:
    """Writes frame by frame, and only while it is told to."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._free = asyncio.Event()
        self._free.set()

    def stall(self) -> None:
        """Stop reading."""
        self._free.clear()

    def resume(self) -> None:
        """Read again."""
        self._free.set()

    def room(self) -> int:
        """See `Wire.room`: one entry at a time."""
        return 1 if self._free.is_set() else 0

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        self.written += [str(each) for each in packets_of(chunk)]

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        if not self._free.is_set():
            return False
        self.write(chunk)
        return True

    async def writable(self) -> None:
        """See `Wire.writable`."""
        await self._free.wait()

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""


@dataclass
class Client:
    """What a stock client keeps of what it reads, and what it believes."""

    last: str = ""
    known: dict[str, int] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    checks: int = 0

    def read(self, packet: str) -> None:
        """Take one packet."""
        kind, rest = packet[0], packet[1:]
        arguments = json.loads(rest.lstrip("0123456789"))
        words = arguments[0]
        if kind == "3" and "position" in words:
            self._base(words)
            return
        if kind == "3":
            self.joined.discard(words["channel"])
        elif words == "joined":
            self._base(arguments[1])
        elif words == "message":
            self._take(arguments[1])
        if kind == "2" and isinstance(arguments[-1], str):
            self.last = arguments[-1]
        if words != "recovery":
            self._check()

    def _base(self, words: dict[str, str]) -> None:
        position = Position.parse(words["position"])
        self.known[words["channel"]] = position.offset
        self.joined.add(words["channel"])

    def _take(self, words: dict[str, str]) -> None:
        channel, offset = words["channel"], Position.parse(words["position"]).offset
        if channel in self.joined:
            assert offset == self.known[channel] + 1, "a gap while it is connected"
        self.known[channel] = offset

    def _check(self) -> None:
        """Whatever it would come back with, it has read: no more, and no less."""
        try:
            places = read_places(self.last)
        except Refusal:
            return
        for channel in self.joined:
            assert places[channel].offset == self.known[channel]
        for channel in places:
            assert channel in self.known
        self.checks += 1


@dataclass
class Guest:
    """A session, and its rooms."""

    session: Session
    rooms: Rooms
    wire: StallingWire

    async def join(self, channel: str, number: int) -> None:
        """Join as the receiver does."""
        async with self.rooms.moving(channel):
            await self.session.dispatch(Subscribe(number, channel))

    async def leave(self, channel: str, number: int) -> None:
        """Leave as the receiver does."""
        await self.rooms.leave(channel, reply(Done(number, channel)) or b"")


def guest(stage: Stage, shared: SharedCodec | None = None) -> Guest:
    """Open a session with rooms."""
    wire, codec = StallingWire(), shared or SharedCodec()
    session = stage.hub.open_session(ANN, "socketio", codec, wire)
    return Guest(session, Rooms(stage.hub, session, codec), wire)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub."""
    async with raise_curtain() as stage:
        yield stage


@pytest.mark.parametrize("seed", range(40))
async def test_a_place_never_says_more_or_less_than_was_read(
    stage: Stage, seed: int
) -> None:
    """Wherever the connection is cut, while rooms are joined, left and joined anew."""
    chance, ann = random.Random(seed), guest(stage)
    for number in range(120):
        act, channel = chance.randrange(10), chance.choice(ROOMS)
        if act == 0:
            move = asyncio.create_task(ann.join(channel, number))
        elif act == 1 and channel in ann.session.subscriptions:
            move = asyncio.create_task(ann.leave(channel, number))
        else:
            move = asyncio.create_task(turns(chance.randrange(3)))
        for _ in range(chance.randrange(6)):
            await stage.say(number, chance.choice(ROOMS))
        if not move.done() or chance.random() < 0.3:
            ann.wire.resume()
        await move
        if chance.random() < 0.6:
            ann.wire.stall()
    ann.wire.resume()
    await until(lambda: not ann.session.outbox)
    client = Client()
    for packet in ann.wire.written:
        client.read(packet)
    assert client.checks > 5


async def test_one_room_of_each_namespace_shares_its_frames(stage: Stage) -> None:
    """From the second room on it has its own, and shares again when it has left."""
    shared = SharedCodec()
    ann = guest(stage, shared)
    await ann.join("open:a", 1)
    await ann.join("quick:a", 2)
    assert ann.session.codec is shared
    await ann.join("open:b", 3)
    assert isinstance(ann.session.codec, OwnCodec)
    assert ann.rooms.place("/") == "open:a=e1.0,open:b=e3.0"
    assert ann.rooms.place("/quick") == "quick:a=e2.0"
    await ann.leave("open:a", 4)
    assert ann.session.codec is shared
    assert ann.rooms.place("/") == "open:b=e3.0"


async def test_a_join_that_fails_changes_nothing(stage: Stage) -> None:
    """It was about to have a second room."""
    shared = SharedCodec()
    ann = guest(stage, shared)
    await ann.join("open:a", 1)
    await ann.join("open:lab-somebody", 2)
    assert ann.session.codec is shared
    assert ann.rooms.place("/") == "open:a=e1.0"


async def test_while_a_room_is_being_joined_the_place_is_unsure(stage: Stage) -> None:
    """Also for what other rooms bring meanwhile."""
    ann = guest(stage)
    await ann.join("open:a", 1)
    await stage.say(1, "open:b")
    stage.log.read_gate.clear()
    joining = asyncio.create_task(ann.join("open:b", 2))
    await until(lambda: "open:b" in ann.session.subscriptions)
    await stage.say(2, "open:a")
    assert ann.rooms.place("/") == "?"
    stage.log.read_gate.set()
    await joining
    await until(lambda: not ann.session.outbox)
    assert ann.wire.written[2].startswith('2["recovery","open:a')
    assert ann.wire.written[3].endswith(',"?"]')
    assert ann.wire.written[-1] == '2["recovery","open:a=e1.1,open:b=e2.1"]'


async def test_the_server_joins_within_the_same_bounds(stage: Stage) -> None:
    """And is told by an exception."""
    ann = guest(stage)
    for number in range(100):
        await ann.rooms.join(Subscribe(None, f"open:r{number}"))
    with pytest.raises(Refusal, match="100 subscriptions"):
        await ann.rooms.join(Subscribe(None, "open:more"))
    assert ann.rooms.place("/") == "!"
    ann.rooms.leave_all("/")
    assert ann.rooms.place("/") == ""


async def test_coming_back_says_where_all_rooms_stand(stage: Stage) -> None:
    """Cut off in the middle of it, nothing is missed."""
    for number in range(4):
        await stage.say(number, "open:a")
        await stage.say(number, "open:b")
    ann = guest(stage)
    places = {"open:a": Position("e1", 2), "open:b": Position("e2", 3)}
    assert await ann.rooms.come_back(places)
    await until(lambda: not ann.session.outbox)
    said = [each for each in ann.wire.written if each.startswith('2["message"')]
    assert [packet.rpartition(',"')[2] for packet in said] == [
        'open:a=e1.3,open:b=e2.3"]',
        'open:a=e1.4,open:b=e2.3"]',
        'open:b=e2.4,open:a=e1.4"]',
    ]


async def test_who_cannot_come_back_is_told_nothing_of_that_room(stage: Stage) -> None:
    """It does not go on with the next ones either."""
    await stage.say(1, "open:a")
    ann = guest(stage)
    places = {"open:a": Position("other", 1), "open:b": Position("e1", 0)}
    assert not await ann.rooms.come_back(places)
    assert "open:b" not in ann.session.subscriptions
    await turns(5)
    assert not any("message" in packet for packet in ann.wire.written)
