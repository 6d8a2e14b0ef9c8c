from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import Lagged, Refusal, Unrecoverable
from server.hub import listening as listening_module
from server.model import Action, Position, Publication, Signal
from server.queues import listening as queue_module
from tests.hub.stage import ANN, ROOM, TALLY, Stage, raise_curtain
from tests.looptime import turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


class Reader:
    """Reads a channel in a task of its own, until something is raised."""

    def __init__(self, stream: AsyncIterator[Publication | Signal]) -> None:
        self._stream = stream
        self.seen: list[object] = []
        self.positions: list[Position] = []
        self.task = asyncio.Task(self._read())

    async def _read(self) -> None:
        async for found in self._stream:
            self.seen.append(found.content)
            if isinstance(found, Publication):
                self.positions.append(found.position)

    async def stop(self) -> None:
        """Read no more."""
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_it_begins_with_the_next_one(stage: Stage) -> None:
    """What was before is not told, what comes is, in order."""
    await stage.say(0)
    reader = Reader(stage.hub.subscribe(ROOM))
    await turns(3)
    for number in (1, 2, 3):
        await stage.say(number)
    await until(lambda: len(reader.seen) == 3)
    assert reader.seen == [1, 2, 3]
    await reader.stop()
    assert not stage.hub.channels[ROOM].listeners
    assert stage.hub.channels[ROOM].idle


async def test_since_brings_the_past_first(stage: Stage) -> None:
    """Then what is live, without a hole and nothing twice, whenever it comes."""
    positions = [await stage.say(number) for number in range(5)]
    stage.log.read_gate.clear()
    reader = Reader(stage.hub.subscribe(ROOM, since=positions[1]))
    await turns(3)
    await stage.say(5)
    stage.log.read_gate.set()
    await stage.say(6)
    await until(lambda: len(reader.seen) == 5)
    await stage.say(7)
    await until(lambda: len(reader.seen) == 6)
    assert reader.seen == [2, 3, 4, 5, 6, 7]
    await reader.stop()


async def test_a_long_past_is_read_in_pieces(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each from where the last one ended."""
    monkeypatch.setattr(listening_module, "READ_PUBLICATIONS", 3)
    start = await stage.say(0)
    for number in range(1, 11):
        await stage.say(number)
    reader = Reader(stage.hub.subscribe(ROOM, since=start))
    await until(lambda: len(reader.seen) == 10)
    assert reader.seen == list(range(1, 11))
    await reader.stop()


async def test_who_lags_is_told_and_resumes_without_a_hole(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what waited, then `Lagged` with the position to go on from."""
    monkeypatch.setattr(queue_module, "WAITING_BROADCASTS", 5)
    stream = stage.hub.subscribe(ROOM)
    first = asyncio.Task(anext(stream))
    await turns(3)
    for number in range(20):
        await stage.say(number)
    seen: list[object] = [(await first).content]
    rest = Reader(stream)
    await asyncio.wait([rest.task])
    seen += rest.seen
    lagged = rest.task.exception()
    assert isinstance(lagged, Lagged)
    assert 5 <= len(seen) < 20
    position = lagged.position
    assert isinstance(position, Position)
    reader = Reader(stage.hub.subscribe(ROOM, since=position))
    await until(lambda: len(reader.seen) == 20 - len(seen))
    assert seen + reader.seen == list(range(20))
    await reader.stop()


async def test_a_flood_while_the_past_is_read_doubles_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What overflowed meanwhile is in the log, and is read from there."""
    monkeypatch.setattr(queue_module, "WAITING_BROADCASTS", 5)
    monkeypatch.setattr(listening_module, "READ_PUBLICATIONS", 4)
    start = await stage.say(0)
    for number in range(1, 10):
        await stage.say(number)
    stream = stage.hub.subscribe(ROOM, since=start)
    seen = [(await anext(stream)).content]
    for number in range(10, 40):
        await stage.say(number)
    while len(seen) < 39:
        seen.append((await anext(stream)).content)
    await stage.say(40)
    seen.append((await anext(stream)).content)
    assert seen == list(range(1, 41))
    await stream.aclose()


async def test_a_new_stream_ends_it(stage: Stage) -> None:
    """After the last one of the old stream; nothing of the new one is told."""
    reader = Reader(stage.hub.subscribe(ROOM))
    await turns(3)
    await stage.say("old")
    await stage.hub.new_epoch(ROOM)
    await stage.say("new")
    await asyncio.wait([reader.task])
    assert reader.seen == ["old"]
    assert isinstance(reader.task.exception(), Unrecoverable)


async def test_a_position_that_cannot_be_resumed_is_told(stage: Stage) -> None:
    """At once, and nothing stays behind."""
    await stage.say(1)
    for since in (Position("other", 0), Position("e1", 9)):
        with pytest.raises(Unrecoverable):
            await anext(stage.hub.subscribe(ROOM, since=since))
    assert not stage.hub.channels[ROOM].listeners


async def test_signals_come_if_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They never make a reader lag: those that do not fit are dropped."""
    monkeypatch.setattr(queue_module, "WAITING_BROADCASTS", 3)
    with_signals = Reader(stage.hub.subscribe(ROOM, signals=True))
    without = Reader(stage.hub.subscribe(ROOM))
    await turns(3)
    for number in range(10):
        await stage.hint(number)
    await stage.say("kept")
    await turns(5)
    assert with_signals.seen == [0, 1, 2, "kept"]
    assert without.seen == ["kept"]
    await with_signals.stop()
    await without.stop()


async def test_who_may_not_is_refused(stage: Stage) -> None:
    """As whoever it reads; the server itself may."""
    stage.tally.denied.add((ANN.id, Action.SUBSCRIBE))
    with pytest.raises(Refusal):
        await anext(stage.hub.subscribe(TALLY, who=ANN))
