from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.errors import UNAVAILABLE
from server.kinds.ticker import feed as feed_module
from server.kinds.ticker import kind as kind_module
from server.kinds.ticker.bars import Bar, Interval
from server.kinds.ticker.candles import KEPT
from server.kinds.ticker.feed import SNAPSHOT_STRIPS
from server.kinds.ticker.floor import Floor
from server.kinds.ticker.follower import STALE_S
from server.kinds.ticker.shown import SHOWN
from server.kinds.ticker.tape import TAPE
from server.model import SERVER, Event, Failed, Subscribe
from tests.kinds.ticker.nodes import Cluster, TickerNode, a_cluster

ONE = "ticker:ACME"
BOARD = "ticker:market"


def bars(floor: Floor) -> dict[tuple[str, Interval], list[Bar]]:
    """Return all that readers can be shown of the past."""
    return {
        (code, interval): floor.bars(code, interval, KEPT[interval])
        for code in floor.symbols
        for interval in SHOWN
    }


def assert_alike(cluster: Cluster) -> None:
    """Let the market be the same on all nodes."""
    first = cluster.leader.floor
    for node in cluster.nodes:
        assert node.floor.now_ms == first.now_ms
        assert node.floor.quotes() == first.quotes()
        assert node.floor.statuses() == first.statuses()
        assert bars(node.floor) == bars(first)


async def refused(node: TickerNode, channel: str) -> bool:
    """Return whether a joiner is told to try again."""
    reader = node.reader()
    await reader.session.dispatch(Subscribe(1, channel))
    await reader.catch_up()
    (answer,) = reader.paper.got
    if not isinstance(answer, Failed):
        return False
    assert (answer.error.code, answer.error.temporary) == (UNAVAILABLE.code, True)
    return True


async def test_all_nodes_have_one_market() -> None:
    """The same quotes and candles, after a while and after a stall."""
    async with a_cluster() as cluster:
        await cluster.tick(70)
        assert_alike(cluster)
        await cluster.leader.metronome.tick(late_s=30.0)
        await cluster.settle()
        assert_alike(cluster)


async def test_readers_of_all_nodes_see_the_same() -> None:
    """The same state, signals and publications, wherever they are connected."""
    async with a_cluster() as cluster:
        readers = [node.reader() for node in cluster.nodes]
        for reader in readers:
            await reader.join(ONE)
        await cluster.tick(120)
        for reader in readers:
            await reader.catch_up()
            assert reader.doubled == 0
        first = readers[0]
        for reader in readers[1:]:
            assert reader.state == first.state
            assert reader.publications == first.publications
            assert [each.content for each in reader.signals("trade")] == [
                each.content for each in first.signals("trade")
            ]
        assert len(first.publications) >= 2


@pytest.mark.parametrize("strips", [1, SNAPSHOT_STRIPS - 1, SNAPSHOT_STRIPS + 5])
async def test_a_node_that_comes_late_has_the_same_market(strips: int) -> None:
    """From the snapshot and the strips after it, however many they are."""
    async with a_cluster(1) as cluster:
        await cluster.tick(strips)
        await cluster.join()
        await cluster.tick()
        assert_alike(cluster)
        await cluster.tick(60)
        assert_alike(cluster)


async def test_what_was_not_brought_is_read_from_the_log() -> None:
    """A node that missed some strips has the same market after the next one."""
    async with a_cluster(2) as cluster:
        late = cluster.nodes[1]
        late.backplane.deaf = True
        await cluster.tick(40)
        assert late.floor.now_ms < cluster.leader.floor.now_ms
        late.backplane.deaf = False
        await cluster.tick()
        assert_alike(cluster)


async def test_who_lags_behind_the_log_begins_with_the_snapshot() -> None:
    """What was missed is not in the log any more; readers are brought up to date."""
    async with a_cluster(2) as cluster:
        late = cluster.nodes[1]
        board = late.reader()
        await board.join(BOARD)
        late.backplane.deaf = True
        await cluster.tick(SNAPSHOT_STRIPS + 20)
        late.backplane.deaf = False
        await cluster.tick(12)
        assert_alike(cluster)
        await board.catch_up()
        fresh = late.reader()
        await fresh.join(BOARD)
        for row, right in zip(
            board.state["symbols"], fresh.state["symbols"], strict=True
        ):
            assert {**row, "spark": None} == {**right, "spark": None}


async def test_what_is_no_strip_is_not_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leader begins anew with the prices of before, and all nodes with it."""
    monkeypatch.setattr(feed_module, "REACH_S", 0)
    async with a_cluster(2) as cluster:
        leader = cluster.leader
        before = leader.floor.quotes()
        await leader.hub.submit(SERVER, TAPE, Event("strip", b"torn"))
        await cluster.settle()
        assert "the market is read anew" in caplog.text
        leader.metronome.tick_later()
        for _ in range(3):
            await cluster.settle()
            leader.pacer.turn()
        await leader.metronome.settle()
        assert [each.prev_close for each in leader.floor.quotes()] == [
            each.prev_close for each in before
        ]
        await cluster.tick(15)
        assert_alike(cluster)


async def test_a_joiner_waits_for_the_floor() -> None:
    """A bar up to whose position the reader is told is in the state, on every node.

    The node here has the bar's publication in the log, but not yet the strip.
    """
    async with a_cluster(2) as cluster:
        behind = cluster.nodes[1]
        behind.backplane.deaf = True
        before = await cluster.log.top(ONE)
        while await cluster.log.top(ONE) == before:
            await cluster.tick()
        reader = behind.reader()
        joining = asyncio.ensure_future(reader.join(ONE))
        await cluster.settle()
        assert not joining.done()
        behind.backplane.deaf = False
        await cluster.tick()
        await joining
        assert reader.reply is not None
        top = await cluster.log.top(ONE)
        assert reader.reply.position == top
        (published,) = (await cluster.log.page(ONE, None, 1)).publications
        content: Any = published.content
        assert content["bar"] in reader.state["bars"][content["interval"]]


async def test_a_market_that_stands_still_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its prices would look alive; when it goes on, joiners are answered again."""
    monkeypatch.setattr(kind_module, "REACH_S", 0.01)
    async with a_cluster(2) as cluster:
        dead, alive = cluster.nodes
        await cluster.kill(dead)
        cluster.clock.advance(STALE_S - 0.1)
        assert not await refused(alive, BOARD)
        cluster.clock.advance(0.2)
        assert await refused(alive, BOARD)
        assert await refused(alive, ONE)
        await cluster.take_over(alive)
        assert not await refused(alive, BOARD)
