"""Clients that move between nodes, and nodes that lost what they said of them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from server.model import Left, Member, Position
from tests.hub.nodes import NodeStage, raise_nodes
from tests.hub.stage import ANN, BOB, ROOM, Guest
from tests.hub.test_nodes import caret, joined
from tests.looptime import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.model import JSON


@pytest.fixture
async def nodes() -> AsyncIterator[list[NodeStage]]:
    """Three of them, of which the last is watched by Bob."""
    async with raise_nodes(3) as raised:
        await joined(raised[2], BOB)
        yield raised


def show(node: NodeStage, guest: Guest, content: JSON) -> None:
    """Retain a caret under the key of one client, wherever it is connected."""
    caret(node, guest, content, "77")


async def read_rolls(nodes: list[NodeStage]) -> None:
    """Do what happens every half minute."""
    for node in nodes:
        node.hub.watch.call_rolls()
    await turns(50)


async def test_a_client_that_moved_leaves_no_ghost(nodes: list[NodeStage]) -> None:
    """It comes back by another node before the first one noticed, then goes."""
    one = await joined(nodes[0])
    show(nodes[0], one, 1)
    two = await joined(nodes[1])
    show(nodes[1], two, 2)
    await turns(5)
    one.session.gone()
    await turns(5)
    two.session.gone()
    await turns(5)
    await read_rolls(nodes)
    assert [dict(node.hub.retained(ROOM)) for node in nodes] == [{}] * 3


async def test_a_client_that_moved_does_not_flap(nodes: list[NodeStage]) -> None:
    """Reading the rolls does not bring the older state back."""
    one, two = await joined(nodes[1]), await joined(nodes[0])
    show(nodes[1], one, 1)
    show(nodes[0], two, 2)
    await turns(5)
    await read_rolls(nodes)
    assert [node.hub.retained(ROOM)["77"].content for node in nodes] == [2, 2, 2]


async def test_a_key_taken_on_two_nodes_at_once_falls(nodes: list[NodeStage]) -> None:
    """Neither had heard the other; nothing stays when both sessions have gone."""
    one, two = await joined(nodes[0]), await joined(nodes[1])
    network = nodes[0].backplane.network
    under_way: deque[object] = deque()
    send = network.send
    setattr(network, "send", under_way.append)  # noqa: B010 - for a moment
    show(nodes[0], one, 1)
    show(nodes[1], two, 2)
    setattr(network, "send", send)  # noqa: B010
    for each in under_way:
        send(each)  # type: ignore[arg-type]
    await turns(5)
    one.session.gone()
    two.session.gone()
    await turns(20)
    await read_rolls(nodes)
    assert [dict(node.hub.retained(ROOM)) for node in nodes] == [{}] * 3


async def test_who_left_while_all_was_lost_has_left(nodes: list[NodeStage]) -> None:
    """Also for the own node, which heard nothing, and of which no roll is left."""
    ann, bob = await joined(nodes[0]), await joined(nodes[0], BOB)
    caret(nodes[0], bob, 1)
    await turns(5)
    nodes[0].backplane.cut()
    nodes[0].backplane.network.rolls.clear()
    bob.session.gone()
    (watching,) = nodes[2].hub.sessions.values()
    watching.gone()
    nodes[0].backplane.mend()
    await turns(50)
    await read_rolls(nodes)
    assert nodes[0].hub.retained(ROOM) == {}
    assert Left(ROOM, BOB, 1) in ann.wire.told_of(Left)


async def test_a_roll_that_lacks_somebody_is_mended(nodes: list[NodeStage]) -> None:
    """Also where the others heard of them, and nobody was cut off."""
    await joined(nodes[0])
    await turns(5)
    nodes[0].backplane.network.rolls.clear()
    await read_rolls(nodes)
    late = NodeStage(nodes[1].hub, nodes[1].backplane, nodes[1].log)
    await joined(late)
    await turns(5)
    people, _ = await late.hub.presence(ANN, ROOM)
    assert {(each.user.id, each.sessions) for each in people} == {
        (ANN.id, 2),
        (BOB.id, 1),
    }


async def test_who_came_while_it_could_not_be_opened_is_seen() -> None:
    """The next opening reads the roll again."""
    async with raise_nodes(2) as nodes:
        nodes[0].log.read_fault = OSError("away")
        await nodes[0].guest().join()
        nodes[0].log.read_fault = None
        await joined(nodes[1], BOB)
        await turns(5)
        await joined(nodes[0])
        await turns(5)
        found = await nodes[0].hub.presence(ANN, ROOM)
        assert found == ((Member(BOB, 1), Member(ANN, 1)), 2)


async def test_a_roll_that_cannot_be_read_harms_no_other(
    nodes: list[NodeStage], caplog: pytest.LogCaptureFixture
) -> None:
    """The watch goes on."""
    await joined(nodes[0])
    roll = nodes[0].backplane.roll

    async def fails(channel: str) -> object:
        raise ValueError(channel)

    setattr(nodes[0].backplane, "roll", fails)  # noqa: B010 - for a moment
    await read_rolls(nodes)
    assert "the roll cannot be read" in caplog.text
    setattr(nodes[0].backplane, "roll", roll)  # noqa: B010
    nodes[0].backplane.network.rolls.clear()
    await read_rolls(nodes)
    assert "n_1" in nodes[0].backplane.network.rolls[ROOM]


def test_a_position_reaches_what_is_not_after_it() -> None:
    """Of the same stream only."""
    at = Position("e", 5)
    assert at.reaches(at)
    assert at.reaches(Position("e", 4))
    assert not at.reaches(Position("e", 6))
    assert not at.reaches(Position("f", 4))
