"""Several hubs, as many nodes are: one order, one presence, nothing lost silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.errors import FORCED, UNAVAILABLE, Refusal
from server.model import (
    Event,
    Failed,
    Joined,
    Left,
    Member,
    Publication,
    Reset,
    Signal,
    Standing,
    Subscribed,
)
from tests.hub.nodes import NodeStage, raise_nodes
from tests.hub.stage import ANN, BOB, ROOM, Guest
from tests.looptime import LoopTime, turns, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.model import JSON


@pytest.fixture
async def nodes() -> AsyncIterator[list[NodeStage]]:
    """Three of them."""
    async with raise_nodes(3) as raised:
        yield raised


async def joined(node: NodeStage, who: object = ANN, channel: str = ROOM) -> Guest:
    """Open a session on a node and join a channel, with presence."""
    guest = node.guest(BOB if who is BOB else ANN)
    await guest.join(channel, presence=True)
    return guest


def contents(guest: Guest) -> list[JSON | bytes]:
    """What publications it was told."""
    return [each.content for each in guest.wire.told_of(Publication)]


def caret(node: NodeStage, guest: Guest, content: JSON, key: str | None = None) -> None:
    """Retain a signal, as notes do, while the session lives; `key` None: its id."""
    node.hub.send_signal(
        Signal(
            ROOM,
            "caret",
            content,
            guest.session.who,
            0,
            key or guest.session.id,
            retained=True,
            owner=guest.session.id,
        )
    )


async def test_what_is_said_on_one_node_is_heard_on_all(
    nodes: list[NodeStage],
) -> None:
    """In one order, whichever node it was said on."""
    crowd = [await joined(node) for node in nodes]
    for number in range(30):
        await nodes[number % 3].say(number, ROOM)
    await until(lambda: all(len(contents(guest)) == 30 for guest in crowd))
    assert [contents(guest) for guest in crowd] == [list(range(30))] * 3


async def test_people_are_seen_from_all_nodes(nodes: list[NodeStage]) -> None:
    """Who comes and goes is told once, and who is there is counted over all."""
    one = await joined(nodes[0])
    two = await joined(nodes[1], BOB)
    again = await joined(nodes[2], BOB)
    await turns(5)
    joins = [(each.user, each.count) for each in one.wire.told_of(Joined)]
    assert joins == [(ANN, 1), (BOB, 2)]
    (reply,) = again.wire.told_of(Subscribed)
    assert reply.members == (Member(ANN, 1), Member(BOB, 2))
    two.session.gone()
    await turns(5)
    assert one.wire.told_of(Left) == []
    again.session.gone()
    await turns(5)
    assert one.wire.told_of(Left) == [Left(ROOM, BOB, 1)]


async def test_a_dead_nodes_people_leave(nodes: list[NodeStage]) -> None:
    """And what their sessions retained falls, on every other node."""
    one = await joined(nodes[0])
    two = await joined(nodes[1], BOB)
    caret(nodes[1], two, {"at": 5})
    late = await joined(nodes[2])
    await turns(5)
    (reply,) = late.wire.told_of(Subscribed)
    assert [each.content for each in reply.signals] == [{"at": 5}]
    nodes[0].backplane.network.kill("n_2")
    await turns(5)
    assert one.wire.told_of(Left) == [Left(ROOM, BOB, 1)]
    assert [each.fell for each in one.wire.told_of(Signal)] == [False, True]
    assert await nodes[0].hub.presence(ANN, ROOM) == ((Member(ANN, 2),), 1)


async def test_a_lost_publication_is_read_from_the_log(nodes: list[NodeStage]) -> None:
    """When the next one shows the gap."""
    guest = await joined(nodes[1])
    nodes[0].backplane.network.loses = lambda node, _: node == "n_2"
    await nodes[0].say("lost", ROOM)
    nodes[0].backplane.network.loses = lambda *_: False
    await nodes[0].say("next", ROOM)
    await until(lambda: contents(guest) == ["lost", "next"])
    assert nodes[1].hub.stats.healed == 1


async def test_a_lost_last_publication_is_found_by_the_watch(
    nodes: list[NodeStage],
) -> None:
    """Nothing shows it but the log's top."""
    guest = await joined(nodes[1])
    nodes[0].backplane.network.loses = lambda node, _: node == "n_2"
    await nodes[0].say("lost", ROOM)
    assert contents(guest) == []
    nodes[1].hub.watch.look()
    await until(lambda: contents(guest) == ["lost"])


async def test_the_watch_looks_by_itself(nodes: list[NodeStage]) -> None:
    """Every few seconds."""
    guest = await joined(nodes[1])
    await turns(5)
    time = LoopTime()
    nodes[0].backplane.network.loses = lambda node, _: node == "n_2"
    await nodes[0].say("lost", ROOM)
    await time.advance(5.1)
    await until(lambda: contents(guest) == ["lost"])


async def test_a_stream_renewed_elsewhere_is_told(nodes: list[NodeStage]) -> None:
    """The watch finds the new epoch; who joined it meanwhile is not reset again."""
    old = await joined(nodes[1])
    await nodes[0].say("old", ROOM)
    await until(lambda: contents(old))
    await nodes[0].hub.history(ANN, ROOM)
    await nodes[0].hub.new_epoch(ROOM)
    new = await joined(nodes[1], BOB)
    nodes[1].hub.watch.look()
    await until(lambda: old.wire.told_of(Reset))
    await nodes[0].say("new", ROOM)
    await until(lambda: contents(new) == ["new"])
    assert contents(old) == ["old", "new"]
    assert len(old.wire.told_of(Reset)) == 1
    assert new.wire.told_of(Reset) == []


async def test_a_log_below_what_was_delivered_is_ended(nodes: list[NodeStage]) -> None:
    """Before its offsets are used again: the lost tail becomes a new epoch, for all."""
    guest = await joined(nodes[1])
    for number in range(3):
        await nodes[0].say(number, ROOM)
    await until(lambda: len(contents(guest)) == 3)
    channel = nodes[1].hub.channels[ROOM]
    assert channel.top is not None
    epoch = channel.top.epoch
    channel.top = type(channel.top)(epoch, 5)
    nodes[1].hub.watch.look()
    await until(lambda: guest.wire.told_of(Reset))
    assert guest.wire.told_of(Reset)[0].position.epoch != epoch
    assert nodes[1].hub.stats.renewed == 1


async def test_a_node_that_is_cut_off_says_so(nodes: list[NodeStage]) -> None:
    """Its clients are told, once each way; what they say is refused, as temporary."""
    guest = await joined(nodes[0])
    fresh = nodes[0].guest(BOB)
    nodes[0].backplane.cut()
    with pytest.raises(Refusal) as refused:
        await nodes[0].say("x", ROOM)
    assert refused.value.error.code == UNAVAILABLE.code
    assert refused.value.error.temporary
    with pytest.raises(Refusal):
        await nodes[0].hub.signal(ANN, ROOM, Event("hint", 1, signal=True))
    nodes[0].backplane.receiver.cut_off("again")
    await fresh.join("open:other")
    await turns(5)
    assert [type(each) for each in fresh.told] == [Failed, Standing]
    await nodes[1].say("meanwhile", ROOM)
    nodes[0].backplane.mend()
    await until(lambda: contents(guest) == ["meanwhile"])
    assert guest.wire.told_of(Standing) == [Standing(live=False), Standing(live=True)]
    await nodes[0].say("after", ROOM)


async def test_who_joins_a_node_that_is_cut_off_is_told(
    nodes: list[NodeStage],
) -> None:
    """Behind the reply, where the channel was open already."""
    await joined(nodes[0])
    nodes[0].backplane.cut()
    late = await joined(nodes[0], BOB)
    await turns(5)
    assert [type(each) for each in late.told[:2]] == [Subscribed, Standing]
    nodes[0].backplane.mend()
    await until(lambda: late.wire.told_of(Standing)[-1].live)


async def test_presence_is_right_after_a_cut(nodes: list[NodeStage]) -> None:
    """Who came and went meanwhile, on either side of it."""
    here = await joined(nodes[0])
    there = await joined(nodes[1], BOB)
    gone = await joined(nodes[1], BOB, "open:other")
    await joined(nodes[0], ANN, "open:other")
    await turns(5)
    nodes[1].backplane.cut()
    for node in (nodes[0], nodes[2]):
        node.backplane.receiver.lost("n_2")
    await turns(5)
    assert here.wire.told_of(Left) == [Left(ROOM, BOB, 1)]
    gone.session.gone()
    here.session.gone()
    nodes[1].backplane.mend()
    await until(lambda: len(there.wire.told_of(Left)) == 1)
    await turns(20)
    assert await nodes[0].hub.presence(ANN, ROOM) == ((Member(BOB, 1),), 1)
    assert await nodes[1].hub.presence(ANN, ROOM) == ((Member(BOB, 1),), 1)
    for node in nodes[:2]:
        assert await node.hub.presence(ANN, "open:other") == ((Member(ANN, 1),), 1)


async def test_a_user_is_sent_away_on_all_nodes(nodes: list[NodeStage]) -> None:
    """With every session, and nobody else's."""
    ann = [await joined(node) for node in nodes]
    bob = await joined(nodes[2], BOB)
    nodes[0].hub.disconnect(ANN.id)
    await turns(5)
    assert [guest.wire.closed_with for guest in ann] == [[FORCED]] * 3
    assert bob.wire.closed_with == []


async def test_a_channel_of_a_nodes_own_stays_there(nodes: list[NodeStage]) -> None:
    """It is another one on each node, and works while the node is cut off."""
    crowd = [await joined(node, ANN, "own:here") for node in nodes[:2]]
    nodes[0].backplane.cut()
    await nodes[0].say("mine", "own:here")
    await turns(5)
    assert contents(crowd[0]) == ["mine"]
    assert contents(crowd[1]) == []


async def test_a_log_that_does_not_answer_refuses_at_once(
    nodes: list[NodeStage],
) -> None:
    """From the first look on, until it answers again; clients are told."""
    guest = await joined(nodes[0])
    nodes[0].log.read_fault = OSError("away")
    nodes[0].hub.watch.look()
    await until(lambda: nodes[0].hub.faults)
    with pytest.raises(Refusal):
        await nodes[0].say("x", ROOM)
    assert nodes[0].log.batches == []
    await nodes[0].hub.publish("own:here", "x")
    nodes[0].log.read_fault = None
    nodes[0].hub.watch.look()
    await until(lambda: guest.wire.told_of(Standing)[-1].live)
    await nodes[0].say("x", ROOM)


async def test_a_flood_from_other_nodes_is_bounded(nodes: list[NodeStage]) -> None:
    """What is dropped is read from the log when those before it have gone."""
    guest = await joined(nodes[1])
    nodes[1].log.read_gate.clear()
    nodes[0].backplane.network.loses = lambda node, said: (
        node == "n_2" and isinstance(said, Publication) and said.position.offset == 1
    )
    for number in range(4_500):
        await nodes[0].hub.submit(ANN, ROOM, Event("message", number))
        if number % 500 == 0:
            await turns(10)
    await turns(50)
    assert nodes[1].hub.stats.overflowed > 0
    nodes[1].log.read_gate.set()
    await until(lambda: len(contents(guest)) == 4_500, most_turns=100_000)
    assert contents(guest) == list(range(4_500))
