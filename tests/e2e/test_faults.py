"""Real faults under load: nodes, Redis and PostgreSQL are killed, paused and cut off.

The claims of each test are those of `Crowd.check` and `Crowd.check_kept`: nothing that
was acknowledged in a durable channel is lost or doubled; all readers saw one order, and
no reader a gap that it was not told of.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.services.forwarder import Forwarder

from .cluster import NODES, Cluster, raise_cluster
from .crowd import Crowd, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisCluster, RedisServer

    from .crowd import Reader
    from .server_process import ServerProcess

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(240)]

CHAT, OPEN = "chat:fault", "open:fault"
READERS = 30
EVERYBODY = {f"r{number}": 1 for number in range(READERS)}
"""All readers, each with one session."""
REFUSED_WITHIN_S = 2.5
CUT_OFF_S = 60.0
STOPS_WITHIN_S = 5.0
LAG, WORST_LAG_S = "hubbub_event_loop_lag_seconds", 0.25


@pytest.fixture
async def cluster(own_redis: RedisServer, postgres: Postgres) -> AsyncIterator[Cluster]:
    """Three nodes."""
    async with raise_cluster(own_redis, postgres) as raised:
        yield raised


@pytest.fixture
async def crowd(cluster: Cluster) -> AsyncIterator[Crowd]:
    """Readers on all nodes, and speakers in a durable and in a shared channel."""
    async with Crowd(cluster.nodes) as gathered:
        await go_on(gathered, speakers=4)
        yield gathered


async def go_on(
    crowd: Crowd, *, speakers: int, readers: int = READERS, pause_s: float = 0.05
) -> None:
    """Have some read both channels, and others speak in each; wait until it is said."""
    await crowd.hear(readers, CHAT, OPEN)
    await crowd.speak(speakers, CHAT, pause_s)
    await crowd.speak(speakers, OPEN, pause_s)
    await crowd.progress(10)


@asynccontextmanager
async def raise_on_lines(
    redis: RedisServer, postgres: Postgres
) -> AsyncIterator[tuple[Cluster, Forwarder, Forwarder]]:
    """Three nodes, and the first one's lines to Redis and to the database."""
    async with (
        Forwarder(redis.port) as to_redis,
        Forwarder(postgres.port) as to_postgres,
        raise_cluster(redis, postgres, (to_redis.port, to_postgres.port)) as cluster,
    ):
        yield cluster, to_redis, to_postgres


async def are_told(readers: Sequence[Reader], within_s: float, *, live: bool) -> None:
    """Wait until each was told, as the last, that its node is live or is not."""
    await until(lambda: all(r.told and r.told[-1] is live for r in readers), within_s)


async def everybody_is_seen(
    crowd: Crowd, cluster: Cluster, node: ServerProcess, within_s: float
) -> None:
    """Wait until a node shows all readers, each with one session."""
    people: dict[str, int] = {}
    began_s = time.monotonic()
    while people != EVERYBODY and time.monotonic() < began_s + within_s:
        people = await cluster.people(crowd.http, node, CHAT)
        await asyncio.sleep(0.5)
    assert people == EVERYBODY


async def conclude(crowd: Crowd, cluster: Cluster) -> None:
    """Let it go on for a while, come to rest, and look at what everybody has."""
    await crowd.progress(10)
    await crowd.hush()
    await crowd.settle()
    crowd.check()
    for node in cluster.nodes:
        await crowd.check_kept(CHAT, node)
    for reader in crowd.readers:
        assert len(reader.seen[CHAT]) == 1, "a durable channel keeps its epoch"


def begun_anew(crowd: Crowd) -> bool:
    """Whether every reader was told that the shared channel is a new stream."""
    return all(reader.resets or reader.unrecovered for reader in crowd.readers)


async def test_nodes_see_one_order_and_one_presence(
    crowd: Crowd, cluster: Cluster
) -> None:
    """Without a fault: the same sequence by its hash, the same people, on all nodes."""
    await crowd.progress(30)
    await crowd.hush()
    await crowd.settle()
    crowd.check()
    for channel in (CHAT, OPEN):
        epochs = {tuple(reader.seen[channel]) for reader in crowd.readers}
        ((epoch,),) = epochs
        lasts = {len(reader.seen[channel][epoch]) for reader in crowd.readers}
        assert min(lasts) >= 40 * 4
    kept = [await crowd.check_kept(CHAT, node) for node in cluster.nodes]
    assert len(set(kept)) == 1
    for node in cluster.nodes:
        people = await cluster.people(crowd.http, node, CHAT)
        assert people == EVERYBODY


async def test_a_killed_node(crowd: Crowd, cluster: Cluster) -> None:
    """F1: its clients go on elsewhere within 10 s; it comes back; presence is right."""
    victim, witness = cluster.nodes[0], cluster.nodes[1]
    await asyncio.to_thread(victim.kill)
    await asyncio.sleep(0.5)
    await until(lambda: all(each.live.is_set() for each in crowd.readers), 10.0)
    await crowd.progress(10)
    # Each has one session, on the nodes that are left; those of the dead one are gone.
    await everybody_is_seen(crowd, cluster, witness, 30.0)
    await asyncio.to_thread(victim.start)
    await conclude(crowd, cluster)
    assert all(reader.unrecovered == 0 for reader in crowd.readers)
    assert await cluster.people(crowd.http, victim, CHAT) == EVERYBODY


@pytest.mark.parametrize("away_s", [1.0, 30.0])
async def test_redis_is_killed(crowd: Crowd, cluster: Cluster, away_s: float) -> None:
    """F10: all is refused meanwhile, clients are told, and it heals within 5 s."""
    await asyncio.to_thread(cluster.redis.kill)
    await are_told(crowd.readers, 5.0, live=False)
    assert not any([await cluster.is_ready(crowd.http, n) for n in cluster.nodes])
    seen = [dict(reader.since) for reader in crowd.readers]
    await asyncio.sleep(away_s)
    assert [dict(each.since) for each in crowd.readers] == seen, "nothing is fanned out"
    await asyncio.to_thread(cluster.redis.start)
    await are_told(crowd.readers, 5.0, live=True)
    await until(lambda: begun_anew(crowd), 10.0)
    await conclude(crowd, cluster)
    assert all(speaker.refused for speaker in crowd.speakers)
    assert max(each.slowest_s for each in crowd.speakers) <= REFUSED_WITHIN_S


async def test_redis_is_paused(crowd: Crowd, cluster: Cluster) -> None:
    """F12: a publish fails within 2.5 s, and nothing piles up; then all is healed."""
    tasks = [
        await cluster.figure(crowd.http, node, "hubbub_tasks") for node in cluster.nodes
    ]
    await asyncio.to_thread(cluster.redis.pause)
    try:
        await are_told(crowd.readers, 10.0, live=False)
        await asyncio.sleep(30.0)
        for node, before in zip(cluster.nodes, tasks, strict=True):
            now = await cluster.figure(crowd.http, node, "hubbub_tasks")
            assert now <= 2 * before, "no pile-up"
            lag_s = await cluster.figure(crowd.http, node, LAG)
            # Of the worst moment in 15 s, not the usual one, on a machine that is busy.
            assert lag_s < WORST_LAG_S
    finally:
        await asyncio.to_thread(cluster.redis.resume)
    await are_told(crowd.readers, 10.0, live=True)
    await conclude(crowd, cluster)
    assert all(speaker.refused for speaker in crowd.speakers)
    assert max(each.slowest_s for each in crowd.speakers) <= REFUSED_WITHIN_S


async def test_redis_is_flushed(crowd: Crowd, cluster: Cluster) -> None:
    """F11: the shared channel becomes a new stream within 10 s, and all are told."""
    await cluster.redis.ask("FLUSHALL")
    await until(lambda: begun_anew(crowd), 10.0)
    await everybody_is_seen(crowd, cluster, cluster.nodes[2], 40.0)
    await conclude(crowd, cluster)


async def test_pubsub_connections_are_killed(crowd: Crowd, cluster: Cluster) -> None:
    """F11: each time what was missed is found within 10 s, and the stream goes on."""
    for _ in range(3):
        await cluster.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await crowd.progress(10)
    await conclude(crowd, cluster)
    assert all(reader.resets == 0 for reader in crowd.readers)


async def test_the_last_message_before_a_cut_is_not_missed(
    crowd: Crowd, cluster: Cluster
) -> None:
    """F11: nothing follows it that would show the gap; all are even within 10 s."""
    await cluster.redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    await crowd.hush()
    await crowd.settle(10.0)
    await conclude_quiet(crowd, cluster)


async def conclude_quiet(crowd: Crowd, cluster: Cluster) -> None:
    """Look at what everybody has, where nobody speaks any more."""
    crowd.check()
    kept = await crowd.check_kept(CHAT, cluster.nodes[0])
    for reader in crowd.readers:
        (of_epoch,) = reader.seen[CHAT].values()
        assert of_epoch[-1][0] == kept


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_postgres_goes_and_comes_back(
    crowd: Crowd, cluster: Cluster, how: str
) -> None:
    """Nothing acknowledged is lost; meanwhile it is refused, and clients are told."""
    end = cluster.postgres.stop if how == "restart" else cluster.postgres.kill
    await asyncio.to_thread(end)
    try:
        await are_told(crowd.readers, 10.0, live=False)
        await asyncio.sleep(2.0)
    finally:
        await asyncio.to_thread(cluster.postgres.start)
    await are_told(crowd.readers, 10.0, live=True)
    await conclude(crowd, cluster)
    assert max(each.slowest_s for each in crowd.speakers) <= REFUSED_WITHIN_S
    assert all(reader.resets == 0 for reader in crowd.readers)


async def test_postgres_is_paused(crowd: Crowd, cluster: Cluster) -> None:
    """It does not answer: refused within 2.5 s, and all goes on afterwards."""
    await asyncio.to_thread(cluster.postgres.pause)
    try:
        await are_told(crowd.readers, 15.0, live=False)
        await asyncio.sleep(5.0)
    finally:
        await asyncio.to_thread(cluster.postgres.resume)
    await are_told(crowd.readers, 10.0, live=True)
    await conclude(crowd, cluster)
    assert max(each.slowest_s for each in crowd.speakers) <= REFUSED_WITHIN_S


async def test_a_node_is_cut_off(own_redis: RedisServer, postgres: Postgres) -> None:
    """F19: it says so; the others go on without its people; it is even in 10 s after.

    Its links to Redis and to the database are silent, as if a cable had been pulled.
    """
    async with (
        raise_on_lines(own_redis, postgres) as (cluster, to_redis, to_postgres),
        Crowd(cluster.nodes) as crowd,
    ):
        await go_on(crowd, speakers=3)
        lonely = [each for n, each in enumerate(crowd.readers) if n % NODES == 0]
        to_redis.silent = to_postgres.silent = True
        await are_told(lonely, 10.0, live=False)
        seen = [dict(reader.since) for reader in lonely]
        await asyncio.sleep(CUT_OFF_S)
        assert [dict(each.since) for each in lonely] == seen, "nothing is fanned out"
        rest = {f"r{n}": 1 for n in range(READERS) if n % NODES}
        people = await cluster.people(crowd.http, cluster.nodes[1], CHAT)
        assert people == rest
        assert not await cluster.is_ready(crowd.http, cluster.nodes[0])
        to_redis.silent = to_postgres.silent = False
        await are_told(lonely, 10.0, live=True)
        await conclude(crowd, cluster)
        for node in cluster.nodes:
            assert await cluster.people(crowd.http, node, CHAT) == EVERYBODY
        assert all(reader.resets == 0 for reader in crowd.readers), "nothing was lost"
        slowest_s = max(each.slowest_s for each in crowd.speakers)
        assert slowest_s <= REFUSED_WITHIN_S


async def test_a_deaf_node_says_so(own_redis: RedisServer, postgres: Postgres) -> None:
    """What comes for its subscribers is swallowed: not ready within 10 s, then healed.

    It still reaches Redis, so that only its own probe can show it.
    """
    async with (
        raise_on_lines(own_redis, postgres) as (cluster, to_redis, _),
        Crowd(cluster.nodes) as crowd,
    ):
        await go_on(crowd, speakers=3)
        lonely = [each for n, each in enumerate(crowd.readers) if n % NODES == 0]
        to_redis.deaf = True
        await are_told(lonely, 10.0, live=False)
        assert not await cluster.is_ready(crowd.http, cluster.nodes[0])
        assert await cluster.is_ready(crowd.http, cluster.nodes[1])
        to_redis.deaf = False
        await are_told(lonely, 10.0, live=True)
        await conclude(crowd, cluster)
        assert all(reader.resets == 0 for reader in crowd.readers), "nothing was lost"


async def test_nodes_on_a_redis_cluster(
    redis_cluster: RedisCluster, postgres: Postgres
) -> None:
    """Three servers of Redis share the channels: the same order, the same people."""
    async with (
        raise_cluster(redis_cluster.servers[0], postgres) as cluster,
        Crowd(cluster.nodes) as crowd,
    ):
        await crowd.hear(READERS, CHAT, OPEN, "open:another")
        await crowd.speak(3, CHAT, 0.05)
        await crowd.speak(3, OPEN, 0.05)
        await crowd.speak(3, "open:another", 0.05)
        await crowd.progress(20)
        await conclude(crowd, cluster)
        for node in cluster.nodes:
            people = await cluster.people(crowd.http, node, OPEN)
            assert people == EVERYBODY


async def test_a_node_stops_while_all_else_hangs(
    own_redis: RedisServer, postgres: Postgres
) -> None:
    """Redis and the database fall silent as it is told to stop: within 5 s."""
    async with (
        raise_on_lines(own_redis, postgres) as (cluster, to_redis, to_postgres),
        Crowd(cluster.nodes[:1]) as crowd,
    ):
        await go_on(crowd, speakers=2, readers=3, pause_s=0.01)
        to_redis.silent = to_postgres.silent = True
        began_s = time.monotonic()
        assert await asyncio.to_thread(cluster.nodes[0].stop) == 0
        assert time.monotonic() - began_s < STOPS_WITHIN_S
        to_redis.silent = to_postgres.silent = False
