from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from server.errors import TOO_MANY_REQUESTS, UNAVAILABLE, Refusal
from server.hub import pump as pump_module
from server.model import (
    Event,
    Joined,
    Left,
    Position,
    Principal,
    Publication,
    Publish,
    Reset,
    Signal,
    Subscribed,
)
from server.nodes import healing
from server.nodes.presence import ANNOUNCED_MEMBERS
from server.queues.flusher import SLICE_S
from server.queues.inbox import WAITING_BROADCASTS
from tests.hub.stage import ANN, BOB, ROOM, TALLY, Guest, Stage, raise_curtain
from tests.hub.wires import RecordingCodec
from tests.looptime import LoopTime, turns, until


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


@pytest.fixture
def pauses(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the hub waited for, which here takes a turn of the loop."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(stage.hub, "pause", pause)
    return waited


def contents(guest: Guest) -> list[object]:
    """What a guest was told live."""
    return [each.content for each in guest.wire.told_of(Publication)]


async def joined(
    stage: Stage, channel: str = ROOM, *, codec: RecordingCodec | None = None
) -> Guest:
    """A guest who is in the channel."""
    guest = stage.guest(codec=codec)
    await guest.join(channel)
    await turns(2)
    return guest


async def test_thousands_get_one_order(stage: Stage) -> None:
    """Though the fan-out takes many turns; each publication is encoded once a codec."""
    words = [RecordingCodec("one"), RecordingCodec("two")]
    crowd = [await joined(stage, codec=words[n % 2]) for n in range(1_500)]
    before = stage.hub.stats.encodes
    for number in range(10):
        await stage.hub.submit(ANN, ROOM, Event("message", number))
    await until(lambda: contents(crowd[-1])[-1:] == [9], 20_000)
    await turns(20)
    assert all(contents(guest) == list(range(10)) for guest in crowd)
    assert stage.hub.stats.encodes - before == 10 * 2
    assert stage.hub.stats.deliveries == 10 * 1_500


async def test_a_long_fan_out_gives_the_loop_back(stage: Stage) -> None:
    """And finishes one run of publications before it begins the next."""
    words = RecordingCodec()
    crowd = [await joined(stage, codec=words) for _ in range(300)]
    LoopTime(step_s=SLICE_S)
    stage.hub.deliver(_published(1))
    stage.hub.deliver(_published(2))
    await turns(1)
    assert 0 < sum(contents(guest) == [1, 2] for guest in crowd) < 300
    await until(lambda: all(contents(guest) == [1, 2] for guest in crowd))
    assert {len(guest.wire.chunks) for guest in crowd} == {2}


def _published(offset: int, epoch: str = "e1") -> Publication:
    return Publication(ROOM, Position(epoch, offset), "message", offset, None, 0)


async def test_what_was_seen_is_dropped(stage: Stage) -> None:
    """A backplane that says it twice doubles nothing."""
    guest = await joined(stage)
    await stage.say(1)
    stage.hub.deliver(_published(1))
    await stage.say(2)
    await turns(3)
    assert contents(guest) == [1, 2]


async def test_what_the_backplane_lost_is_read_from_the_log(stage: Stage) -> None:
    """Before the next one is given; in order, once, and counted."""
    guest = await joined(stage)
    await stage.say(0)
    stage.backplane.loses = lambda publication: publication.content in (1, 2, 3)
    for number in range(1, 6):
        await stage.say(number)
    await until(lambda: len(contents(guest)) == 6)
    assert contents(guest) == [0, 1, 2, 3, 4, 5]
    assert len(stage.backplane.lost) == 3
    assert stage.hub.stats.healed == 3
    assert guest.wire.told_of(Reset) == []


async def test_a_memory_of_what_was_delivered_does_not_hide_a_loss() -> None:
    """It ends where the loss begins; the log behind it is asked."""
    async with raise_curtain(recall=True) as stage:
        guest = await joined(stage)
        await stage.say(1)
        stage.backplane.loses = lambda publication: publication.content in (2, 3)
        for number in (2, 3, 4):
            await stage.say(number)
        await until(lambda: len(contents(guest)) == 4)
        assert contents(guest) == [1, 2, 3, 4]
        assert guest.wire.told_of(Reset) == []


async def test_the_first_publication_can_be_lost_too(stage: Stage) -> None:
    """The place before it is known from the join."""
    guest = await joined(stage)
    stage.backplane.loses = lambda publication: publication.content == 1
    await stage.say(1)
    await stage.say(2)
    await until(lambda: len(contents(guest)) == 2)
    assert contents(guest) == [1, 2]


async def test_a_long_loss_is_read_in_pieces(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where one read does not bring it all."""
    monkeypatch.setattr(healing, "HEAL_LIMIT", 7)
    guest = await joined(stage)
    stage.backplane.loses = lambda publication: publication.content != 30
    for number in range(1, 31):
        await stage.say(number)
    await until(lambda: len(contents(guest)) == 30)
    assert contents(guest) == list(range(1, 31))


async def test_a_log_that_is_away_loses_nothing(
    stage: Stage, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again until it answers; meanwhile what comes waits in order."""
    guest = await joined(stage)
    stage.backplane.loses = lambda publication: publication.content == 1
    await stage.say(1)
    stage.log.read_fault = OSError("away")
    await stage.say(2)
    await until(lambda: len(pauses) >= 3)
    await stage.say(3)
    assert contents(guest) == []
    stage.log.read_fault = None
    await until(lambda: len(contents(guest)) == 3)
    assert contents(guest) == [1, 2, 3]
    assert set(pauses) == {pump_module.RETRY_S}
    assert "cannot read the log" in caplog.text


async def test_a_reset_that_overtakes_the_healing_ends_it(stage: Stage) -> None:
    """What was missing is of a stream that has ended."""
    guest = await joined(stage)
    stage.backplane.loses = lambda publication: publication.content == 1
    await stage.say(1)
    stage.log.read_gate.clear()
    await stage.say(2)
    await turns(3)
    anew = asyncio.Task(stage.hub.new_epoch(ROOM))
    await turns(3)
    stage.log.read_gate.set()
    await anew
    await stage.say(3)
    await until(lambda: 3 in contents(guest))
    assert contents(guest) == [3]
    assert guest.wire.told_of(Reset) == [Reset(ROOM, Position("e2", 0))]


async def test_a_log_that_lost_its_tail_begins_a_new_stream(stage: Stage) -> None:
    """What cannot be had is told: reload, then go on with what there is."""
    guest = await joined(stage)
    stage.hub.deliver(_published(5))
    await until(lambda: contents(guest))
    assert guest.wire.told_of(Reset) == [Reset(ROOM, Position("e1", 4))]
    assert contents(guest) == [5]


async def test_a_new_epoch_is_told_to_all(stage: Stage) -> None:
    """Before its first publication, to each once; what follows is the new stream."""
    crowd = [await joined(stage) for _ in range(5)]
    await stage.say("old")
    await stage.hub.new_epoch(ROOM)
    at = await stage.say("new")
    await turns(5)
    assert at == Position("e2", 1)
    for guest in crowd:
        kinds = [type(each) for each in guest.told]
        assert kinds == [Subscribed, Publication, Reset, Publication]
        assert guest.wire.told_of(Reset) == [Reset(ROOM, Position("e2", 0))]


async def test_a_new_epoch_under_load_is_told_once(stage: Stage) -> None:
    """What waits of the old stream is let go, not told after the reset."""
    words = RecordingCodec()
    crowd = [await joined(stage, codec=words) for _ in range(1_000)]
    for number in range(50):
        await stage.hub.submit(ANN, ROOM, Event("message", number))
    await turns(3)
    await stage.hub.new_epoch(ROOM)
    for number in range(50, 60):
        await stage.hub.submit(ANN, ROOM, Event("message", number))
    await until(lambda: 59 in contents(crowd[-1]), 20_000)
    await turns(50)
    for guest in crowd:
        assert len(guest.wire.told_of(Reset)) == 1
        epochs = [each.position.epoch for each in guest.wire.told_of(Publication)]
        assert epochs == sorted(epochs)
        assert contents(guest)[-10:] == list(range(50, 60))
        offsets = [each.position for each in guest.wire.told_of(Publication)]
        assert len(set(offsets)) == len(offsets)


async def test_another_nodes_new_epoch_is_told(stage: Stage) -> None:
    """A publication of a stream that the log has too."""
    guest = await joined(stage)
    await stage.say("old")
    stage.log.drop(ROOM)
    await stage.say("new")
    await until(lambda: "new" in contents(guest))
    assert guest.wire.told_of(Reset) == [Reset(ROOM, Position("e2", 0))]
    assert contents(guest) == ["old", "new"]


async def test_a_new_epoch_is_told_once_though_it_is_found_twice(stage: Stage) -> None:
    """By a publication, and by a load that had begun before it came."""
    guest = await joined(stage)
    await stage.say("old")
    channel = stage.hub.channels[ROOM]
    before = channel.top
    stage.log.drop(ROOM)
    at = await stage.say("new")
    await until(lambda: "new" in contents(guest))
    channel.found(before, at)
    await stage.say("newer")
    await until(lambda: "newer" in contents(guest))
    assert len(guest.wire.told_of(Reset)) == 1


async def test_a_late_publication_of_an_ended_stream_is_dropped(stage: Stage) -> None:
    """The log knows which stream is the living one."""
    guest = await joined(stage)
    await stage.say("old")
    await stage.hub.new_epoch(ROOM)
    await stage.say("new")
    stage.hub.deliver(_published(2, "e1"))
    await stage.say("newer")
    await until(lambda: "newer" in contents(guest))
    assert contents(guest) == ["old", "new", "newer"]
    assert len(guest.wire.told_of(Reset)) == 1


async def test_only_memory_channels_in_use_get_a_new_epoch(stage: Stage) -> None:
    """Others are refused."""
    with pytest.raises(Refusal) as refused:
        await stage.hub.new_epoch("open:nobody")
    assert refused.value.error.code == UNAVAILABLE.code
    await joined(stage)
    stage.log.durable = True
    with pytest.raises(Refusal):
        await stage.hub.new_epoch(ROOM)


async def test_a_fold_that_fails_stops_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The publication is given all the same, and the state is read anew."""
    guest = await joined(stage, TALLY)
    stage.tally.fold_fault = ValueError("bug")
    await stage.hub.publish(TALLY, 1, event="add")
    stage.tally.fold_fault = None
    await stage.hub.publish(TALLY, 2, event="add")
    await turns(3)
    assert contents(guest) == [1, 2]
    assert stage.tally.folded[TALLY] == [1, 2]
    assert stage.tally.loads == 2
    assert "cannot fold" in caplog.text


async def test_a_codec_that_fails_leaves_the_others_their_frames(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own sessions get nothing."""
    broken = RecordingCodec("broken")
    mute, sound = await joined(stage, codec=broken), await joined(stage)
    broken.broken = (Publication,)
    await stage.say(1)
    await turns(3)
    assert (contents(mute), contents(sound)) == ([], [1])
    assert "codec broken cannot encode" in caplog.text


async def test_people_are_counted_not_sessions(stage: Stage) -> None:
    """Joins and leaves are told of the first and last session, to who asked."""
    watcher, deaf = stage.guest(BOB), stage.guest(BOB)
    await watcher.join(presence=True)
    await deaf.join()
    first, second = stage.guest(ANN), stage.guest(ANN)
    await first.join()
    await second.join()
    await first.join()
    first.session.gone()
    await turns(3)
    second.session.gone()
    await turns(3)
    told = [each for each in watcher.told if isinstance(each, Joined | Left)]
    assert told == [Joined(ROOM, BOB, 1), Joined(ROOM, ANN, 2), Left(ROOM, ANN, 1)]
    assert [type(each) for each in deaf.told] == [Subscribed]


async def test_crowds_are_only_counted(stage: Stage) -> None:
    """Above 200 people neither joins nor leaves are told."""
    watcher = stage.guest(BOB)
    await watcher.join(presence=True)
    crowd = []
    for number in range(ANNOUNCED_MEMBERS + 1):
        guest = stage.guest(Principal(f"g_{number}", "x"))
        await guest.join()
        crowd.append(guest)
    await until(lambda: len(watcher.wire.told_of(Joined)) == ANNOUNCED_MEMBERS)
    for guest in crowd:
        guest.session.gone()
    await until(
        lambda: (
            watcher.wire.told_of(Left)[-1:] == [Left(ROOM, crowd[-1].session.who, 1)]
        )
    )
    assert [each.count for each in watcher.wire.told_of(Joined)] == list(range(1, 201))
    told = [each.count for each in watcher.wire.told_of(Left)]
    assert told == list(range(ANNOUNCED_MEMBERS - 1, 0, -1))


async def test_retained_signals_fall_with_their_session(stage: Stage) -> None:
    """All are told which; who sent another in the meantime keeps it."""
    reader, owner = await joined(stage, TALLY), await joined(stage, TALLY)
    heir = await joined(stage, TALLY)
    await _retain(owner, 1, "a")
    await _retain(owner, 2, "b")
    await _retain(owner, 3, "c")
    await _retain(heir, 4, "b")
    await _retain(owner, None, "c")
    await until(lambda: set(stage.hub.retained(TALLY)) == {"a", "b"})
    owner.session.gone()
    await until(
        lambda: len([each for each in reader.wire.told_of(Signal) if each.fell]) > 1
    )
    fallen = [each.key for each in reader.wire.told_of(Signal) if each.fell]
    assert fallen == ["c", "a"]
    assert set(stage.hub.retained(TALLY)) == {"b"}


async def _retain(guest: Guest, content: object, key: str) -> None:
    event = Event("retain", content, key, signal=True)  # type: ignore[arg-type]
    await guest.session.dispatch(Publish(None, TALLY, event))
    await turns(2)


async def test_nothing_comes_before_the_top_is_known(stage: Stage) -> None:
    """What is delivered while a channel opens waits; nothing is doubled."""
    await stage.hub.publish(TALLY, 1, event="add")
    await stage.hub.publish(TALLY, 2, event="add")
    published = (await stage.hub.history(ANN, TALLY)).publications
    del stage.hub.channels[TALLY]
    stage.log.read_gate.clear()
    guest = stage.guest()
    joining = asyncio.Task(guest.join(TALLY))
    await turns(2)
    stage.hub.deliver(published[1])
    third = replace(published[1], position=Position("e1", 3), content=3)
    stage.hub.deliver(third)
    assert not stage.hub.channels[TALLY].idle
    stage.log.read_gate.set()
    await joining
    await turns(2)
    assert stage.tally.folded[TALLY] == [1, 2, 3]
    assert guest.wire.told_of(Reset) == []


async def test_a_channel_that_is_opened_in_vain_keeps_nothing(stage: Stage) -> None:
    """What came for it meanwhile is let go, so that it can be swept."""
    stage.log.read_gate.clear()
    stage.log.read_fault = OSError("away")
    opening = asyncio.Task(stage.hub.publish(TALLY, 1, event="add"))
    await turns(2)
    one = Publication(TALLY, Position("e1", 1), "add", 1, None, 0)
    stage.hub.deliver(one)
    assert not stage.hub.channels[TALLY].idle
    stage.log.read_gate.set()
    with pytest.raises(Refusal):
        await opening
    assert stage.hub.channels[TALLY].idle
    stage.hub.deliver(one)
    assert stage.hub.channels[TALLY].idle, "nobody opens it"
    stage.log.read_fault = None


async def test_who_outruns_the_fan_out_is_refused(stage: Stage) -> None:
    """As too many requests, until what waits has been given."""
    guest = await joined(stage)
    channel = stage.hub.channels[ROOM]
    stage.log.read_gate.clear()
    stage.hub.deliver(_published(2))
    for offset in range(3, WAITING_BROADCASTS + 2):
        stage.hub.deliver(_published(offset))
    with pytest.raises(Refusal) as refused:
        await stage.hub.publish(ROOM, 1)
    assert refused.value.error is TOO_MANY_REQUESTS
    stage.log.read_gate.set()
    await until(lambda: channel.idle or not channel.inbox)
    await stage.hub.publish(ROOM, 1)
    assert not guest.session.closed
