from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import (
    BAD_REQUEST,
    FORCED,
    SHUTDOWN,
    UNKNOWN_CHANNEL,
    UNRECOVERABLE,
    Refusal,
)
from server.hub.limits import Limits
from server.model import SERVER, Done, Event, Member, Position, Principal
from server.seams.kind import Keep, Policy
from server.stores.ring import Bounds
from tests.hub.stage import ANN, BOB, ROOM, Stage, raise_curtain
from tests.looptime import LoopTime, turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain(Limits(close_timeout_s=2.0)) as raised:
        yield raised


async def test_all_are_sent_away_and_awaited(stage: Stage) -> None:
    """Until each was told, or given up at the deadline."""
    time = LoopTime()
    quick, stuck = stage.guest(), stage.guest(BOB)
    stuck.wire.stall()
    stuck.session.tell(Done(1))
    leaving = [asyncio.Task(stage.hub.send_away()) for _ in range(2)]
    await turns(5)
    assert quick.wire.closed_with == [SHUTDOWN]
    assert not any(task.done() for task in leaving)
    await time.advance(2.1)
    assert stuck.wire.closed_with == [SHUTDOWN]
    await turns(3)
    assert all(task.done() for task in leaving)
    assert stage.hub.sessions == {}


async def test_nobody_there_is_soon_sent_away(stage: Stage) -> None:
    """There is nothing to wait for."""
    await stage.hub.send_away()


async def test_all_are_disconnected_with_one_code(stage: Stage) -> None:
    """That the caller chose."""
    guests = [stage.guest() for _ in range(3)]
    stage.hub.disconnect_all(FORCED)
    assert [guest.wire.closed_with for guest in guests] == [[FORCED]] * 3


async def test_many_are_sent_away_in_batches_and_all_are_awaited(stage: Stage) -> None:
    """What waits for each comes first, and each has its own time to come back."""
    LoopTime()
    guests = [stage.guest() for _ in range(500)]
    for guest in guests:
        guest.session.tell(Done(1))
    leaving = asyncio.Task(stage.hub.send_away())
    await turns(1)
    gone = sum(bool(guest.wire.closed_with) for guest in guests)
    assert 0 < gone < 100
    await until(leaving.done)
    assert all(guest.told == [Done(1)] for guest in guests)
    disconnects = [guest.wire.closed_with for guest in guests]
    assert disconnects == [[SHUTDOWN]] * 500
    returns_ms = {each.return_ms for (each,) in disconnects}
    assert returns_ms == {1_000 + 4 * each for each in range(500)}
    assert stage.hub.sessions == {}


async def test_a_rush_of_sessions_is_measured(stage: Stage) -> None:
    """By the hub's own wheel: it tells those who leave when to come back."""
    time = LoopTime()
    unmeasured = stage.hub.arrivals.rate
    for _ in range(100):
        stage.guest()
    await time.advance(1.1)
    await time.advance(1.1)
    assert stage.hub.arrivals.rate != unmeasured


async def test_a_stop_lets_what_was_submitted_be_kept() -> None:
    """Also where the transaction takes a while."""
    async with raise_curtain() as stage:
        stage.log.append_gate.clear()
        future = await stage.hub.submit(ANN, ROOM, Event("message", 1))
        stopping = asyncio.Task(stage.hub.stop())
        await turns(3)
        assert not stopping.done()
        stage.log.append_gate.set()
        await stopping
        assert stage.hub.judge(future.result()) == Position("e1", 1)


async def test_history_pages_both_ways(stage: Stage) -> None:
    """Before a position, after one, or the newest; ascending, with the top."""
    at = [await stage.say(number) for number in range(10)]

    async def read(**how: Position | int) -> list[object]:
        page = await stage.hub.history(ANN, ROOM, **how)  # type: ignore[arg-type]
        assert page.top == at[-1]
        return [each.content for each in page.publications]

    assert await read(limit=3) == [7, 8, 9]
    assert await read(before=at[7], limit=3) == [4, 5, 6]
    assert await read(after=at[7], limit=200) == [8, 9]
    assert await read(before=at[0]) == []


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_history_is_limited(stage: Stage, limit: int) -> None:
    """To 1 to 200."""
    with pytest.raises(Refusal) as refused:
        await stage.hub.history(ANN, ROOM, limit=limit)
    assert refused.value.error.code == BAD_REQUEST.code


async def test_history_of_another_stream_is_unrecoverable() -> None:
    """Before or after makes no difference; nor does what was trimmed."""
    async with raise_curtain(bounds=Bounds(size=2)) as stage:
        for number in range(5):
            await stage.say(number)
        for before, after in (
            (Position("x", 3), None),
            (None, Position("x", 3)),
            (None, Position("e1", 1)),
            (None, Position("e1", 6)),
        ):
            with pytest.raises(Refusal) as refused:
                await stage.hub.history(ANN, ROOM, before=before, after=after)
            assert refused.value.error is UNRECOVERABLE


async def test_presence_names_people_and_counts_all(stage: Stage) -> None:
    """At most 200 names; the count is of all."""
    for number in range(205):
        await stage.guest(Principal(f"g_{number}", "x")).join()
    members, count = await stage.hub.presence(SERVER, ROOM)
    assert (len(members), count) == (200, 205)
    assert members[0] == Member(Principal("g_0", "x"), 1)


async def test_what_is_durable_is_said(stage: Stage) -> None:
    """By the log of the channel's kind; of an unknown kind nothing is."""
    assert not stage.hub.is_durable(ROOM)
    stage.log.durable = True
    assert stage.hub.is_durable(ROOM)
    with pytest.raises(Refusal) as refused:
        stage.hub.is_durable("nokind:x")
    assert refused.value.error is UNKNOWN_CHANNEL


async def test_what_is_settled_is_kept(stage: Stage) -> None:
    """The future is done when all before it is."""
    stage.log.append_gate.clear()
    await stage.hub.submit(ANN, ROOM, Event("message", 1))
    settled = stage.hub.settled(ROOM)
    await turns(3)
    assert not settled.done()
    stage.log.append_gate.set()
    assert await settled is None


async def test_one_log_for_all_has_one_committer(stage: Stage) -> None:
    """Kinds that share a log share its order."""
    stage.tally.policy = Policy(keep=Keep.DURABLE)
    registry = stage.hub.registry
    assert registry.committer("tally:a") is registry.committer("open:a")


async def test_what_nobody_hears_is_dropped(stage: Stage) -> None:
    """A delivery opens no channel."""
    await stage.say(1)
    published = (await stage.hub.history(ANN, ROOM)).publications[0]
    stage.hub.channels.clear()
    stage.hub.deliver(published)
    assert stage.hub.channels == {}


async def test_a_pause_is_a_sleep(stage: Stage) -> None:
    """Of the loop's own seconds."""
    time = LoopTime()
    pausing = asyncio.Task(stage.hub.pause(5.0))
    await turns(2)
    await time.advance(4.9)
    assert not pausing.done()
    await time.advance(0.2)
    await turns(2)
    assert pausing.done()
