"""What the log in Redis does beyond the contract of all logs."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from server.backplanes.redis.backplane import Bounds
from server.backplanes.redis.lane import Command, pieces
from server.errors import Refusal, Unrecoverable
from server.kinds.chat.rows import RoomTouched
from server.model import Fence, Position, Principal
from server.seams.log import Append, Appended, Draft, Duplicate, Rejected
from tests.backplanes.redis.nodes import ANN, ROOM, contents, holds, running
from tests.contracts.stores import fill, keep, offsets, say

if TYPE_CHECKING:
    from server.model import JSON
    from server.seams.log import Log
    from tests.services.redis import RedisServer

META, LOG, KEYS, SNAP = (
    f"hubbub:{{{ROOM}}}:{each}" for each in ("meta", "log", "keys", "snap")
)


def lead(fence: int, content: JSON = "tick", *channels: str) -> Append:
    """Return an Append by the holder of a lease."""
    drafts = [Draft(each, "tick", content, None, 0) for each in channels or (ROOM,)]
    return Append(tuple(drafts), fence=Fence("market", fence))


async def test_it_says_what_it_is(redis_server: RedisServer) -> None:
    """Not durable; it carries; it keeps no rows; it answers when nothing is asked."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        assert not log.durable
        assert log.carries
        assert await log.tops(()) == {}
        change = RoomTouched(ROOM, "lobby", "one", "Ann", 1)
        with pytest.raises(TypeError, match="RoomTouched"):
            await log.append([say("one"), say("two", changes=(change,))])
        assert (await log.top("chat:lobby")).offset == 0


async def test_what_is_kept_is_brought_as_it_was_said(
    redis_server: RedisServer,
) -> None:
    """To every node that entered, at the position that was told; a duplicate is not."""
    odd = Principal("u_\0", "A\0nn \N{SNOWMAN}")
    async with running(redis_server.url) as node, running(redis_server.url) as other:
        for each in (node, other):
            await each.backplane.enter(ROOM)
        said = [
            say({"a": [None, 0.5]}, channel=ROOM, key="k"),
            say(b"\0\xff", channel=ROOM, author=odd),
            say("again", channel=ROOM, key="k"),
            say(2**60, channel=ROOM, author=None),
        ]
        outcomes = await node.backplane.log.append(said)
        assert isinstance(outcomes[2], Duplicate)
        await holds(lambda: len(node.heard.came) == len(other.heard.came) == 3)
        assert node.heard.came == other.heard.came
        epoch = (await other.backplane.log.top(ROOM)).epoch
        found = await other.backplane.log.read(ROOM, Position(epoch, 0), 10)
        assert list(found.publications) == node.heard.came
        assert node.heard.publications()[1].author == odd
        assert node.heard.publications()[0].key == "k"


async def test_it_keeps_the_newest(redis_server: RedisServer) -> None:
    """By their number; a key is forgotten with its publication."""
    async with running(redis_server.url, lambda _: Bounds(size=3)) as node:
        log = node.backplane.log
        await keep(log, say("first", channel=ROOM, key="k"))
        first, *_ = await fill(log, 4, ROOM)
        page = await log.page(ROOM, None, 10)
        assert offsets(page.publications) == [3, 4, 5]
        assert await redis_server.ask("HLEN", KEYS) == 0
        with pytest.raises(Unrecoverable):
            await log.read(ROOM, Position(first.epoch, 1), 10)
        assert offsets((await log.read(ROOM, first, 10)).publications) == [3, 4, 5]
        (again,) = await keep(log, say("again", channel=ROOM, key="k"))
        assert again.offset == 6


async def test_it_keeps_so_many_bytes(redis_server: RedisServer) -> None:
    """Contents as they were encoded; what is bigger than all of it is not kept."""
    async with running(redis_server.url, lambda _: Bounds(max_bytes=100)) as node:
        log = node.backplane.log
        await keep(log, *(say("x" * 38, channel=ROOM) for _ in range(3)))
        assert offsets((await log.page(ROOM, None, 10)).publications) == [2, 3]
        (big,) = await keep(log, say("x" * 200, channel=ROOM))
        assert (await log.page(ROOM, None, 10)).publications == ()
        assert await log.top(ROOM) == big
        (after,) = await keep(log, say("y", channel=ROOM))
        assert offsets((await log.read(ROOM, big, 10)).publications) == [after.offset]


async def test_what_is_old_goes(redis_server: RedisServer) -> None:
    """Whoever comes late reads no more of it, but the stream goes on."""
    async with running(redis_server.url, lambda _: Bounds(age_s=0.3)) as node:
        log = node.backplane.log
        first, _ = await fill(log, 2, ROOM)
        await asyncio.sleep(0.2)
        (third,) = await keep(log, say("y", channel=ROOM))
        await asyncio.sleep(0.15)
        assert offsets((await log.page(ROOM, None, 10)).publications) == [3]
        with pytest.raises(Unrecoverable):
            await log.read(ROOM, first, 10)
        await asyncio.sleep(0.3)
        assert (await log.read(ROOM, third, 10)).publications == ()
        assert await redis_server.ask("EXISTS", LOG) == 0
        (fourth,) = await keep(log, say("z", channel=ROOM))
        assert fourth == Position(third.epoch, 4)


async def test_nothing_is_kept_for_ever(redis_server: RedisServer) -> None:
    """A name that somebody only asked for is soon forgotten; a stream after weeks."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        await log.top("open:forged")
        blank = await redis_server.ask("PTTL", "hubbub:{open:forged}:meta")
        assert isinstance(blank, int)
        assert 0 < blank <= 600_000
        await keep(log, say("x", channel=ROOM, key="k"))
        await log.snapshot(ROOM, await log.top(ROOM), b"state")
        await keep(log, say("y", channel=ROOM, key="l"))
        for key in (META, LOG, KEYS, SNAP):
            life = await redis_server.ask("PTTL", key)
            assert isinstance(life, int)
            assert life > 29 * 24 * 3_600_000, key


async def test_what_redis_evicted_is_missed(redis_server: RedisServer) -> None:
    """Without the log's key nothing is claimed to be whole; without `meta` neither."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        first, _ = await fill(log, 2, ROOM)
        await redis_server.ask("DEL", LOG)
        with pytest.raises(Unrecoverable):
            await log.read(ROOM, first, 10)
        (third,) = await keep(log, say("x", channel=ROOM))
        assert third == Position(first.epoch, 3)
        await redis_server.ask("DEL", META)
        (anew,) = await keep(log, say("x", channel=ROOM))
        assert anew.offset == 1
        assert anew.epoch != first.epoch


async def test_what_a_stranger_wrote_is_unrecoverable(
    redis_server: RedisServer,
) -> None:
    """An entry that cannot be decoded is no publication."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        top = await log.top(ROOM)
        await redis_server.ask("XADD", LOG, "1-0", "d", "\0", "n", "1", "t", "0")
        await redis_server.ask("HSET", META, "o", "1")
        with pytest.raises(Unrecoverable, match="damaged"):
            await log.read(ROOM, top, 10)
        await redis_server.ask("SET", LOG, "not even a stream")
        with pytest.raises(Refusal, match="unavailable"):
            await log.read(ROOM, top, 10)
        (outcome,) = await log.append([say("x", channel=ROOM)])
        assert isinstance(outcome, Rejected)
        assert outcome.error.temporary
        assert node.backplane.fault is None


async def test_who_leads_no_longer_is_fenced_off(redis_server: RedisServer) -> None:
    """In every channel, from the moment on when another one got the lease."""
    async with running(redis_server.url) as node, running(redis_server.url) as other:
        log = node.backplane.log
        first = await node.backplane.hold("market")
        assert first is not None
        await keep(log, lead(first.number), lead(first.number))
        await node.backplane.release("market")
        await keep(log, lead(first.number, "still nobody else"))
        second = await other.backplane.hold("market")
        assert second is not None
        late, newer, other_channel = await log.append(
            [lead(first.number), lead(second.number), lead(first.number, 1, "open:b")]
        )
        for refused in (late, other_channel):
            assert isinstance(refused, Rejected)
            assert "another node leads now" in refused.error.message
        assert isinstance(newer, Appended)
        assert newer.positions[0].offset == 4


async def test_a_fence_that_came_to_a_channel_counts(redis_server: RedisServer) -> None:
    """Also where the lease's own is not known, as on a cluster; leases are apart."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        await keep(log, lead(5), lead(7), lead(7))
        (late,) = await log.append([lead(6)])
        assert isinstance(late, Rejected)
        drafts = lead(6).drafts
        await keep(log, Append(drafts, fence=Fence("other", 1)), Append(drafts))
        two = lead(6, "tick", "open:b", ROOM)
        assert isinstance((await log.append([two]))[0], Rejected)
        assert (await log.top("open:b")).offset == 0, "all or nothing"


async def test_drafts_of_one_append_stand_together(redis_server: RedisServer) -> None:
    """In several channels, and several in one; the key is the first one's."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        drafts = tuple(
            Draft(channel, "said", number, ANN, 0)
            for number, channel in enumerate((ROOM, "open:b", ROOM))
        )
        (outcome,) = await log.append([Append(drafts, key="k")])
        assert isinstance(outcome, Appended)
        assert [each.offset for each in outcome.positions] == [1, 1, 2]
        (again,) = await log.append([Append(drafts, key="k")])
        assert again == Duplicate(outcome.positions[0])
        page = await log.page(ROOM, None, 10)
        assert [each.key for each in page.publications] == ["k", None]


async def test_ten_speak_at_once(redis_server: RedisServer) -> None:
    """All nodes hear one order: every offset once, and each speaker's own order."""
    async with running(redis_server.url) as node, running(redis_server.url) as other:
        for each in (node, other):
            await each.backplane.enter(ROOM)

        async def speak(log: Log, speaker: int) -> None:
            for number in range(0, 100, 5):
                some = range(number, number + 5)
                await keep(log, *(say(speaker * 100 + n, channel=ROOM) for n in some))

        async with asyncio.TaskGroup() as group:
            for speaker in range(10):
                log = (node, other)[speaker % 2].backplane.log
                group.create_task(speak(log, speaker))
        await holds(lambda: len(node.heard.came) == len(other.heard.came) == 1_000)
        heard = [each.heard.publications() for each in (node, other)]
        assert len({_hash(each) for each in map(contents, heard)}) == 1
        assert offsets(heard[0]) == list(range(1, 1_001))
        for speaker in range(10):
            own = range(speaker * 100, speaker * 100 + 100)
            assert [n for n in contents(heard[0]) if n in own] == list(own)


def _hash(said: list[object]) -> str:
    return sha256(repr(said).encode()).hexdigest()


async def test_what_was_missed_is_read(redis_server: RedisServer) -> None:
    """What came before a node entered shows by its offset, and is in the log."""
    async with running(redis_server.url) as node:
        log = node.backplane.log
        first, *_ = await fill(log, 2, ROOM)
        await node.backplane.enter(ROOM)
        (third,) = await keep(log, say(3, channel=ROOM))
        await holds(lambda: node.heard.came)
        assert offsets(node.heard.publications()) == [3]
        missed = await log.read(ROOM, Position(first.epoch, 0), 2)
        assert contents(missed.publications) == [1, 2]
        assert missed.top == third


async def test_prefixes_and_databases_are_apart(redis_server: RedisServer) -> None:
    """Two installations on one server hear and keep nothing of each other's."""
    elsewhere = redis_server.url.removesuffix("/0") + "/3"
    async with (
        running(redis_server.url) as node,
        running(redis_server.url, prefix="other") as other,
        running(elsewhere) as third,
    ):
        for each in (node, other, third):
            await each.backplane.enter(ROOM)
        await keep(node.backplane.log, say("x", channel=ROOM))
        await holds(lambda: node.heard.came)
        for each in (other, third):
            assert (await each.backplane.log.top(ROOM)).offset == 0
            assert len(each.backplane.nodes()) == 1
            assert each.heard.came == []


def test_a_batch_is_cut_where_it_is_big() -> None:
    """Nothing is lost or reordered by it, and a small one goes in one piece."""
    commands = [Command("k", ("X", bytes(400_000), number)) for number in range(7)]
    cut = list(pieces(commands))
    assert [command for piece in cut for command in piece] == commands
    assert [len(piece) for piece in cut] == [3, 3, 1]
    assert list(pieces(commands[:2])) == [commands[:2]]
    assert list(pieces([])) == []
