from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import CLOSED, FORCED, SHUTDOWN, SLOW, UNAVAILABLE
from server.hub.limits import Limits
from server.model import (
    Done,
    Event,
    Failed,
    Gap,
    Ping,
    Publication,
    Publish,
    Published,
    Signal,
    Standing,
    Subscribe,
    Subscribed,
)
from server.queues.writer import CATCH_UP_S
from tests.hub.stage import ANN, BOB, ROOM, Guest, Stage, raise_curtain
from tests.hub.wires import RecordingCodec
from tests.looptime import LoopTime, turns, until

LIMITS = Limits(outbox_bytes=4_000, in_flight=3, close_timeout_s=2.0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub with small bounds."""
    async with raise_curtain(LIMITS) as raised:
        yield raised


def publish(command_id: int, content: int, channel: str = ROOM) -> Publish:
    """A command that publishes a number."""
    return Publish(command_id, channel, Event("message", content))


async def test_replies_stand_behind_events(stage: Stage) -> None:
    """What was queued before the command was answered comes before its answer."""
    guest = stage.guest()
    await guest.join()
    await turns(2)
    await stage.say(1)
    await guest.session.dispatch(Ping(7))
    await turns(2)
    assert [type(each) for each in guest.told] == [Subscribed, Publication, Done]


async def test_an_author_gets_its_echo_and_one_acknowledgement(stage: Stage) -> None:
    """Both after the commit, with the same position."""
    guest = stage.guest()
    await guest.join()
    stage.log.append_gate.clear()
    await guest.session.dispatch(publish(7, 1))
    await turns(5)
    assert [type(each) for each in guest.told] == [Subscribed]
    stage.log.append_gate.set()
    await until(lambda: len(guest.told) == 3)
    _, echo, reply = guest.told
    assert isinstance(echo, Publication)
    assert isinstance(reply, Published)
    assert (reply.id, reply.position, reply.durable) == (7, echo.position, False)


async def test_pipelining_is_bounded_for_the_reader_alone(stage: Stage) -> None:
    """The fourth publish waits for the first commit; another session's does not."""
    eager, other = stage.guest(), stage.guest(BOB)
    stage.log.append_gate.clear()
    for number in (1, 2, 3):
        await eager.session.dispatch(publish(number, number))
    waiting = asyncio.Task(eager.session.dispatch(publish(4, 4)))
    await other.session.dispatch(publish(1, 5))
    await turns(5)
    assert not waiting.done()
    stage.log.append_gate.set()
    async with asyncio.timeout(5):
        await waiting
    await until(lambda: len(eager.told) == 4)
    ids = [each.id for each in eager.wire.told_of(Published)]
    assert ids == [1, 2, 3, 4]


async def test_a_waiting_publisher_that_goes_waits_no_longer(stage: Stage) -> None:
    """Its reader is free as soon as the session has ended."""
    guest = stage.guest()
    stage.log.append_gate.clear()
    for number in (1, 2, 3):
        await guest.session.dispatch(publish(number, number))
    waiting = asyncio.Task(guest.session.dispatch(publish(4, 4)))
    await turns(2)
    guest.session.gone()
    async with asyncio.timeout(5):
        await waiting


async def test_what_was_submitted_outlives_its_session(stage: Stage) -> None:
    """A sender that goes before the commit leaves its publication delivered."""
    sender, reader = stage.guest(), stage.guest(BOB)
    await reader.join()
    stage.log.append_gate.clear()
    await sender.session.dispatch(publish(1, 42))
    sender.session.gone()
    stage.log.append_gate.set()
    await until(lambda: reader.wire.told_of(Publication))
    assert reader.wire.told_of(Publication)[0].content == 42
    assert sender.told == []


async def test_a_friendly_close_follows_what_waits(stage: Stage) -> None:
    """All is written first, then the farewell is said, once."""
    guest = stage.guest(room_bytes=16)
    for number in (1, 2, 3):
        guest.session.tell(Done(number))
    guest.session.close(SHUTDOWN)
    guest.session.close(FORCED)
    assert guest.wire.closed_with == []
    await until(lambda: guest.wire.closed_with)
    assert guest.told == [Done(1), Done(2), Done(3)]
    assert guest.wire.closed_with == [SHUTDOWN]
    assert stage.hub.stats.closed == {SHUTDOWN.code: 1}
    assert not stage.hub.farewells


async def test_nothing_is_queued_after_the_close(stage: Stage) -> None:
    """Neither by the hub nor in answer to what still comes."""
    guest = stage.guest()
    await guest.join()
    await turns(2)
    guest.session.close(CLOSED)
    guest.session.tell(Done(9))
    guest.session.push_signal(b"", ROOM, None)
    await guest.session.dispatch(Subscribe(2, ROOM))
    await stage.say(1)
    await turns(3)
    assert [type(each) for each in guest.told] == [Subscribed]
    assert guest.session not in stage.hub.channels[ROOM].subscriptions


async def test_a_deadline_ends_a_friendly_close(stage: Stage) -> None:
    """A peer that does not read is given up after the close timeout."""
    time = LoopTime()
    guest = stage.guest()
    guest.wire.stall()
    guest.session.tell(Done(1))
    guest.session.close(SHUTDOWN)
    await time.advance(1.9)
    assert guest.wire.closed_with == []
    assert stage.hub.farewells
    await time.advance(0.2)
    assert guest.wire.closed_with == [SHUTDOWN]
    assert not stage.hub.farewells
    assert not guest.session.outbox


async def test_a_slow_reader_is_closed_and_can_resume(stage: Stage) -> None:
    """At the bound what waits is dropped; by its position it gets all it missed."""
    slow, quick = stage.guest(), stage.guest(BOB)
    await slow.join()
    await quick.join()
    await turns(2)
    await stage.say(0)
    await turns(2)
    slow.wire.stall()
    for number in range(1, 101):
        await stage.say(number)
        await turns(2)
    assert slow.wire.closed_with == [SLOW]
    assert not slow.session.outbox
    seen = slow.wire.told_of(Publication)
    assert [each.content for each in seen] == [0]
    await until(lambda: len(quick.wire.told_of(Publication)) == 101)

    again = stage.guest()
    await again.join(since=seen[-1].position)
    await turns(2)
    (reply,) = again.wire.told_of(Subscribed)
    assert reply.recovered
    assert [each.content for each in reply.publications] == list(range(1, 101))
    assert stage.hub.stats.recovered == 1


async def test_a_slow_reader_of_signals_stays(stage: Stage) -> None:
    """Signals are dropped, counted and told; the session is not closed."""
    guest = stage.guest()
    await guest.join()
    await turns(2)
    guest.wire.stall()
    for number in range(200):
        await stage.hint(number)
    waited = guest.session.outbox.waiting_bytes
    assert waited <= LIMITS.outbox_bytes
    guest.wire.resume()
    await until(lambda: guest.wire.told_of(Gap))
    (gap,) = guest.wire.told_of(Gap)
    assert gap.skipped + len(guest.wire.told_of(Signal)) == 200
    assert stage.hub.stats.skipped == gap.skipped
    assert not guest.session.closed


async def test_gaps_are_told_once_a_second(stage: Stage) -> None:
    """With exact counts, and the last one also where nothing else follows."""
    time = LoopTime()
    guest = stage.guest()
    await guest.join()

    async def burst(count: int) -> None:
        for number in range(count):
            await stage.hint(number, "k")
        await turns(3)

    await burst(4)
    await burst(6)
    await time.advance(0.5)
    await burst(2)
    assert guest.wire.told_of(Gap) == [Gap(ROOM, skipped=0, merged=3)]
    await time.advance(0.6)
    gaps = guest.wire.told_of(Gap)
    assert gaps == [Gap(ROOM, 0, 3), Gap(ROOM, 0, 6)]
    assert len(guest.wire.told_of(Signal)) == 12 - 9
    await time.advance(5.0)
    assert guest.wire.told_of(Gap) == gaps


async def test_a_full_outbox_does_not_swallow_a_gap(stage: Stage) -> None:
    """Its counts are told also where nothing more fits into the outbox."""
    guest = stage.guest(room_bytes=100)
    await guest.join()
    await until(lambda: guest.told)
    guest.wire.stall()
    await stage.hint(1, "k")
    await stage.hint(2, "k")
    while guest.session.outbox.put(b"0000000000000016", None):
        pass
    guest.session.outbox.drop_channel("open:other")
    guest.wire.resume()
    await until(lambda: guest.wire.told_of(Gap), 200)
    assert [(gap.skipped, gap.merged) for gap in guest.wire.told_of(Gap)] == [(1, 1)]


async def test_gone_twice_is_gone_once(stage: Stage) -> None:
    """Presence, counts and the outbox are cleared by the first; no farewell is said."""
    guest = stage.guest()
    await guest.join(presence=True)
    guest.session.gone()
    guest.session.gone()
    guest.session.close(CLOSED)
    await turns(2)
    assert stage.hub.sessions == {}
    assert stage.hub.stats.sessions["test"] == 0
    assert len(stage.hub.channels[ROOM].roster.presence) == 0
    assert guest.wire.closed_with == []
    assert stage.hub.stats.closed == {}


async def test_a_peer_that_goes_while_closing_is_not_awaited(stage: Stage) -> None:
    """Its farewell is given up, so that a shutdown does not wait for it."""
    guest = stage.guest()
    guest.wire.stall()
    guest.session.tell(Done(1))
    guest.session.close(SHUTDOWN)
    assert stage.hub.farewells
    guest.session.gone()
    assert not stage.hub.farewells
    assert stage.hub.stats.sessions["test"] == 0


async def test_catch_ups_go_one_at_a_time(stage: Stage) -> None:
    """The next one is read when the last ones take less than the bound."""
    guest = stage.guest(codec=RecordingCodec(frame_bytes=5_000))
    guest.wire.stall()
    await guest.join()
    waiting = asyncio.Task(guest.join("open:other"))
    await turns(5)
    assert not waiting.done()
    assert "open:other" not in guest.session.subscriptions
    guest.wire.resume()
    async with asyncio.timeout(5):
        await waiting
    await until(lambda: len(guest.wire.told_of(Subscribed)) == 2)


async def test_small_catch_ups_wait_for_nobody(stage: Stage) -> None:
    """Who reads when it has been answered, as a poller does, is answered."""
    guest = stage.guest()
    guest.wire.stall()
    async with asyncio.timeout(5):
        for number in range(10):
            await guest.join(f"open:c{number}")
    assert len(guest.session.subscriptions) == 10


async def test_who_never_reads_its_past_is_let_go(stage: Stage) -> None:
    """Its own command waits for it, so that no ping can find out."""
    time = LoopTime()
    guest = stage.guest(codec=RecordingCodec(frame_bytes=5_000))
    guest.wire.stall()
    await guest.join()
    waiting = asyncio.Task(guest.join("open:other"))
    await turns(3)
    await time.advance(CATCH_UP_S - 1)
    assert not waiting.done()
    await time.advance(2)
    await waiting
    assert guest.session.closed
    assert guest.wire.closed_with == [SLOW]


async def test_who_goes_while_it_waits_for_a_catch_up_is_let_go(stage: Stage) -> None:
    """Its reader ends; it joins nothing more."""
    guest = stage.guest(codec=RecordingCodec(frame_bytes=5_000))
    guest.wire.stall()
    await guest.join()
    waiting = asyncio.Task(guest.join("open:other"))
    await turns(5)
    guest.session.gone()
    async with asyncio.timeout(5):
        await waiting
    assert not stage.hub.channels["open:other"].subscriptions


async def test_a_failed_commit_is_told(stage: Stage) -> None:
    """As unavailable, with the command's id and the publication's key."""
    guest = stage.guest()
    stage.log.append_fault = OSError("disk full")
    command = Publish(5, ROOM, Event("message", 1, "key-1"))
    await guest.session.dispatch(command)
    await until(lambda: guest.told)
    assert guest.told == [Failed(5, ROOM, UNAVAILABLE, "key-1")]


async def test_a_wire_that_shows_nothing_is_told_nothing(stage: Stage) -> None:
    """Where the codec returns None, neither replies, events nor gaps are queued."""
    guest: Guest = stage.guest()
    guest.codec.silent = (Done, Publication, Gap)
    await guest.join()
    await guest.session.dispatch(Ping(1))
    await stage.say(1)
    for number in range(3):
        await stage.hint(number, "k")
    await turns(5)
    assert [type(each) for each in guest.told] == [Subscribed, Signal]


async def test_other_words_can_be_chosen_before_anything_was_said(
    stage: Stage,
) -> None:
    """It counts for the gateway that it speaks of from then on."""
    guest = stage.guest(ANN)
    guest.session.speak("other", guest.codec)
    assert stage.hub.stats.sessions == {"test": 0, "other": 1}
    guest.session.gone()
    assert stage.hub.stats.sessions == {"test": 0, "other": 0}


async def test_a_gateway_may_heed_what_its_session_would_be_told(stage: Stage) -> None:
    """Where the hub stands goes to the gateway instead, once each, until the end."""
    guest, plain = stage.guest(), stage.guest(BOB)
    heard: list[Standing] = []
    guest.session.heed = heard.append
    for each in (guest, plain):
        await each.join()
        for live in (False, False, True, False):
            each.session.stand(live=live)
    await turns(2)
    told = [Standing(live=live) for live in (False, True, False)]
    assert (heard, guest.wire.told_of(Standing)) == (told, [])
    assert plain.wire.told_of(Standing) == told
    guest.session.close(CLOSED)
    guest.session.stand(live=True)
    assert heard == told
