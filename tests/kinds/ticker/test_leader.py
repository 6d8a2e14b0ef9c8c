from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from server.errors import UNAVAILABLE, Refusal
from server.kinds.ticker import leader as leader_module
from server.kinds.ticker import shown
from server.kinds.ticker.bars import Interval
from server.kinds.ticker.candles import KEPT
from server.kinds.ticker.feed import SNAPSHOT_STRIPS
from server.kinds.ticker.floor import Floor, Moved
from server.kinds.ticker.opening import open_market
from server.kinds.ticker.symbols import Sector, Symbol
from server.kinds.ticker.tape import TAPE, advance
from server.model import Event, Principal
from tests.kinds.ticker.exchange import PAST_S, START_MS
from tests.kinds.ticker.nodes import SEED, Cluster, TickerNode, a_cluster
from tests.kinds.ticker.test_follower import assert_alike

if TYPE_CHECKING:
    from server.hub.session import Kept

ONE = "ticker:ACME"
WILD = Symbol("WILD", "Wild & Sons", Sector.FOOD, "0.01", "50.00", 3.0, 2.0)


def undisturbed(cluster: Cluster) -> Floor:
    """Return the floor of a market of the same seed that one node had all the time.

    Every tick on the tape is compared with its own, one by one.
    """
    market, floor = open_market(SEED, START_MS, PAST_S, cluster.symbols)
    for strip in cluster.bus.strips():
        for step in strip.steps:
            assert step.from_ms == market.now_ms
            taken = advance(market, step.to_ms)
            assert taken == step
            floor.take(taken, Moved())
    return floor


def assert_never_disturbed(cluster: Cluster) -> None:
    """Let the prices be what they had been without any change of leaders."""
    floor = undisturbed(cluster)
    assert floor.now_ms == cluster.leader.floor.now_ms
    assert floor.quotes() == cluster.leader.floor.quotes()
    assert_alike(cluster)


def published(cluster: Cluster, channel: str = ONE) -> list[Any]:
    """Return the contents of all that was published in a channel, in its order."""
    return [each.content for each in cluster.bus.brought if each.channel == channel]


def assert_each_bar_once(cluster: Cluster) -> None:
    """Let closed bars be published once, in order, without a hole."""
    for interval in (Interval.FIVE_SECONDS, Interval.MINUTE):
        told = [
            each["bar"]
            for each in published(cluster)
            if each.get("interval") == interval.value
        ]
        assert told == [
            shown.row_of_bar(bar)
            for bar in cluster.leader.floor.bars("ACME", interval, KEPT[interval])
            if bar.closed and bar.end_ms > START_MS
        ]


async def successor(cluster: Cluster) -> TickerNode:
    """Return the last node, after it has taken over."""
    await cluster.take_over(cluster.nodes[-1])
    return cluster.leader


@pytest.mark.parametrize("strips", [0, 37, SNAPSHOT_STRIPS + 12])
async def test_another_node_goes_on_with_the_very_next_price(strips: int) -> None:
    """When the leader dies: to the last bit what it would have said itself."""
    async with a_cluster() as cluster:
        await cluster.tick(strips)
        await cluster.kill(cluster.leader)
        await successor(cluster)
        await cluster.tick(100)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_the_lead_passes_on_and_on() -> None:
    """Each node in its turn, and back to one that has led before."""
    async with a_cluster() as cluster:
        for turn in range(7):
            await cluster.tick(23)
            await cluster.take_over(cluster.nodes[(turn + 1) % 3])
            # Who led until now learns of it when it looks at its lease.
            for node in cluster.nodes:
                node.pacer.turn()
            await cluster.settle()
        await cluster.tick(23)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_a_time_without_a_leader_is_caught_up_with() -> None:
    """As after a stall: in steps, from the price of before."""
    async with a_cluster() as cluster:
        await cluster.tick(30)
        await cluster.kill(cluster.leader)
        cluster.clock.advance(5.5)
        node = await successor(cluster)
        assert node.floor.now_ms == cluster.clock.now_ms()
        assert [len(strip.steps) for strip in cluster.bus.strips()[-2:]] == [0, 6]
        await cluster.tick(50)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_what_a_dead_leader_had_not_published_is_published() -> None:
    """The strip that closed the bars was its last word; others know which they were."""
    async with a_cluster() as cluster:
        dying = cluster.leader
        submit = dying.hub.submit

        async def die(who: Principal, name: str, event: Event) -> Kept:
            if name != TAPE:
                await asyncio.Event().wait()
            return await submit(who, name, event)

        dying.hub.submit = die  # type: ignore[method-assign]
        before = len(published(cluster))
        for _ in range(60):
            dying.metronome.tick_later()
            await cluster.settle()
        assert len(published(cluster)) == before
        await cluster.kill(dying)
        await successor(cluster)
        assert len(published(cluster)) > before
        await cluster.tick(60)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_what_only_some_bars_know_is_not_said_twice() -> None:
    """A leader that died between the bars of one strip: the rest follow, each once."""
    async with a_cluster() as cluster:
        dying = cluster.leader
        submit = dying.hub.submit
        left = 2

        async def die(who: Principal, name: str, event: Event) -> Kept:
            nonlocal left
            if name != TAPE:
                if left == 0:
                    raise Refusal(UNAVAILABLE)
                left -= 1
            return await submit(who, name, event)

        dying.hub.submit = die  # type: ignore[method-assign]
        await cluster.tick(60)
        await cluster.kill(dying)
        await successor(cluster)
        await cluster.tick(60)
        assert_each_bar_once(cluster)
        contents = [
            (each.channel, str(each.content))
            for each in cluster.bus.brought
            if each.channel != TAPE
        ]
        assert len(contents) == len(set(contents))


async def test_halts_are_said_once() -> None:
    """Begun under one leader, ended under the next."""
    async with a_cluster(symbols=[WILD]) as cluster:

        def said() -> list[str]:
            told = published(cluster, "ticker:WILD")
            return [each["status"] for each in told if "status" in each]

        while said()[-1:] != ["halted"]:
            await cluster.tick()
        before = len(said())
        await cluster.kill(cluster.leader)
        await successor(cluster)
        while len(said()) < before + 1:
            await cluster.tick()
        assert said()[-2:] == ["halted", "trading"]
        assert_never_disturbed(cluster)


async def test_of_two_leaders_the_earlier_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not know yet that it leads no more; nothing of it is seen."""
    async with a_cluster() as cluster:
        earlier = cluster.leader
        reader = cluster.nodes[2].reader()
        await reader.join(ONE)
        await cluster.tick(20)
        await cluster.take_over(cluster.nodes[1])
        said = len(cluster.bus.brought)
        with caplog.at_level(logging.WARNING):
            earlier.metronome.tick_later()
            await cluster.settle()
        assert len(cluster.log.refused) == 1
        assert len(cluster.bus.brought) == said
        assert "the market is not led from here" in caplog.text
        await cluster.tick(90)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)
        # It follows like any other, and may lead again.
        earlier.pacer.turn()
        await cluster.settle()
        await cluster.take_over(earlier)
        await cluster.tick(10)
        assert_never_disturbed(cluster)


async def test_a_strip_before_the_mark_counts() -> None:
    """The earlier leader's last word came in time: the later one goes on from there."""
    async with a_cluster() as cluster:
        earlier, later = cluster.nodes[0], cluster.nodes[1]
        later.backplane.deaf = True
        await cluster.tick(3)
        later.backplane.deaf = False
        await cluster.kill(earlier)
        await cluster.take_over(later)
        await cluster.tick(20)
        assert_never_disturbed(cluster)


async def test_all_nodes_may_go_and_others_come() -> None:
    """The tape is enough, with what stands in its snapshot."""
    async with a_cluster(2) as cluster:
        await cluster.tick(40)
        for node in tuple(cluster.nodes):
            await cluster.kill(node)
        cluster.expire()
        first = await cluster.node("another seed")
        first.start()
        await first.metronome.settle()
        await cluster.tick(80)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_a_snapshot_alone_is_better_than_nothing() -> None:
    """The strips after it are gone, as after an hour without a leader."""
    async with a_cluster(1) as cluster:
        snapshot = cluster.leader.floor.quotes()
        await cluster.tick(40)
        before = cluster.leader.floor.quotes()
        await cluster.kill(cluster.leader)
        cluster.expire()
        cluster.clock.advance(3_700.0)
        node = await cluster.node("another seed")
        node.start()
        await node.metronome.settle()
        await cluster.tick(5)
        for was, then, now in zip(snapshot, before, node.floor.quotes(), strict=True):
            assert was.seq <= now.seq
            assert abs(now.last - then.last) < 0.02 * then.last
        await cluster.join()
        await cluster.tick()
        assert_alike(cluster)


async def test_a_lost_tape_is_begun_with_the_market_as_it_stood() -> None:
    """The leader knows it; followers go on, and who comes late begins with it too."""
    async with a_cluster() as cluster:
        await cluster.tick(30)
        await cluster.lose()
        await cluster.tick(3)
        assert (await cluster.log.top(TAPE)).offset == 3
        await cluster.join()
        await cluster.tick(30)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)


async def test_a_leader_that_lost_tape_and_lease_remembers_the_market() -> None:
    """As when Redis is flushed: the same node, or another, leads under a new lease."""
    async with a_cluster() as cluster:
        await cluster.tick(30)
        leader = cluster.leader
        await cluster.lose()
        cluster.expire()
        for _ in range(3):
            leader.pacer.turn()
            await cluster.settle()
        await leader.metronome.settle()
        assert cluster.leader is leader
        await cluster.tick(30)
        assert_never_disturbed(cluster)


async def test_a_lost_tape_and_a_dead_leader_leave_the_quotes() -> None:
    """Another node goes on from what it told its readers, and counts on."""
    async with a_cluster() as cluster:
        await cluster.tick(30)
        before = cluster.leader.floor.quotes()
        await cluster.kill(cluster.leader)
        await cluster.lose()
        node = await successor(cluster)
        assert node.floor.quotes() == before
        await cluster.tick(2)
        assert_alike(cluster)
        for was, now in zip(before, node.floor.quotes(), strict=True):
            assert now.seq >= was.seq
            assert now.prev_close == was.prev_close
            assert abs(now.last - was.last) < 0.01 * was.last


async def test_who_knows_nothing_waits_for_who_does() -> None:
    """Where the tape is lost, a node that knows the market goes first."""
    async with a_cluster(2) as cluster:
        await cluster.tick(30)
        knowing = cluster.nodes[1]
        await cluster.kill(cluster.leader)
        await cluster.lose()
        cluster.expire()
        fresh = await cluster.join()
        assert not cluster.bus.holders
        before = knowing.floor.quotes()
        knowing.pacer.turn()
        await knowing.metronome.settle()
        assert cluster.leader is knowing
        assert knowing.floor.quotes() == before
        await cluster.tick(20)
        assert fresh.kind.floor is not None
        assert_alike(cluster)


async def test_where_nobody_knows_anything_a_market_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a while, by whoever comes first; the others follow."""
    monkeypatch.setattr(leader_module, "KNOWN_S", 0)
    async with a_cluster(0) as cluster:
        first, second = await cluster.node(), await cluster.node()
        first.start()
        second.start()
        await first.metronome.settle()
        await cluster.tick(30)
        assert second.kind.floor is not None
        assert_never_disturbed(cluster)


async def test_a_node_that_is_cut_off_stops() -> None:
    """Nothing is told by it meanwhile; then the market goes on, here or elsewhere."""
    async with a_cluster(1) as cluster:
        node = cluster.leader
        reader = node.reader()
        await reader.join(ONE)
        await cluster.tick(20)
        await reader.catch_up()
        told, said = len(reader.paper.got), len(cluster.bus.brought)
        node.backplane.fault = "no connection"
        node.metronome.tick_later()
        for _ in range(3):
            node.pacer.turn()
            await cluster.settle()
        await reader.catch_up()
        assert (len(reader.paper.got), len(cluster.bus.brought)) == (told, said)
        node.backplane.fault = None
        for _ in range(3):
            node.pacer.turn()
            await cluster.settle()
        await node.metronome.settle()
        await cluster.tick(40)
        assert_never_disturbed(cluster)
        assert_each_bar_once(cluster)
