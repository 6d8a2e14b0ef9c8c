from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import (
    PERMISSION_DENIED,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Refusal,
)
from server.hub.limits import Limits
from server.hub.registry import SWEEP_INTERVAL_S
from server.model import Action, Event, Subscribed
from server.seams.kind import Keep, Policy
from tests.hub.stage import ANN, ROOM, TALLY, Stage, raise_curtain
from tests.looptime import LoopTime, turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub whose memory channels keep their history for 100 s."""
    policy = Policy(history_age_s=100.0)
    async with raise_curtain(Limits(channels=3), open_policy=policy) as raised:
        yield raised


@pytest.mark.parametrize(
    "name", ["nokind:x", "open", "open:", "open:A b", ":x", "open:x\n", "open:x:y"]
)
async def test_an_unknown_channel_is_told(stage: Stage, name: str) -> None:
    """No such kind, or no name that could be."""
    with pytest.raises(Refusal) as refused:
        await stage.hub.publish(name, 1)
    assert refused.value.error is UNKNOWN_CHANNEL
    assert stage.hub.channels == {}


async def test_channels_are_bounded(stage: Stage) -> None:
    """One more is refused; those that are open work on."""
    for number in range(3):
        await stage.say(1, f"open:c{number}")
    with pytest.raises(Refusal) as refused:
        await stage.say(1, "open:c3")
    assert refused.value.error.code == UNAVAILABLE.code
    await stage.say(2, "open:c0")


async def test_who_asks_for_made_up_names_shuts_nobody_out(stage: Stage) -> None:
    """A channel that nobody was in, where nothing was said, makes room for one."""
    for number in range(20):
        await stage.hub.history(ANN, f"open:made-up-{number}")
        await stage.hub.presence(ANN, f"open:made-up-{number}")
    await stage.say(1, "open:c3")


async def test_a_refusal_opens_nothing(stage: Stage) -> None:
    """A name that one may not use costs no memory."""
    stage.tally.denied.add((ANN.id, Action.HISTORY))
    with pytest.raises(Refusal) as refused:
        await stage.hub.history(ANN, TALLY)
    assert refused.value.error is PERMISSION_DENIED
    assert stage.hub.channels == {}


async def test_a_memory_history_lives_as_long_as_its_age(stage: Stage) -> None:
    """Who comes back within it resumes; later it is a new stream."""
    time = LoopTime()
    guest = stage.guest()
    await guest.join()
    at = await stage.say(1)
    guest.session.gone()
    await time.advance(99.0)
    await time.advance(0.5)
    again = stage.guest()
    await again.join(since=at)
    await turns(3)
    assert again.wire.told_of(Subscribed)[0].recovered
    again.session.gone()
    for _ in range(3):
        await time.advance(100 + SWEEP_INTERVAL_S + 1)
    assert ROOM not in stage.hub.channels
    late = stage.guest()
    await late.join(since=at)
    await turns(3)
    reply = late.wire.told_of(Subscribed)[0]
    assert (reply.recovered, reply.position.epoch) == (False, "e2")


async def test_a_listener_counts_until_it_ends(stage: Stage) -> None:
    """The age is counted from when the last one went."""
    time = LoopTime()
    stream = stage.hub.subscribe(ROOM)
    listening = asyncio.Task(anext(stream))
    await turns(3)
    await time.advance(1_000.0)
    assert ROOM in stage.hub.channels
    listening.cancel()
    await asyncio.wait([listening])
    await time.advance(90.0)
    assert ROOM in stage.hub.channels


async def test_who_is_there_keeps_a_channel(stage: Stage) -> None:
    """However long nothing is said."""
    time = LoopTime()
    guest = stage.guest()
    await guest.join()
    for _ in range(3):
        await time.advance(1_000.0)
    assert ROOM in stage.hub.channels


@pytest.mark.parametrize("durable", [True, False])
async def test_a_durable_kind_is_unloaded_when_idle(durable: bool) -> None:  # noqa: FBT001 - the parameter
    """Its stream goes on: where a memory log stands in for the store, it stays."""
    async with raise_curtain() as stage:
        stage.tally.policy = Policy(keep=Keep.DURABLE, stateful=True)
        stage.log.durable = durable
        time = LoopTime()
        await stage.hub.publish(TALLY, 1, event="add")
        await time.advance(61 + SWEEP_INTERVAL_S)
        assert TALLY not in stage.hub.channels
        assert stage.tally.forgotten == [TALLY]
        at = await stage.hub.publish(TALLY, 2, event="add")
        assert at is not None
        # The log of this stage is memory, so it forgets when it is told to.
        assert at.epoch == ("e2" if durable else "e1")


async def test_loading_waits_for_what_is_under_way(stage: Stage) -> None:
    """The state is read from the log after all that was accepted is in it."""
    await stage.hub.publish(TALLY, 1, event="add")
    stage.log.append_gate.clear()
    await stage.hub.submit(ANN, TALLY, _add(2))
    stage.hub.channels[TALLY].forget()
    loading = asyncio.Task(stage.hub.submit(ANN, TALLY, _add(3)))
    await turns(5)
    assert not loading.done()
    stage.log.append_gate.set()
    await (await loading)
    assert stage.tally.accepted[TALLY] == [1, 2, 3]


async def test_many_who_come_at_once_load_once(stage: Stage) -> None:
    """The others wait for the first."""
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(stage.guest().join(TALLY))
    assert stage.tally.loads == 1


async def test_nothing_is_opened_before_the_start_or_after_the_end() -> None:
    """It is unavailable, not unknown."""
    async with raise_curtain() as stage:
        hub = stage.hub
        hub.stopping = True
        with pytest.raises(Refusal) as refused:
            await hub.publish(ROOM, 1)
        assert refused.value.error is UNAVAILABLE
        hub.stopping = False
    fresh = Stage()
    async with raise_curtain() as stage:
        unstarted = type(stage.hub)(
            {"open": stage.tally}, fresh.backplane, stage.clock, str
        )
        with pytest.raises(Refusal) as refused:
            await unstarted.publish(ROOM, 1)
        assert refused.value.error is UNAVAILABLE


def _add(number: int) -> Event:
    return Event("add", number)
