from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from server.errors import PERMISSION_DENIED, UNAVAILABLE, Refusal
from server.model import (
    Action,
    Done,
    Event,
    Failed,
    Joined,
    Member,
    Position,
    Publication,
    Publish,
    Reset,
    Signal,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from server.queues.flusher import SLICE_S
from server.seams.kind import Policy
from tests.hub.stage import ANN, BOB, ROOM, TALLY, Guest, Stage, raise_curtain
from tests.hub.wires import RecordingCodec
from tests.looptime import LoopTime, turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub whose open kind gives a joiner the newest five."""
    async with raise_curtain(open_policy=Policy(recent=5)) as raised:
        yield raised


def contents(guest: Guest) -> list[object]:
    """All publications that a guest was told of, in replies and live, in order."""
    found: list[object] = []
    for each in guest.told:
        if isinstance(each, Subscribed):
            found += [publication.content for publication in each.publications]
        elif isinstance(each, Publication):
            found.append(each.content)
    return found


def crowd_of(stage: Stage, count: int) -> list[Guest]:
    """Many guests who speak the same words."""
    words = RecordingCodec()
    return [stage.guest(BOB, codec=words) for _ in range(count)]


async def test_a_fresh_joiner_gets_the_newest_and_what_is_live(stage: Stage) -> None:
    """Not recovered, because it said no position."""
    for number in range(8):
        await stage.say(number)
    guest = stage.guest()
    await guest.join()
    await stage.say(8)
    await turns(2)
    reply = guest.wire.told_of(Subscribed)[0]
    assert (reply.recovered, reply.position.offset, reply.durable) == (False, 8, False)
    assert contents(guest) == [3, 4, 5, 6, 7, 8]
    assert stage.hub.stats.unrecovered == 0


async def test_who_resumes_gets_everything_once(stage: Stage) -> None:
    """In order, and is told that it is everything."""
    positions = [await stage.say(number) for number in range(10)]
    guest = stage.guest()
    await guest.join(since=positions[3])
    await turns(2)
    assert guest.wire.told_of(Subscribed)[0].recovered
    assert contents(guest) == [4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "forge",
    [
        lambda at: Position(at.epoch, at.offset + 1),
        lambda at: Position(at.epoch, 2**53 - 1),
        lambda _: Position("other", 1),
    ],
    ids=["one ahead", "far ahead", "other epoch"],
)
async def test_a_forged_position_harms_only_its_sender(
    stage: Stage, forge: Callable[[Position], Position]
) -> None:
    """It is answered as not recovered; nobody else hears of it."""
    other = stage.guest(BOB)
    await other.join()
    at = await stage.say(1)
    guest = stage.guest()
    await guest.join(since=forge(at))
    await turns(2)
    assert not guest.wire.told_of(Subscribed)[0].recovered
    await stage.say(2)
    await turns(2)
    assert contents(guest) == [1, 2]
    assert contents(other) == [1, 2]
    assert other.wire.told_of(Reset) == []
    assert stage.hub.stats.unrecovered == 1


@pytest.mark.parametrize("live", range(5))
async def test_nothing_is_lost_or_doubled_while_joining(
    stage: Stage, live: int
) -> None:
    """Whether a publication comes before the past is read, meanwhile, or after."""
    start = await stage.say(0)
    guest = stage.guest()
    stage.log.read_gate.clear()
    joining = asyncio.Task(guest.join(since=start))
    for number in range(1, 5):
        if number - 1 == live:
            stage.log.read_gate.set()
        await turns(number % 3)
        await stage.say(number)
    stage.log.read_gate.set()
    async with asyncio.timeout(5):
        await joining
    await stage.say(5)
    await turns(3)
    assert contents(guest) == [1, 2, 3, 4, 5]
    assert isinstance(guest.told[0], Subscribed)


@pytest.mark.parametrize("delay", [0, 1, 3, 6])
async def test_nothing_is_lost_or_doubled_in_a_fan_out_that_takes_turns(
    stage: Stage, delay: int
) -> None:
    """Who joins while a publication is on its way to thousands gets it once."""
    crowd = crowd_of(stage, 2_000)
    for member in crowd:
        await member.join()
    start = await stage.say(0)
    for number in range(1, 6):
        await stage.hub.submit(ANN, ROOM, Event("message", number))
    await turns(delay)
    fresh, comer = stage.guest(), stage.guest()
    await fresh.join()
    await comer.join(since=start)
    await until(lambda: contents(crowd[-1])[-1:] == [5], 20_000)
    # The last of the crowd may be written to before others of it.
    await until(lambda: not stage.hub.flusher.busy, 20_000)
    assert contents(comer) == [1, 2, 3, 4, 5]
    seen = contents(fresh)
    assert seen == list(range(6))[-len(seen) :]
    assert all(contents(member) == [0, 1, 2, 3, 4, 5] for member in crowd)


async def test_who_looked_back_joins_from_there(stage: Stage) -> None:
    """Nobody joins by looking; what is said before the join is then told once."""
    for number in range(8):
        await stage.say(number)
    past = await stage.hub.past(BOB, ROOM)
    assert [each.content for each in past.publications] == [3, 4, 5, 6, 7]
    assert not stage.hub.channels[ROOM].subscriptions
    assert (await stage.hub.presence(ANN, ROOM))[1] == 0
    await stage.say(8)
    guest = stage.guest()
    await guest.join(since=past.position)
    await stage.say(9)
    await turns(2)
    assert contents(guest) == [8, 9]


async def test_who_may_not_join_may_not_look_back(stage: Stage) -> None:
    """The same rule, for the same action."""
    stage.tally.denied.add((ANN.id, Action.SUBSCRIBE))
    with pytest.raises(Refusal, match="permission denied"):
        await stage.hub.past(ANN, TALLY)
    assert (await stage.hub.past(BOB, TALLY)).channel == TALLY


async def test_joining_anew_hears_nothing_before_its_reply(stage: Stage) -> None:
    """Also of a fan-out that was under way: it comes in the reply, and once."""
    crowd = crowd_of(stage, 1_000)
    for member in crowd:
        await member.join()
    guest = stage.guest()
    await guest.join()
    start = await stage.say(0)
    await until(lambda: 0 in contents(guest), 20_000)
    before = len(guest.told)
    # However fast the machine is: time passes with each look at the clock.
    LoopTime(step_s=0.001)
    at = await stage.say(1)
    assert 1 not in contents(guest), "the fan-out is under way"
    await guest.join(since=start)
    await until(lambda: 1 in contents(crowd[-1]), 20_000)
    await turns(20)
    later = guest.told[before:]
    assert [type(each) for each in later] == [Subscribed]
    assert isinstance(later[0], Subscribed)
    assert [each.position for each in later[0].publications] == [at]


async def test_who_left_hears_nothing_more(stage: Stage) -> None:
    """Neither what waited, nor of a fan-out that is under way."""
    crowd = crowd_of(stage, 1_000)
    for member in crowd:
        await member.join()
    guest = stage.guest()
    await guest.join()
    await turns(2)
    LoopTime(step_s=SLICE_S)
    await stage.say(1)
    await guest.session.dispatch(Unsubscribe(2, ROOM))
    await until(lambda: 1 in contents(crowd[-1]), 20_000)
    await turns(20)
    assert [type(each) for each in guest.told] == [Subscribed, Done]


async def test_each_subscribe_is_answered(stage: Stage) -> None:
    """Also where the unsubscribe comes before its reply was written."""
    guest = stage.guest()
    guest.wire.stall()
    await guest.join()
    await stage.say(1)
    await guest.session.dispatch(Unsubscribe(2, ROOM))
    guest.wire.resume()
    await until(lambda: len(guest.told) == 2)
    assert [type(each) for each in guest.told] == [Subscribed, Done]


async def test_a_new_epoch_while_joining_is_no_news_to_the_joiner(
    stage: Stage,
) -> None:
    """Its past is of the new stream; nothing of the old one follows it."""
    old = stage.guest(BOB)
    await old.join()
    await stage.say("old")
    guest = stage.guest()
    stage.log.read_gate.clear()
    joining = asyncio.Task(guest.join())
    await turns(3)
    await stage.say("old, held back")
    anew = asyncio.Task(stage.hub.new_epoch(ROOM))
    await turns(3)
    stage.log.read_gate.set()
    async with asyncio.timeout(5):
        await anew
        await joining
    await stage.say("new")
    await turns(5)
    assert contents(guest) == ["new"]
    assert [each.content for each in old.wire.told_of(Publication)][-1] == "new"
    assert len(old.wire.told_of(Reset)) == 1


async def test_a_refused_join_leaves_nothing_behind(stage: Stage) -> None:
    """Neither a subscription nor presence; the error says why."""
    stage.tally.denied.add((ANN.id, Action.SUBSCRIBE))
    guest = stage.guest()
    await guest.join(TALLY)
    await turns(2)
    assert guest.told == [Failed(1, TALLY, PERMISSION_DENIED)]
    assert TALLY not in stage.hub.channels


async def test_a_past_that_cannot_be_read_is_told(stage: Stage) -> None:
    """The subscription is undone, and can be tried again."""
    await stage.say(1)
    guest = stage.guest()
    stage.log.read_fault = OSError("away")
    await guest.join()
    await turns(2)
    assert [type(each) for each in guest.told] == [Failed]
    channel = stage.hub.channels[ROOM]
    assert not channel.subscriptions
    assert len(channel.roster.presence) == 0
    assert guest.session.subscriptions == {}
    stage.log.read_fault = None
    await guest.join()
    await turns(2)
    assert contents(guest) == [1]


async def test_a_join_that_is_cancelled_leaves_nothing_behind(stage: Stage) -> None:
    """A handler that is cancelled in the middle is not a member."""
    await stage.say(1)
    guest = stage.guest()
    stage.log.read_gate.clear()
    joining = asyncio.Task(guest.join())
    await until(lambda: stage.hub.channels[ROOM].subscriptions)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert not stage.hub.channels[ROOM].subscriptions
    assert stage.hub.channels[ROOM].users == 0


async def test_who_goes_while_joining_is_not_a_member(stage: Stage) -> None:
    """The past is read in vain."""
    await stage.say(1)
    guest = stage.guest()
    stage.log.read_gate.clear()
    joining = asyncio.Task(guest.join())
    await until(lambda: stage.hub.channels[ROOM].subscriptions)
    guest.session.gone()
    stage.log.read_gate.set()
    async with asyncio.timeout(5):
        await joining
    assert not stage.hub.channels[ROOM].subscriptions
    assert guest.told == []


async def test_a_joiner_is_shown_who_is_there(stage: Stage) -> None:
    """With the number of their sessions, where it asked."""
    for _ in range(2):
        await stage.guest(BOB).join()
    asking, other = stage.guest(), stage.guest()
    await asking.join(presence=True)
    await other.join()
    await turns(2)
    assert asking.wire.told_of(Subscribed)[0].members == (
        Member(BOB, 2),
        Member(ANN, 1),
    )
    assert other.wire.told_of(Subscribed)[0].members is None
    assert asking.wire.told_of(Joined) == [Joined(ROOM, ANN, 2)]


async def test_a_joiner_gets_the_retained_signals(stage: Stage) -> None:
    """Those that stand when it joins."""
    owner, guest = stage.guest(BOB), stage.guest()
    await owner.join(TALLY)
    retain = Event("retain", {"at": 3}, "cursor", signal=True)
    await owner.session.dispatch(Publish(2, TALLY, retain))
    await until(lambda: stage.hub.retained(TALLY))
    await guest.join(TALLY)
    await turns(2)
    (signal,) = guest.wire.told_of(Subscribed)[0].signals
    assert (signal.key, signal.content) == ("cursor", {"at": 3})
    assert signal.owner == owner.session.id


async def test_a_closed_session_joins_nothing(stage: Stage) -> None:
    """Not even where the command was on its way."""
    guest = stage.guest()
    guest.session.gone()
    await stage.hub.join(guest.session, Subscribe(1, ROOM))
    assert not stage.hub.channels[ROOM].subscriptions


async def test_leaving_where_one_is_not_is_nothing(stage: Stage) -> None:
    """It is answered, like any unsubscribe."""
    guest = stage.guest()
    await guest.session.dispatch(Unsubscribe(3, ROOM))
    await turns(2)
    assert guest.told == [Done(3, ROOM)]


async def test_what_a_kind_cannot_load_is_unavailable(stage: Stage) -> None:
    """And is loaded at the next try."""
    guest = stage.guest()
    stage.tally.load_fault = OSError("away")
    await guest.join(TALLY)
    stage.tally.load_fault = None
    await guest.join(TALLY)
    await turns(2)
    assert guest.told[0] == Failed(1, TALLY, UNAVAILABLE)
    assert isinstance(guest.told[1], Subscribed)


async def test_a_signal_before_the_reply_waits_behind_it(stage: Stage) -> None:
    """The subscribe reply leaves before the channel's first event."""
    await stage.say(1)
    guest = stage.guest()
    stage.log.read_gate.clear()
    joining = asyncio.Task(guest.join())
    await until(lambda: stage.hub.channels[ROOM].subscriptions)
    await stage.hint("held")
    stage.log.read_gate.set()
    await joining
    await turns(2)
    assert [type(each) for each in guest.told] == [Subscribed, Signal]
