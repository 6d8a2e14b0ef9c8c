from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from server.errors import (
    BAD_REQUEST,
    LIMIT_EXCEEDED,
    NOT_SUBSCRIBED,
    NOT_YET,
    PERMISSION_DENIED,
    UNAVAILABLE,
    Refusal,
    ReplyError,
)
from server.hub.publishing import RETAINED_SIGNALS
from server.model import SERVER, Action, Event, Position, Publication, Signal
from tests.hub.stage import ANN, BOB, ROOM, TALLY, Guest, Stage, raise_curtain
from tests.looptime import turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


def add(number: int, key: str | None = None) -> Event:
    """An event that adds a number."""
    return Event("add", number, key)


async def kept(stage: Stage) -> list[object]:
    """What the log holds of the tally."""
    page = await stage.hub.history(SERVER, TALLY)
    return [each.content for each in page.publications]


async def test_events_are_kept_in_the_order_of_the_calls(stage: Stage) -> None:
    """Whoever says them; each gets its own position."""
    futures = [
        await stage.hub.submit(who, TALLY, add(number))
        for number, who in enumerate([ANN, BOB] * 10)
    ]
    positions = [stage.hub.judge(await future) for future in futures]
    assert positions == [Position("e1", offset) for offset in range(1, 21)]
    assert await kept(stage) == list(range(20))
    assert stage.hub.stats.accepted == {"tally": 20}


async def test_the_author_is_told_but_for_the_server(stage: Stage) -> None:
    """What the server says has no author."""
    guest = stage.guest()
    await guest.join()
    await stage.hub.publish(ROOM, 1, who=BOB, event="hello", key="k")
    await stage.hub.publish(ROOM, 2)
    await turns(3)
    first, second = guest.wire.told_of(Publication)
    assert (first.author, first.event, first.key) == (BOB, "hello", "k")
    assert (second.author, second.event, second.key) == (None, "message", None)
    assert first.time_ms == stage.clock.now_ms()


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("refuse", BAD_REQUEST),
        ("later", NOT_YET),
    ],
)
async def test_what_a_kind_refuses_is_not_kept(
    stage: Stage, event: str, error: ReplyError
) -> None:
    """The reason is the kind's, or that it is not yet applicable."""
    with pytest.raises(Refusal) as refused:
        await stage.hub.publish(TALLY, 1, event=event)
    assert refused.value.error is error
    assert await kept(stage) == []


async def test_a_known_event_is_acknowledged_after_what_was_before(
    stage: Stage,
) -> None:
    """Without a position; not before all that it may build on is kept."""
    stage.log.append_gate.clear()
    await stage.hub.submit(ANN, TALLY, add(1))
    known = await stage.hub.submit(ANN, TALLY, Event("known", None))
    await turns(3)
    assert not known.done()
    stage.log.append_gate.set()
    assert stage.hub.judge(await known) is None


async def test_a_signal_alone_is_acknowledged_without_position(stage: Stage) -> None:
    """It goes to who is there and is not kept."""
    guest = stage.guest()
    await guest.join(TALLY)
    assert await stage.hub.publish(TALLY, 5, event="hint") is None
    await turns(3)
    assert [each.content for each in guest.wire.told_of(Signal)] == [5]
    assert await kept(stage) == []


async def test_one_event_may_say_things_in_two_channels(stage: Stage) -> None:
    """Both in one transaction; the reply has the first one's position."""
    other = "tally:two"
    guest = stage.guest()
    await guest.join(other)
    at = await stage.hub.publish(TALLY, other, event="both")
    await turns(3)
    assert at == Position("e2", 1)
    assert guest.wire.told_of(Publication)[0].position == Position("e1", 1)
    assert stage.log.batches == [1]


async def test_a_key_is_used_once(stage: Stage) -> None:
    """Again, it is answered with the first position, and nothing is doubled."""
    first = await stage.hub.publish(TALLY, 1, event="add", key="k", who=ANN)
    await stage.hub.publish(TALLY, 2, event="add", who=ANN)
    again = await stage.hub.publish(TALLY, 1, event="add", key="k", who=ANN)
    assert again == first
    assert stage.hub.stats.duplicates == 1
    other = await stage.hub.publish(TALLY, 1, event="add", key="k", who=BOB)
    assert other is not None
    assert other.offset == 3
    assert stage.tally.accepted[TALLY] == [1, 2, 1]
    assert await kept(stage) == [1, 2, 1]


async def test_keyed_events_of_a_state_are_judged_alone(stage: Stage) -> None:
    """Nothing is accepted on top of one whose key may have been used before."""
    await stage.hub.publish(TALLY, 1, event="add", key="k", who=ANN)
    stage.log.append_gate.clear()
    async with asyncio.TaskGroup() as group:
        again = group.create_task(stage.hub.submit(ANN, TALLY, add(1, "k")))
        await turns(3)
        later = [
            group.create_task(stage.hub.submit(ANN, TALLY, add(number)))
            for number in (2, 3)
        ]
        await turns(3)
        assert not any(task.done() for task in (again, *later))
        assert stage.tally.accepted[TALLY] == [1, 1], "the doubtful one"
        stage.log.append_gate.set()
    await asyncio.wait([task.result() for task in later])
    assert stage.tally.accepted[TALLY] == [1, 2, 3]
    assert await kept(stage) == [1, 2, 3]


async def test_a_publisher_that_goes_leaves_the_state_true(stage: Stage) -> None:
    """Also where it was not yet known that its key had been used before."""
    await stage.hub.publish(TALLY, 1, event="add", key="k", who=ANN)
    stage.log.append_gate.clear()
    again = asyncio.Task(stage.hub.submit(ANN, TALLY, add(1, "k")))
    await turns(3)
    again.cancel()
    await asyncio.wait([again])
    stage.log.append_gate.set()
    await stage.hub.publish(TALLY, 2, event="add")
    assert stage.tally.accepted[TALLY] == [1, 2]
    assert await kept(stage) == [1, 2]


async def test_a_publisher_that_is_cancelled_is_kept_and_delivered(
    stage: Stage,
) -> None:
    """Once submitted it is the hub's."""
    guest = stage.guest()
    await guest.join()
    stage.log.append_gate.clear()
    publishing = asyncio.Task(stage.hub.publish(ROOM, 1))
    await turns(3)
    publishing.cancel()
    await asyncio.wait([publishing])
    stage.log.append_gate.set()
    await until(lambda: guest.wire.told_of(Publication))
    assert publishing.cancelled()


async def test_a_state_that_ran_ahead_is_forgotten(stage: Stage) -> None:
    """After a failed commit it is read anew from what was kept."""
    await stage.hub.publish(TALLY, 1, event="add")
    stage.log.append_gate.clear()
    stage.log.append_fault = OSError("disk full")
    futures = [await stage.hub.submit(ANN, TALLY, add(number)) for number in (2, 3)]
    assert stage.tally.accepted[TALLY] == [1, 2, 3]
    stage.log.append_gate.set()
    await asyncio.wait(futures)
    assert stage.tally.forgotten == [TALLY]
    with pytest.raises(Refusal) as refused:
        stage.hub.judge(await futures[1])
    assert refused.value.error is UNAVAILABLE
    stage.log.append_fault = None
    await stage.hub.publish(TALLY, 4, event="add")
    assert stage.tally.accepted[TALLY] == [1, 4]
    assert stage.tally.folded[TALLY] == [1, 4]


async def test_what_the_log_rejects_is_told(stage: Stage) -> None:
    """With its own reason; a keyed one leaves the state true."""
    with pytest.raises(Refusal) as refused:
        await stage.hub.publish(TALLY, "\ud800", event="add", key="k")
    assert refused.value.error.code == BAD_REQUEST.code
    await stage.hub.publish(TALLY, 1, event="add")
    assert stage.tally.accepted[TALLY] == [1]


@pytest.mark.parametrize("key", ["", "with space", "x" * 65, "\x7f", "é"])
async def test_a_key_is_short_and_visible(stage: Stage, key: str) -> None:
    """For publications and signals alike."""
    event = Event("message", 1, key)
    with pytest.raises(Refusal) as refused:
        await stage.hub.submit(ANN, ROOM, event)
    assert refused.value.error.code == BAD_REQUEST.code
    with pytest.raises(Refusal) as refused:
        await stage.hub.signal(ANN, ROOM, replace(event, signal=True))
    assert refused.value.error.code == BAD_REQUEST.code


async def test_who_may_not_is_refused(stage: Stage) -> None:
    """Publishing and signalling are allowed each for itself."""
    stage.tally.denied = {(ANN.id, Action.PUBLISH), (BOB.id, Action.SIGNAL)}
    with pytest.raises(Refusal) as refused:
        await stage.hub.submit(ANN, TALLY, add(1))
    assert refused.value.error is PERMISSION_DENIED
    with pytest.raises(Refusal):
        await stage.hub.signal(BOB, TALLY, Event("hint", 1, None, signal=True))
    await stage.hub.signal(ANN, TALLY, Event("hint", 1, None, signal=True))
    with pytest.raises(Refusal):
        await stage.hub.signal(ANN, TALLY, Event("refuse", 1, None, signal=True))


async def test_a_backplane_that_is_away_loses_no_publication(stage: Stage) -> None:
    """It is acknowledged, because it is kept; the next one brings it along."""
    guest = stage.guest()
    await guest.join()
    stage.backplane.jam = Refusal(UNAVAILABLE)
    assert await stage.hub.publish(ROOM, 1) is not None
    stage.hub.send_signal(Signal(ROOM, "hint", 1, None, 0))
    stage.backplane.jam = None
    await stage.hub.publish(ROOM, 2)
    await until(lambda: len(guest.wire.told_of(Publication)) == 2)
    assert [each.content for each in guest.wire.told_of(Publication)] == [1, 2]
    assert stage.hub.stats.skipped == 1


async def retain(guest: Guest, stage: Stage, key: str) -> None:
    """Send a retained signal, and wait until it is retained."""
    event = Event("retain", 1, key, signal=True)
    await stage.hub.signal(guest.session.who, TALLY, event, guest.session)
    await until(lambda: key in stage.hub.retained(TALLY))


async def test_only_a_member_retains(stage: Stage) -> None:
    """Nobody would tell that the signal of another fell."""
    guest = stage.guest()
    with pytest.raises(Refusal) as refused:
        await retain(guest, stage, "a")
    assert refused.value.error is NOT_SUBSCRIBED
    await guest.join(TALLY)
    await retain(guest, stage, "a")
    assert set(stage.hub.retained(TALLY)) == {"a"}


async def test_nobody_takes_what_is_retained_for_another_user(stage: Stage) -> None:
    """Neither changes it nor lets it fall."""
    ann, bob = stage.guest(ANN), stage.guest(BOB)
    for guest in (ann, bob):
        await guest.join(TALLY)
    await retain(ann, stage, "a")
    with pytest.raises(Refusal) as refused:
        await retain(bob, stage, "a")
    assert refused.value.error is PERMISSION_DENIED
    assert stage.hub.retained(TALLY)["a"].owner == ann.session.id


async def test_what_is_retained_is_bounded(stage: Stage) -> None:
    """For each session, so that joiners are not sent a flood."""
    guest = stage.guest()
    await guest.join(TALLY)
    for number in range(RETAINED_SIGNALS):
        await retain(guest, stage, str(number))
    await retain(guest, stage, "0")
    with pytest.raises(Refusal) as refused:
        await retain(guest, stage, "more")
    assert refused.value.error.code == LIMIT_EXCEEDED.code


async def test_the_server_retains_for_no_session(stage: Stage) -> None:
    """What it retains stays."""
    event = Event("retain", 1, "a", signal=True)
    await stage.hub.signal(SERVER, TALLY, event)
    await turns(2)
    assert stage.hub.retained(TALLY)["a"].owner is None
    assert stage.hub.retained("tally:unknown") == {}
