"""What every backplane promises (`seams.backplane`); one suite for all of them."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest

from server.backplanes.local import LocalBackplane
from server.backplanes.redis import link
from server.errors import FORCED
from server.model import Position, Principal, Publication, Signal
from server.runtime.tasks import Tasks
from server.seams.backplane import Node, SendAway
from tests.backplanes.redis.nodes import (
    ANN,
    BOB,
    ROOM,
    Heard,
    attendance,
    cursor,
    holds,
    running,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from server.model import Attendance, Broadcast
    from server.seams.backplane import Backplane
    from tests.services.redis import RedisServer

Attached: TypeAlias = "tuple[Backplane, Heard]"
SMILE = "\N{GRINNING FACE}\0"


def published(channel: str, offset: int) -> Publication:
    """A publication."""
    return Publication(channel, Position("e", offset), "message", offset, None, 0)


def of(channel: str, broadcasts: Sequence[Broadcast]) -> list[Broadcast]:
    """Return those of one channel."""
    return [each for each in broadcasts if each.channel == channel]


@asynccontextmanager
async def local() -> AsyncIterator[Attached]:
    """Run the backplane of one process."""
    backplane, heard, tasks = LocalBackplane(), Heard(), Tasks()
    backplane.attach(heard)
    await tasks.start()
    await backplane.start(tasks)
    yield backplane, heard
    await backplane.stop()
    await tasks.stop()


@pytest.fixture(params=["local", "redis"])
async def attached(request: pytest.FixtureRequest) -> AsyncIterator[Attached]:
    """Each backplane in its turn, started, with what it brings."""
    if request.param == "local":
        async with local() as made:
            yield made
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        async with running(server.url) as member:
            yield member.backplane, member.heard


@pytest.fixture(params=["redis"])
async def three(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[list[Attached]]:
    """Give three nodes, on each backplane that connects any."""
    monkeypatch.setattr(link, "BEAT_S", 0.1)
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(running(redis_server.url)) for _ in range(3)
        ]
        yield [(each.backplane, each.heard) for each in members]


SAID = [
    published(ROOM, 1),
    Publication(
        ROOM, Position("Ab9", 2**53 - 1), "said", b"\0\xff:{}", ANN, 1_700_000, "k:1"
    ),
    Publication(
        ROOM, Position("e", 3), "said", {"a": [1.5, None, SMILE, -(10**15)]}, BOB, 0
    ),
    Signal(ROOM, "hint", {"x": 1}, None, 5),
    Signal(ROOM, "typing", None, Principal("u_x", SMILE), 5, "k"),
]


@pytest.mark.parametrize("said", SAID, ids=range(len(SAID)))
async def test_what_is_said_comes_back_as_it_was(
    attached: Attached, said: Publication | Signal
) -> None:
    """To this node too: bytes stay bytes, and who said nothing stays nobody."""
    backplane, heard = attached
    await backplane.enter(ROOM)
    backplane.publish(said)
    await holds(lambda: heard.came)
    assert heard.came == [said]


async def test_what_a_node_says_of_its_people_comes_back(attached: Attached) -> None:
    """Attendances and retained signals, their fall as well."""
    backplane, heard = attached
    await backplane.enter(ROOM)
    said: list[Attendance | Signal] = [
        attendance(backplane, BOB, 2, 1),
        cursor(backplane, "c", 2),
        cursor(backplane, "c", 3, fell=True),
        attendance(backplane, BOB, 0, 4),
    ]
    for each in said:
        backplane.publish(each)
    await holds(lambda: len(heard.came) == len(said))
    assert heard.came == said


async def test_a_channel_keeps_its_order(attached: Attached) -> None:
    """That of the calls, whatever is said, and nothing twice."""
    backplane, heard = attached
    for channel in ("open:a", "open:b"):
        await backplane.enter(channel)
    for offset in range(1, 1_001):
        for channel in ("open:a", "open:b"):
            backplane.publish(published(channel, offset))
    await holds(lambda: len(heard.came) >= 2_000)
    for channel in ("open:a", "open:b"):
        assert of(channel, heard.came) == [
            published(channel, offset) for offset in range(1, 1_001)
        ]


async def test_what_is_published_while_delivering_comes_too(
    attached: Attached,
) -> None:
    """A delivery may lead to another."""
    backplane, heard = attached
    await backplane.enter("open:a")
    take = heard.deliver

    def deliver(broadcast: Broadcast) -> None:
        take(broadcast)
        if len(heard.came) == 1:
            backplane.publish(published("open:a", 2))

    heard.deliver = deliver  # type: ignore[method-assign]
    backplane.publish(published("open:a", 1))
    await holds(lambda: len(heard.came) == 2)


async def test_entering_again_and_leaving_is_no_harm(attached: Attached) -> None:
    """What is entered is brought, however often it was before; a stranger is left."""
    backplane, heard = attached
    backplane.leave("open:never")
    for _ in range(3):
        await backplane.enter(ROOM)
        await backplane.enter(ROOM)
        backplane.leave(ROOM)
    await backplane.enter(ROOM)
    backplane.publish(published(ROOM, 1))
    await holds(lambda: heard.came)
    assert heard.came == [published(ROOM, 1)]


async def test_orders_are_carried_out_here_too(attached: Attached) -> None:
    """By the node that gives them."""
    backplane, heard = attached
    backplane.order(SendAway("u_ann", FORCED))
    await holds(lambda: heard.orders)
    assert heard.orders == [SendAway("u_ann", FORCED)]


async def test_a_node_is_among_the_nodes(attached: Attached) -> None:
    """With the newest card that it was described by."""
    backplane, _ = attached
    assert list(backplane.nodes()) == [Node(backplane.node, None)]
    backplane.describe({"sessions": 3})
    assert list(backplane.nodes()) == [Node(backplane.node, {"sessions": 3})]
    assert backplane.fault is None


async def test_a_lease_is_kept_with_one_fence(attached: Attached) -> None:
    """As long as it is not given up; then the next fence is greater."""
    backplane, _ = attached
    first = await backplane.hold("market")
    other = await backplane.hold("census")
    assert first is not None
    assert other is not None
    assert await backplane.hold("market") == first
    assert (first.lease, other.lease) == ("market", "census")
    await backplane.release("market")
    await backplane.release("market")
    second = await backplane.hold("market")
    assert second is not None
    assert second.number > first.number


async def test_all_nodes_hear_the_same_order(three: list[Attached]) -> None:
    """Whoever speaks; and each speaker's own order is kept in it."""
    for backplane, _ in three:
        await backplane.enter(ROOM)
    for offset in range(1, 101):
        for number, (backplane, _) in enumerate(three):
            signal = Signal(ROOM, "said", [number, offset], None, 0)
            backplane.publish(signal)
    for _, heard in three:
        await holds(lambda heard=heard: len(heard.came) == 300)  # type: ignore[misc]
    first, *others = [heard.came for _, heard in three]
    assert all(other == first for other in others)
    said = [each.content for each in first if isinstance(each, Signal)]
    for number in range(3):
        mine = [each for each in said if isinstance(each, list) and each[0] == number]
        assert mine == [[number, offset] for offset in range(1, 101)]


async def test_only_what_was_entered_is_brought(three: list[Attached]) -> None:
    """And what was left is brought no longer."""
    (one, heard_one), (two, heard_two), (_, heard_three) = three
    await one.enter("open:a")
    await two.enter("open:a")
    await two.enter("open:b")
    two.leave("open:a")
    for channel in ("open:a", "open:b"):
        one.publish(published(channel, 1))
    await holds(lambda: heard_one.came and heard_two.came)
    assert heard_one.came == [published("open:a", 1)]
    assert heard_two.came == [published("open:b", 1)]
    assert heard_three.came == []


async def test_an_order_reaches_every_node(three: list[Attached]) -> None:
    """Wherever the user's sessions are."""
    three[0][0].order(SendAway("u_ann", FORCED))
    for _, heard in three:
        await holds(lambda heard=heard: heard.orders)  # type: ignore[misc]
        assert heard.orders == [SendAway("u_ann", FORCED)]


async def test_a_roll_is_what_all_nodes_said(three: list[Attached]) -> None:
    """Each with its newest stamp; what was taken back is not there any more."""
    (one, heard), (two, _), (three_, _) = three
    await one.enter(ROOM)
    assert list(await one.roll(ROOM)) == []
    ann, bob = attendance(one, ANN, 2, 1), attendance(two, BOB, 1, 7)
    gone, mouse = cursor(two, "gone", 8), cursor(two, "mouse", 10)
    for backplane, said in ((one, ann), (two, bob), (two, gone), (two, mouse)):
        backplane.publish(said)
    two.publish(cursor(two, "gone", 11, fell=True))
    one.publish(attendance(one, ANN, 0, 12))
    await holds(lambda: len(heard.came) == 6)
    rolls = {roll.node: roll for roll in await three_.roll(ROOM)}
    assert rolls.keys() == {one.node, two.node}
    assert (rolls[one.node].stamp, rolls[two.node].stamp) == (12, 11)
    assert not rolls[one.node].attendances
    assert list(rolls[two.node].attendances) == [bob]
    assert list(rolls[two.node].signals) == [mouse]
    assert list(await three_.roll("open:other")) == []


async def test_nodes_hear_of_each_other(three: list[Attached]) -> None:
    """Of what they say of themselves too, and of one that leaves."""
    three[1][0].describe({"sessions": 7})
    named = sorted(backplane.node for backplane, _ in three)
    for backplane, _ in three:
        await holds(
            lambda backplane=backplane: (  # type: ignore[misc]
                [each.id for each in backplane.nodes()] == named
                and {"sessions": 7} in [each.card for each in backplane.nodes()]
            )
        )
    leaver = three[2][0]
    await leaver.stop()
    for backplane, heard in three[:2]:
        await holds(lambda heard=heard: f"lost {leaver.node}" in heard.told)  # type: ignore[misc]
        assert leaver.node not in [each.id for each in backplane.nodes()]
        assert heard.told == ["reunited", f"lost {leaver.node}"]


async def test_what_a_node_said_goes_with_it(three: list[Attached]) -> None:
    """Its people and signals are in no roll any more."""
    (one, heard), (two, _), _ = three
    await one.enter(ROOM)
    two.publish(attendance(two, BOB, 1, 1))
    await holds(lambda: heard.came)
    await two.stop()
    assert list(await one.roll(ROOM)) == []


async def test_one_node_has_a_lease(three: list[Attached]) -> None:
    """The next one gets it with a greater fence; giving up another's does nothing."""
    (one, _), (two, _), _ = three
    first = await one.hold("market")
    assert first is not None
    assert await two.hold("market") is None
    await two.release("market")
    assert await two.hold("market") is None
    await one.release("market")
    second = await two.hold("market")
    assert second is not None
    assert second.number > first.number
    assert await one.hold("market") is None
