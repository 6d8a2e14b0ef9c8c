"""The backplane on a cluster of three masters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.crc import key_slot

from server.backplanes.redis import link
from server.errors import BAD_REQUEST, FORCED
from server.model import Position
from server.seams.backplane import SendAway
from server.seams.log import Append, Appended, Draft, Rejected
from tests.backplanes.redis.nodes import (
    ANN,
    ROOM,
    attendance,
    contents,
    cursor,
    holds,
    running,
)
from tests.contracts.stores import keep, offsets, say

if TYPE_CHECKING:
    from tests.services.redis import RedisCluster, RedisServer

pytestmark = pytest.mark.long

CHANNELS = [f"open:room{number}" for number in range(30)]


async def test_channels_of_all_servers_are_kept_and_brought(
    redis_cluster: RedisCluster,
) -> None:
    """In one batch too; whoever asks any of the servers finds the others."""
    second = redis_cluster.servers[1].url
    async with running(redis_cluster.url) as node, running(second) as other:
        for channel in CHANNELS:
            await other.backplane.enter(channel)
        batch = [say(n, channel=each) for n in range(3) for each in CHANNELS]
        await keep(node.backplane.log, *batch)
        await holds(lambda: len(other.heard.came) == len(batch))
        tops = await other.backplane.log.tops(CHANNELS)
        assert {each.offset for each in tops.values()} == {3}
        for channel in CHANNELS:
            after = Position(tops[channel].epoch, 0)
            found = await other.backplane.log.read(channel, after, 10)
            assert contents(found.publications) == [0, 1, 2]
            mine = [e for e in other.heard.publications() if e.channel == channel]
            assert offsets(mine) == [1, 2, 3]
        assert len(node.backplane._link.servers.addresses) == 3  # noqa: SLF001


async def test_rolls_orders_nodes_and_leases(redis_cluster: RedisCluster) -> None:
    """All that nodes tell each other, wherever its keys are."""
    async with running(redis_cluster.url) as node, running(redis_cluster.url) as other:
        await other.backplane.enter(ROOM)
        mine = node.backplane
        ann, mouse = attendance(mine, ANN, 1, 1), cursor(mine, "mouse", 2)
        mine.publish(ann)
        mine.publish(mouse)
        mine.order(SendAway("u_ann", FORCED))
        await holds(lambda: len(other.heard.came) == 2 and other.heard.orders)
        (roll,) = await other.backplane.roll(ROOM)
        assert (roll.node, roll.stamp) == (mine.node, 2)
        assert (*roll.attendances, *roll.signals) == (ann, mouse)
        await holds(lambda: len(mine.nodes()) == len(other.backplane.nodes()) == 2)
        first = await mine.hold("market")
        assert first is not None
        assert await other.backplane.hold("market") is None
        await mine.release("market")
        second = await other.backplane.hold("market")
        assert second is not None
        assert second.number > first.number


async def test_an_append_keeps_to_one_server(redis_cluster: RedisCluster) -> None:
    """Otherwise it could not stand or fall as one. Its batch does not suffer."""
    async with running(redis_cluster.url) as node:
        drafts = tuple(Draft(each, "said", 1, ANN, 0) for each in CHANNELS[:9])
        scattered, kept, twice = await node.backplane.log.append(
            [
                Append(drafts),
                say(1, channel="open:other"),
                Append((drafts[0], drafts[0])),
            ]
        )
        assert isinstance(scattered, Rejected)
        assert scattered.error.code == BAD_REQUEST.code
        assert isinstance(kept, Appended)
        assert isinstance(twice, Appended)


async def test_one_of_the_servers_is_killed(own_cluster: RedisCluster) -> None:
    """The nodes are cut off until it is back; what the others had is still there."""
    async with running(own_cluster.url) as node:
        log = node.backplane.log
        for channel in CHANNELS:
            await node.backplane.enter(channel)
        before = await keep(log, *(say(1, channel=each) for each in CHANNELS))
        # What is still on its way would be lost with the server.
        await holds(lambda: len(node.heard.came) == len(CHANNELS))
        own_cluster.servers[2].kill()
        await holds(lambda: node.backplane.fault == link.AWAY)
        await asyncio.sleep(3)
        own_cluster.servers[2].start()
        await holds(lambda: node.backplane.fault is None, 15)
        after = await keep(log, *(say(2, channel=each) for each in CHANNELS))
        kept = [b.epoch == a.epoch for b, a in zip(before, after, strict=True)]
        assert 0 < sum(kept) < len(kept), "the one server's channels began anew"
        await holds(lambda: len(node.heard.came) == 2 * len(CHANNELS))


async def test_a_deaf_ear_of_one_server_is_noticed(own_cluster: RedisCluster) -> None:
    """Each server has its own probe."""
    async with running(own_cluster.url) as node:
        own_cluster.servers[1].tell("CLIENT", "KILL", "TYPE", "pubsub")
        await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])


async def test_a_slot_moves_to_another_server(own_cluster: RedisCluster) -> None:
    """The node finds it there; the channel begins anew, and is brought."""
    slot = str(key_slot(ROOM.encode()))
    async with running(own_cluster.url) as node:
        await node.backplane.enter(ROOM)
        (before,) = await keep(node.backplane.log, say(1, channel=ROOM))
        await holds(lambda: node.heard.came)
        _move(own_cluster, slot)
        await holds(lambda: len(node.heard.told) == 3, 10)
        (after,) = await keep(node.backplane.log, say(2, channel=ROOM))
        assert after.epoch != before.epoch
        await holds(lambda: len(node.heard.came) == 2)
        assert contents(node.heard.publications()) == [1, 2]


async def test_a_moved_slot_that_nobody_listens_to_is_found(
    own_cluster: RedisCluster,
) -> None:
    """By the first that asks for it, who is refused; the next one is answered."""
    slot = str(key_slot(ROOM.encode()))
    async with running(own_cluster.url) as node:
        await keep(node.backplane.log, say(1, channel=ROOM))
        _move(own_cluster, slot)
        with pytest.raises(Exception, match="moved"):
            await node.backplane.log.append([say(2, channel=ROOM)])
        await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"], 10)
        await keep(node.backplane.log, say(2, channel=ROOM))


async def test_while_a_slot_moves_only_its_channels_are_refused(
    own_cluster: RedisCluster,
) -> None:
    """Nobody is cut off meanwhile."""
    source, target, _ = own_cluster.servers
    async with running(own_cluster.url) as node:
        log, servers = node.backplane.log, node.backplane._link.servers  # noqa: SLF001
        there = [e for e in CHANNELS if servers.at(f"{{{e}}}").port == source.port]
        moving, staying = there[:2]
        slot, to = str(key_slot(moving.encode())), _said(target.tell("CLUSTER", "MYID"))
        source.tell("CLUSTER", "SETSLOT", slot, "MIGRATING", to)
        refused, kept = await log.append(
            [say(1, channel=moving), say(1, channel=staying)]
        )
        assert isinstance(refused, Rejected)
        assert refused.error.temporary
        assert isinstance(kept, Appended)
        source.tell("CLUSTER", "SETSLOT", slot, "STABLE")
        await keep(log, say(1, channel=moving))
        assert node.heard.told == ["reunited"]


def _move(cluster: RedisCluster, slot: str) -> None:
    """Give a slot to the next server, with all its keys, as an operator's tool does."""
    source = next(each for each in cluster.servers if _owns(each, slot))
    target = cluster.servers[(cluster.servers.index(source) + 1) % 3]
    ids = [_said(each.tell("CLUSTER", "MYID")) for each in (source, target)]
    target.tell("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    source.tell("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    keys = source.tell("CLUSTER", "GETKEYSINSLOT", slot, "1000")
    assert isinstance(keys, list)
    names = [_said(key) for key in keys]
    where = ("127.0.0.1", str(target.port))
    source.tell("MIGRATE", *where, "", "0", "2000", "KEYS", *names)
    for server in (target, source, *cluster.servers):
        server.tell("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


def _owns(server: RedisServer, slot: str) -> bool:
    said = server.tell("CLUSTER", "COUNTKEYSINSLOT", slot)
    return isinstance(said, int) and said > 0


def _said(word: object) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
