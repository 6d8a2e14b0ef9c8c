from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.errors import SERVER_ERROR
from server.model import Done, Event, Publication, Signal
from server.queues.flusher import SLICE_S
from tests.hub.stage import BOB, ROOM, Stage, raise_curtain
from tests.looptime import LoopTime, turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


async def test_one_write_for_a_session_and_turn(stage: Stage) -> None:
    """What gathers in one turn of the loop leaves in one chunk, in order."""
    guest = stage.guest()
    for number in range(1, 6):
        guest.session.tell(Done(number))
    assert guest.wire.chunks == []
    await turns(2)
    assert len(guest.wire.chunks) == 1
    assert guest.told == [Done(number) for number in range(1, 6)]
    assert stage.hub.stats.writes == 1
    assert stage.hub.stats.written_bytes == len(guest.wire.chunks[0])


async def test_many_sessions_are_flushed_in_slices(stage: Stage) -> None:
    """Where a flush takes long, the loop turns in between, and all get theirs once."""
    guests = [stage.guest() for _ in range(500)]
    LoopTime(step_s=SLICE_S)
    for guest in guests:
        guest.session.tell(Done(1))
    await turns(1)
    written = sum(len(guest.wire.chunks) for guest in guests)
    assert 0 < written < 100
    await until(lambda: all(guest.wire.chunks for guest in guests))
    assert all(guest.told == [Done(1)] for guest in guests)
    assert stage.hub.flusher.rounds == 1


async def test_who_was_marked_first_is_flushed_first(stage: Stage) -> None:
    """What is marked while others are put off stands behind them."""
    guests = [stage.guest() for _ in range(100)]
    LoopTime(step_s=SLICE_S)
    for guest in guests:
        guest.session.tell(Done(1))
    await turns(1)
    late = stage.guest()
    late.session.tell(Done(2))
    await until(lambda: late.wire.chunks)
    assert all(guest.wire.chunks for guest in guests)


async def test_a_stalled_session_has_one_waiter(stage: Stage) -> None:
    """However much comes for it; when it reads again, it gets all in order."""
    guest = stage.guest()
    guest.wire.stall()
    for number in range(1, 51):
        guest.session.tell(Done(number))
        await turns(2)
    assert guest.wire.most_waiters == 1
    guest.wire.resume()
    await until(lambda: len(guest.told) == 50)
    assert guest.told == [Done(number) for number in range(1, 51)]
    await turns(3)
    assert guest.wire.waiters == 0


async def test_a_stalled_session_that_goes_is_left_alone(stage: Stage) -> None:
    """Its waiter ends, and nobody writes to it."""
    guest = stage.guest()
    guest.wire.stall()
    guest.session.tell(Done(1))
    await until(lambda: guest.wire.waiters)
    guest.wire.lose()
    await until(lambda: guest.wire.waiters == 0)
    guest.session.gone()
    await turns(3)
    assert guest.told == []


async def test_a_small_room_is_used_turn_by_turn(stage: Stage) -> None:
    """Nothing waits for a further mark while there is room."""
    guest = stage.guest(room_bytes=20)
    for number in range(1, 10):
        guest.session.tell(Done(number))
    await until(lambda: len(guest.told) == 9)
    assert len(guest.wire.chunks) == 5


async def test_keyed_signals_leave_once_in_an_interval(stage: Stage) -> None:
    """The first at once, the newest of the others when the interval has passed."""
    time = LoopTime()
    guest = stage.guest()
    await guest.join("quick:one")
    for number in range(5):
        signal = Signal("quick:one", "quote", number, None, 0, "ACME")
        stage.hub.send_signal(signal)
        await turns(3)
    assert [each.content for each in guest.wire.told_of(Signal)] == [0]
    await time.advance(0.09)
    assert [each.content for each in guest.wire.told_of(Signal)] == [0]
    await time.advance(0.04)
    assert [each.content for each in guest.wire.told_of(Signal)] == [0, 4]


async def test_an_early_timer_is_not_held_up_by_a_later_one(stage: Stage) -> None:
    """A gap that is due in a second does not delay a quote that is due in 0.1 s."""
    time = LoopTime()
    guest = stage.guest()
    await guest.join("quick:one")
    await guest.join(ROOM)

    def quote(number: int, channel: str = "quick:one") -> None:
        stage.hub.send_signal(Signal(channel, "quote", number, None, 0, "ACME"))

    for number in (1, 2):
        quote(number, ROOM)
    await turns(3)
    for number in (3, 4):
        quote(number, ROOM)
    await turns(3)
    quote(5)
    await turns(3)
    quote(6)
    await turns(3)
    await time.advance(0.13)
    assert [each.content for each in guest.wire.told_of(Signal)] == [2, 4, 5, 6]


async def test_one_broken_wire_does_not_stop_the_flush(stage: Stage) -> None:
    """Its session is closed; the others get their frames in the same turn."""
    broken, sound = stage.guest(), stage.guest(BOB)
    broken.wire.fault = ValueError("broken")
    broken.session.tell(Done(1))
    sound.session.tell(Done(1))
    await turns(2)
    assert sound.told == [Done(1)]
    assert broken.wire.closed_with == [SERVER_ERROR]
    assert broken.session.closed


async def test_a_burst_does_not_make_a_fast_reader_slow() -> None:
    """More than an outbox holds, kept by one transaction, reaches who reads all."""
    async with raise_curtain() as stage:
        guest = stage.guest(BOB, room_bytes=16 * 1024)
        guest.codec.frame_bytes = 60_000
        await guest.join()
        stage.log.append_gate.clear()
        who = stage.guest().session.who
        for number in range(200):
            # One at a time, so that all of them wait for one transaction.
            await stage.hub.submit(who, ROOM, _event(number))
        stage.log.append_gate.set()
        await until(lambda: len(guest.wire.told_of(Publication)) == 200, 5_000)
        assert not guest.session.closed
        offsets = [each.position.offset for each in guest.wire.told_of(Publication)]
        assert offsets == list(range(1, 201))


def _event(number: int) -> Event:
    return Event("message", number)
