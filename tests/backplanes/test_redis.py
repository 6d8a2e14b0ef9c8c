"""What happens to a node when Redis goes away, comes back, or is silent."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from server.backplanes.redis import census, leases, link
from server.backplanes.redis.backplane import RedisBackplane
from server.errors import Away, Refusal, SettingsError
from server.model import Fence, Position, Signal
from server.runtime.tasks import Tasks
from server.seams.log import Appended
from tests.backplanes.redis.nodes import (
    ANN,
    BOB,
    KEPT,
    ROOM,
    attendance,
    contents,
    holds,
    running,
)
from tests.contracts.stores import keep, say
from tests.services.forwarder import Forwarder
from tests.services.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.backplanes.redis.nodes import Member

REFUSED_S = 2.5
"""By then a publish is refused while Redis is away."""


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let beats follow quicker, so that tests need not wait for the real ones."""
    monkeypatch.setattr(link, "BEAT_S", 0.1)
    monkeypatch.setattr(link, "RETRY_S", 0.1)


@pytest.fixture
async def node(own_redis: RedisServer) -> AsyncIterator[Member]:
    """Run a node that has entered the room, on a Redis that may be killed."""
    async with running(own_redis.url) as member:
        await member.backplane.enter(ROOM)
        yield member


def word(content: str) -> Signal:
    """Return a signal."""
    return Signal(ROOM, "said", content, None, 0)


async def refused_within(node: Member, seconds: float) -> None:
    """Have everything refused, by a time."""
    log = node.backplane.log

    async def append() -> None:
        with pytest.raises(Away):
            await log.append([say("lost", channel=ROOM)])

    async def read() -> None:
        with pytest.raises(Refusal, match="108 unavailable"):
            await log.top(ROOM)

    async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
        group.create_task(append())
        group.create_task(read())
    with pytest.raises(Refusal, match="108 unavailable"):
        node.backplane.publish(word("lost"))
    for asked in (
        node.backplane.enter("open:other"),
        node.backplane.roll(ROOM),
        node.backplane.hold("market"),
    ):
        with pytest.raises(Refusal, match="108 unavailable"):
            await asked
    await node.backplane.release("market")


@pytest.mark.usefixtures("_quick")
async def test_redis_is_killed_and_comes_back(
    own_redis: RedisServer, node: Member
) -> None:
    """What was entered is brought again; what was kept is gone, and is said to be."""
    heard, backplane = node.heard, node.backplane
    (first,) = await keep(backplane.log, say("before", channel=ROOM))
    await holds(lambda: heard.came)
    own_redis.kill()
    await holds(lambda: heard.told == ["reunited", "cut off"], REFUSED_S)
    assert backplane.fault == link.AWAY
    await refused_within(node, REFUSED_S)
    own_redis.start()
    await holds(lambda: heard.told == ["reunited", "cut off", "reunited"])
    assert node.backplane.fault is None
    backplane.publish(word("after"))
    (second,) = await keep(backplane.log, say("anew", channel=ROOM))
    assert second.offset == 1
    assert second.epoch != first.epoch
    await holds(lambda: len(heard.came) == 3)
    assert word("after") in heard.came
    assert contents(heard.publications()) == ["before", "anew"]


async def test_a_silent_redis_is_noticed(own_redis: RedisServer, node: Member) -> None:
    """Its connections stand, but what is asked is refused in time; nothing piles up."""
    heard, backplane = node.heard, node.backplane
    (first,) = await keep(backplane.log, say("before", channel=ROOM))
    tasks = len(asyncio.all_tasks())
    own_redis.pause()
    cut_s = time.monotonic() + 3.0
    with pytest.raises(Away, match="no answer"):
        await backplane.log.append([say("lost", channel=ROOM)])
    await holds(lambda: "cut off" in heard.told, cut_s - time.monotonic())
    await refused_within(node, REFUSED_S)
    assert len(asyncio.all_tasks()) <= tasks
    own_redis.resume()
    await holds(lambda: heard.told == ["reunited", "cut off", "reunited"])
    (second,) = await keep(backplane.log, say("after", channel=ROOM))
    assert second.epoch == first.epoch, "nothing was lost"


@pytest.mark.usefixtures("_quick")
async def test_the_first_append_after_a_restart_is_kept(
    own_redis: RedisServer, node: Member
) -> None:
    """No connection of the time before is tried first."""
    await keep(node.backplane.log, say("before", channel=ROOM))
    await node.backplane.log.top(ROOM)
    own_redis.kill()
    own_redis.start()
    await holds(lambda: node.heard.told.count("reunited") == 2)
    await keep(node.backplane.log, say("after", channel=ROOM))
    await node.backplane.log.top(ROOM)


@pytest.mark.usefixtures("_quick")
async def test_all_is_lost_at_once(own_redis: RedisServer, node: Member) -> None:
    """FLUSHALL: a new epoch; nodes that live are not taken for dead."""
    async with running(own_redis.url) as other:
        await holds(lambda: len(node.backplane.nodes()) == 2)
        (first,) = await keep(node.backplane.log, say("before", channel=ROOM))
        own_redis.tell("FLUSHALL")
        (second,) = await keep(other.backplane.log, say("after", channel=ROOM))
        assert second.offset == 1
        assert second.epoch != first.epoch
        for each in (node, other):
            await holds(lambda each=each: each.heard.told == ["reunited"] * 2)  # type: ignore[misc]
        await asyncio.sleep(0.3)
        assert len(node.backplane.nodes()) == len(other.backplane.nodes()) == 2


@pytest.mark.usefixtures("_quick")
async def test_subscribers_are_thrown_out(own_redis: RedisServer, node: Member) -> None:
    """The node is cut off at once, and hears again soon."""
    own_redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
    await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])
    node.backplane.publish(word("after"))
    await holds(lambda: node.heard.came)
    assert node.backplane.counts.reconnects == 1


@pytest.mark.usefixtures("_quick")
async def test_a_deaf_subscriber_is_noticed(redis_server: RedisServer) -> None:
    """Its connection stands and commands are answered, but nothing is brought."""
    async with Forwarder(redis_server.port) as line, running(line.url) as node:
        await node.backplane.enter(ROOM)
        line.deaf = True
        await holds(lambda: node.backplane.fault == link.DEAF, 2.0)
        assert node.heard.told == ["reunited", "cut off"]
        line.deaf = False
        await holds(lambda: node.heard.told[2:] == ["reunited"])
        node.backplane.publish(word("after"))
        await holds(lambda: node.heard.came)


@pytest.mark.long
async def test_a_deaf_subscriber_is_noticed_in_time(redis_server: RedisServer) -> None:
    """Within ten seconds."""
    async with Forwarder(redis_server.port) as line, running(line.url) as node:
        line.deaf = True
        await holds(lambda: node.backplane.fault == link.DEAF, 10.0)
        await asyncio.sleep(5)
        assert node.heard.told == ["reunited", "cut off"], "it stays cut off"
        line.deaf = False
        await holds(lambda: node.heard.told[2:] == ["reunited"])


@pytest.mark.long
async def test_a_line_that_leads_nowhere_is_noticed_in_time(
    redis_server: RedisServer,
) -> None:
    """Nothing comes back, not even that the connection is closed."""
    async with Forwarder(redis_server.port) as line, running(line.url) as node:
        await node.backplane.enter(ROOM)
        await keep(node.backplane.log, say("before", channel=ROOM))
        line.silent = True
        await holds(lambda: node.backplane.fault == link.AWAY, 3.0)
        await refused_within(node, REFUSED_S)
        line.silent = False
        await holds(lambda: node.heard.told[2:] == ["reunited"])
        await keep(node.backplane.log, say("after", channel=ROOM))


@pytest.mark.parametrize("appendonly", ["no", "yes"])
async def test_a_restarted_redis_begins_a_new_epoch(appendonly: str) -> None:
    """Also one that wrote everything down: the last second may be lost."""
    server = RedisServer(appendonly=appendonly, appendfsync="always")
    server.start()
    try:
        async with running(server.url) as node:
            log = node.backplane.log
            before = await keep(log, *(say(each, channel=ROOM) for each in range(3)))
            await log.snapshot(ROOM, before[0], b"state")
            server.kill()
            server.start()
            await holds(lambda: node.heard.told.count("reunited") == 2)
            assert bool(server.tell("DBSIZE")) is True
            top = await log.top(ROOM)
            assert top.offset == 0
            assert top.epoch != before[0].epoch
            assert await log.latest_snapshot(ROOM) is None
            assert (await log.page(ROOM, None, 10)).publications == ()
    finally:
        server.remove()


@pytest.mark.usefixtures("_quick")
async def test_a_promoted_replica_that_lost_a_tail_begins_a_new_epoch() -> None:
    """Offsets that were used before are not used again for other publications."""
    master, replica = RedisServer(), RedisServer()
    master.start()
    replica.start()
    try:
        async with Forwarder(master.port) as line, running(line.url) as node:
            await node.backplane.enter(ROOM)
            log = node.backplane.log
            replica.tell("REPLICAOF", "127.0.0.1", str(master.port))
            await holds(lambda: info(replica)["master_link_status"] == "up")
            before = await keep(log, say("kept", channel=ROOM, key="k"))
            await holds(lambda: replica.tell("DBSIZE") == master.tell("DBSIZE"))
            replica.pause()
            before += await keep(log, say("lost", channel=ROOM))
            await holds(lambda: len(node.heard.came) == 2)
            master.kill()
            replica.resume()
            replica.tell("REPLICAOF", "NO", "ONE")
            line.lead_to(replica.port)
            await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])
            top = await log.top(ROOM)
            assert top.epoch != before[0].epoch
            (after,) = await keep(log, say("other", channel=ROOM, key="k"))
            assert after == Position(top.epoch, 1)
            await holds(lambda: len(node.heard.came) == 3)
            assert contents(node.heard.publications()) == ["kept", "lost", "other"]
    finally:
        master.remove()
        replica.remove()


def info(server: RedisServer) -> Mapping[str, str]:
    """Return what a server says of its replication."""
    return server.facts("INFO", "replication")


@pytest.mark.usefixtures("_quick")
async def test_a_demoted_master_is_left(redis_server: RedisServer) -> None:
    """It takes no writes: its connections are dropped, and the line asked anew."""
    demoted = RedisServer()
    demoted.start()
    try:
        async with Forwarder(demoted.port) as line, running(line.url) as node:
            await node.backplane.enter(ROOM)
            await keep(node.backplane.log, say("before", channel=ROOM))
            line.target = redis_server.port
            demoted.tell("REPLICAOF", "127.0.0.1", str(redis_server.port))
            await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])
            node.backplane.publish(word("after"))
            await keep(node.backplane.log, say("after", channel=ROOM))
            await holds(lambda: len(node.heard.came) == 3)
            assert await redis_server.ask("DBSIZE")
    finally:
        demoted.remove()


@pytest.mark.usefixtures("_quick")
async def test_another_server_behind_the_address_is_noticed(
    own_redis: RedisServer, redis_server: RedisServer
) -> None:
    """No two connections of a node lead to different servers."""
    async with Forwarder(own_redis.port) as line, running(line.url) as node:
        line.target = redis_server.port
        with pytest.raises(Away, match="another server"):
            await node.backplane.log.append([say("x", channel=ROOM)])
        await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])
        await keep(node.backplane.log, say("x", channel=ROOM))
        assert await own_redis.ask("DBSIZE") == 2, "the census alone"


async def test_scripts_are_loaded_again(redis_server: RedisServer) -> None:
    """SCRIPT FLUSH harms nothing, in a batch neither."""
    async with running(redis_server.url) as node:
        await node.backplane.enter(ROOM)
        await keep(node.backplane.log, say(0, channel=ROOM))
        redis_server.tell("SCRIPT", "FLUSH")
        batch = [say(each, channel=ROOM) for each in range(1, 6)]
        await keep(node.backplane.log, *batch)
        redis_server.tell("SCRIPT", "FLUSH")
        node.backplane.publish(attendance(node.backplane, ANN, 1, 1))
        assert (await node.backplane.log.top(ROOM)).offset == 6
        await holds(lambda: len(node.heard.came) == 7)
        assert contents(node.heard.publications()) == list(range(6))
        assert node.heard.told == ["reunited"]


async def test_a_stranger_speaks_on_our_channels(redis_server: RedisServer) -> None:
    """It is counted, and harms nobody."""
    async with running(redis_server.url) as node:
        await node.backplane.enter(ROOM)
        voices = [f"hubbub:{{{ROOM}}}", "hubbub:{orders}"]
        for frame in ("", "hello", "p", "pe.1:", "p.:\x91", "s\x90", "a\x94", "o\x93"):
            for voice in voices:
                await redis_server.ask("SPUBLISH", voice, frame)
        node.backplane.publish(word("still here"))
        await holds(lambda: node.heard.came)
        assert node.heard.came == [word("still here")]
        assert node.heard.orders == []
        assert node.backplane.counts.undecodable == 16
        assert node.backplane.fault is None


async def test_a_damaged_key_cuts_nobody_off(redis_server: RedisServer) -> None:
    """What it stands for is refused or dropped, and all else goes on."""
    async with running(redis_server.url) as node:
        await node.backplane.enter(ROOM)
        await redis_server.ask("SET", f"hubbub:{{{ROOM}}}:roll", "no roll")
        node.backplane.publish(attendance(node.backplane, ANN, 1, 1))
        node.backplane.publish(word("still here"))
        await holds(lambda: node.heard.came)
        assert node.heard.came == [word("still here")]
        assert node.backplane.counts.dropped == 1
        with pytest.raises(Refusal, match="unavailable"):
            await node.backplane.roll(ROOM)
        assert node.heard.told == ["reunited"]


RIGHTS = (
    "-@all +ping +info +select +cluster|slots +script|load +evalsha"
    " +spublish +ssubscribe +sunsubscribe +time +del +expire +pexpire +get +set"
    " +hget +hset +hmget +hgetall +hkeys +hdel +hincrby"
    " +xadd +xdel +xlen +xrange +xrevrange"
    " +zadd +zrem +zscore +zrange +zrangebyscore"
)
"""What the docs say that a user of its own needs."""


async def test_a_user_with_few_rights_will_do(redis_server: RedisServer) -> None:
    """Its password may have anything in it."""
    who = ("SETUSER", "hubbub", "on", ">p w:/@%", "~hubbub:*", "&hubbub:*")
    await redis_server.ask("ACL", *who, *RIGHTS.split())
    url = redis_server.url.replace("//", "//hubbub:p%20w%3A%2F%40%25@")
    async with running(url) as node:
        backplane, log = node.backplane, node.backplane.log
        await backplane.enter(ROOM)
        top = (await keep(log, say("x", channel=ROOM, key="k")))[0]
        await log.read(ROOM, top, 1)
        await log.page(ROOM, None, 1)
        await log.snapshot(ROOM, top, b"state")
        await log.latest_snapshot(ROOM)
        await log.tops(())
        backplane.publish(attendance(backplane, ANN, 1, 1))
        await holds(lambda: len(node.heard.came) == 2)
        await redis_server.ask("HSET", f"hubbub:{{{ROOM}}}:roll", "n_dead|u|x", "")
        assert len(await backplane.roll(ROOM)) == 1
        assert await backplane.hold("market")
        await backplane.release("market")
        await log.renew(ROOM, top.epoch)
        assert await redis_server.ask("HLEN", f"hubbub:{{{ROOM}}}:roll") == 2
    await redis_server.ask("ACL", "DELUSER", "hubbub")


@pytest.mark.usefixtures("_quick")
async def test_who_is_there_outlives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that live are in the rolls all the time, and nobody is told to be lost."""
    monkeypatch.setattr(census, "NODE_S", 1.0)
    server = RedisServer(appendonly="yes", appendfsync="always")
    try:
        server.start()
        async with running(server.url) as node, running(server.url) as other:
            await holds(lambda: len(node.backplane.nodes()) == 2)
            await other.backplane.enter(ROOM)
            other.backplane.publish(attendance(other.backplane, ANN, 1, 1))
            await holds(lambda: other.heard.came)
            server.kill()
            await asyncio.sleep(1.2)
            server.start()
            await holds(lambda: node.heard.told.count("reunited") == 2)
            assert [each.node for each in await node.backplane.roll(ROOM)] == [
                other.backplane.node
            ]
            await asyncio.sleep(0.3)
            assert not [each for each in node.heard.told if each.startswith("lost")]
    finally:
        server.remove()


async def test_a_receiver_that_raises_harms_nobody(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What comes after it is brought."""
    async with running(redis_server.url) as node:
        await node.backplane.enter(ROOM)
        take = node.heard.deliver

        def deliver(broadcast: object) -> None:
            node.heard.deliver = take  # type: ignore[method-assign]
            raise RuntimeError(broadcast)

        node.heard.deliver = deliver  # type: ignore[method-assign]
        node.backplane.publish(word("one"))
        node.backplane.publish(word("two"))
        await holds(lambda: node.heard.came)
        assert node.heard.came == [word("two")]
    assert "could not be delivered" in caplog.text


@pytest.mark.usefixtures("_quick")
async def test_a_receiver_that_does_not_take_it_harms_nobody(
    own_redis: RedisServer, node: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is kept all the same."""

    def fail(reason: str = "") -> None:
        raise RuntimeError(reason)

    with monkeypatch.context() as patched:
        patched.setattr(node.heard, "cut_off", fail)
        patched.setattr(node.heard, "reunited", fail)
        own_redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
        await holds(lambda: node.backplane.counts.reconnects == 1)
    own_redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
    await holds(lambda: node.heard.told == ["reunited", "cut off", "reunited"])


async def test_too_much_waits(redis_server: RedisServer) -> None:
    """What finds no room is refused and counted; what waits is sent."""
    async with running(redis_server.url) as node:
        big = word("x" * 1_000_000)
        for _ in range(8):
            node.backplane.publish(big)
        with pytest.raises(Refusal, match="too much waits"):
            node.backplane.publish(big)
        assert node.backplane.counts.dropped == 1
        await holds(lambda: node.backplane.counts.sent == 8)
        for _ in range(10_000):
            node.backplane.publish(word(""))
        with pytest.raises(Refusal, match="too much waits"):
            node.backplane.publish(word(""))
        await holds(lambda: node.backplane.counts.sent == 10_008)
        node.backplane.publish(big)


@pytest.mark.usefixtures("_quick")
async def test_a_crashed_node_is_lost(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its people; and its lease goes to another, with a greater fence."""
    monkeypatch.setattr(census, "NODE_S", 0.5)
    monkeypatch.setattr(leases, "LEASE_S", 0.5)
    async with running(redis_server.url) as node, running(redis_server.url) as crashing:
        await holds(lambda: len(node.backplane.nodes()) == 2)
        await node.backplane.enter(ROOM)
        crashed = crashing.backplane
        crashed.publish(attendance(crashed, BOB, 1, 1))
        first = await crashed.hold("market")
        await holds(lambda: node.heard.came)
        await crashing.die()
        await holds(lambda: f"lost {crashed.node}" in node.heard.told)
        assert list(await node.backplane.roll(ROOM)) == []
        second = await _hold(node)
        assert first is not None
        assert second.number > first.number


async def _hold(node: Member) -> Fence:
    """Ask for the lease until it is had."""
    while True:
        fence = await node.backplane.hold("market")
        if fence is not None:
            return fence
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("_quick")
async def test_a_node_that_was_taken_for_dead_says_all_again(
    redis_server: RedisServer,
) -> None:
    """It was stopped for a while, say; it is told to say its roll again."""
    async with running(redis_server.url) as node, running(redis_server.url) as other:
        await holds(lambda: len(other.backplane.nodes()) == 2)
        await redis_server.ask("ZREM", "hubbub:{nodes}:living", node.backplane.node)
        await holds(lambda: node.heard.told == ["reunited", "reunited"])
        await holds(lambda: len(other.backplane.nodes()) == 2)
        assert node.backplane.fault is None


async def test_what_waits_is_sent_before_it_stops(redis_server: RedisServer) -> None:
    """All that was published, also in a burst."""
    async with running(redis_server.url) as node:
        await node.backplane.enter(ROOM)
        async with running(redis_server.url) as leaver:
            for number in range(2_000):
                leaver.backplane.publish(word(str(number)))
            await leaver.backplane.stop()
        await holds(lambda: len(node.heard.came) == 2_000)


async def test_stopping_while_redis_is_silent_takes_a_second(
    own_redis: RedisServer,
) -> None:
    """It leaves without a word."""
    async with running(own_redis.url) as node:
        own_redis.pause()
        began_s = time.monotonic()
        await node.backplane.stop()
        assert time.monotonic() - began_s < 1.5
        own_redis.resume()


async def test_without_redis_nothing_starts(own_redis: RedisServer) -> None:
    """The operator is told which one it was, and no password."""
    port = own_redis.port
    own_redis.stop()
    url = f"redis://me:secret@127.0.0.1:{port}/0"
    with pytest.raises(SettingsError, match=rf"redis at 127\.0\.0\.1:{port}: ") as said:
        await _start(url)
    assert "secret" not in str(said.value)
    own_redis.start()
    with pytest.raises(SettingsError, match="username-password") as said:
        await _start(url)
    assert "secret" not in str(said.value)


async def test_a_replica_is_no_backplane(
    own_redis: RedisServer, redis_server: RedisServer
) -> None:
    """Nothing can be written to it."""
    own_redis.tell("REPLICAOF", "127.0.0.1", str(redis_server.port))
    with pytest.raises(SettingsError, match="is a replica"):
        await _start(own_redis.url)


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("http://localhost", "hubbub"),
        ("redis://localhost:port", "hubbub"),
        ("redis://localhost?nonsense=1", "hubbub"),
        ("redis://localhost", "{}"),
        ("redis://localhost", ""),
    ],
)
def test_settings_that_cannot_be_used(url: str, prefix: str) -> None:
    """They are refused before anything is connected."""
    with pytest.raises(SettingsError, match="redis"):
        RedisBackplane(url, "n_1", bounds=lambda _: KEPT, prefix=prefix)


async def _start(url: str) -> None:
    backplane, tasks = RedisBackplane(url, "n_1", bounds=lambda _: KEPT), Tasks()
    await tasks.start()
    try:
        await backplane.start(tasks)
    finally:
        await backplane.stop()
        await tasks.stop()


async def test_an_append_is_one_round_trip(redis_server: RedisServer) -> None:
    """And one command, whoever listens; a batch is one round trip too."""
    async with (
        Forwarder(redis_server.port) as line,
        running(line.url) as node,
        running(redis_server.url) as other,
    ):
        await node.backplane.enter(ROOM)
        await other.backplane.enter(ROOM)
        await keep(node.backplane.log, say("warm", channel=ROOM))
        appending = line.lines[-1]
        turns, commands = appending.turns, node.backplane.counts.operations
        for _ in range(10):
            (outcome,) = await node.backplane.log.append([say("x", channel=ROOM)])
            assert isinstance(outcome, Appended)
        assert appending.turns == turns + 10
        batch = [say(each, channel=ROOM) for each in range(50)]
        await keep(node.backplane.log, *batch)
        assert appending.turns == turns + 11
        assert node.backplane.counts.operations - commands <= 60 + 4, "and some beats"
        await holds(lambda: len(other.heard.came) == 61)
