"""Many nodes on one PostgreSQL: no hole, nothing twice, nothing lost, nobody stuck."""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from blockbuster import blockbuster_ctx
from sqlalchemy import delete, select, text
from sqlalchemy.exc import DBAPIError

from server.errors import Away, SettingsError
from server.kinds.chat.rows import RoomTouched
from server.kinds.notes.rows import NoteTouched
from server.model import Position
from server.seams.log import Append, Appended, Draft, Duplicate, Rejected
from server.stores.sql.server import Server
from server.stores.sql.store import SqlStore
from server.stores.sql.tables import channel, publication
from tests.clocks import ManualClock
from tests.contracts.stores import ANN, ROOM, keep, offsets, say
from tests.services.postgres import PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from server.seams.log import Change, Log, Outcome
    from tests.services.postgres import Postgres

ROOMS = ("chat:a", "chat:b", "chat:c", "chat:d")
REFUSED_S = 2.5
"""Within which a write that cannot be done is to be refused."""


@asynccontextmanager
async def opened(url: str, *, alone: bool = False) -> AsyncIterator[SqlStore]:
    """Open one node's store."""
    async with SqlStore.open_shared(url, ManualClock(), alone=alone) as store:
        yield store


@asynccontextmanager
async def nodes(url: str, count: int) -> AsyncIterator[list[SqlStore]]:
    """Open the stores of several nodes."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opened(url)) for _ in range(count)]


@pytest.fixture
async def store(empty_url: str) -> AsyncIterator[SqlStore]:
    """Open one store on a database without rows."""
    async with opened(empty_url) as store:
        yield store


async def contents(log: Log, name: str) -> list[object]:
    """Return all that a channel holds; its offsets must have no holes."""
    top = await log.top(name)
    found = await log.read(name, Position(top.epoch, 0), top.offset)
    assert offsets(found.publications) == list(range(1, top.offset + 1))
    return [each.content for each in found.publications]


# ---------------------------------------------------------------- at once


def both_ways(number: int, node: int) -> Append:
    """Say one thing in several rooms, in an order that differs from node to node."""
    choose = random.Random(1_000 * node + number)
    rooms = choose.sample(ROOMS, k=choose.randrange(1, 4))
    said = f"{node}-{number}"
    drafts = tuple(Draft(room, "message", said, ANN, number) for room in rooms)
    return Append(drafts, key=said)


async def test_nodes_that_append_at_once_agree_on_one_order(empty_url: str) -> None:
    """Channels in any order: no hole, no deadlock, everything once."""
    count = 40

    async def append(log: Log, node: int) -> None:
        for first in range(0, count, 4):
            batch = [both_ways(number, node) for number in range(first, first + 4)]
            outcomes = await log.append(batch)
            assert all(isinstance(each, Appended) for each in outcomes)

    async with nodes(empty_url, 4) as stores:
        async with asyncio.TaskGroup() as group:
            for node, store in enumerate(stores):
                group.create_task(append(store.log, node))
        said = [both_ways(number, node) for node in range(4) for number in range(count)]
        for name in ROOMS:
            kept = await contents(stores[0].log, name)
            wanted = [
                each.key
                for each in said
                if any(draft.channel == name for draft in each.drafts)
            ]
            assert sorted(map(str, kept)) == sorted(map(str, wanted))
            assert await contents(stores[1].log, name) == kept


async def test_nodes_that_touch_the_same_rows_do_it_in_one_order(
    empty_url: str,
) -> None:
    """Whatever the order of the changes; no lock of a channel orders them here."""
    count = 30

    async def append(log: Log, node: int) -> None:
        choose = random.Random(node)
        for number in range(count):
            changes: list[Change] = [
                *(RoomTouched(room, room, "x", "Ann", number) for room in ROOMS),
                *(NoteTouched(room, room, "x", number, "Ann", 1) for room in ROOMS),
            ]
            choose.shuffle(changes)
            own = say(number, channel=f"open:n{node}", changes=tuple(changes))
            await keep(log, own)

    async with nodes(empty_url, 4) as stores:
        async with asyncio.TaskGroup() as group:
            for node, store in enumerate(stores):
                group.create_task(append(store.log, node))
        rows = await stores[0].chat.rooms(9)
        assert {row.messages for row in rows} == {4 * count}


async def test_channels_are_made_once_whoever_comes_first(empty_url: str) -> None:
    """Some are there and some are not, differently for each batch of each node."""

    async def append(log: Log, node: int) -> None:
        choose = random.Random(node)
        for wave in range(12):
            names = [f"open:w{wave}-{number}" for number in range(12)]
            picked = choose.sample(names, k=8)
            await keep(log, *(say(node, channel=name) for name in picked))

    async with nodes(empty_url, 4) as stores:
        async with asyncio.TaskGroup() as group:
            for node, store in enumerate(stores):
                group.create_task(append(store.log, node))
        names = await stores[0].database.read(
            lambda c: list(c.execute(select(channel.c.name)).scalars())
        )
        kept = [await contents(stores[0].log, name) for name in names]
        assert sum(map(len, kept)) == 4 * 12 * 8


async def test_a_key_is_kept_once_by_all_nodes(empty_url: str) -> None:
    """Of those who say the same at once, one is told where it stands, by whom else."""
    async with nodes(empty_url, 3) as stores:
        for number in range(20):
            again = say(number, channel=f"open:c{number % 2}", key=f"k{number}")
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(store.log.append([again])) for store in stores
                ]
            outcomes = [task.result()[0] for task in tasks]
            (kept,) = [each for each in outcomes if isinstance(each, Appended)]
            others = [each for each in outcomes if not isinstance(each, Appended)]
            assert others == [Duplicate(kept.positions[0])] * 2


async def test_a_cancelled_append_locks_nothing(empty_url: str) -> None:
    """Wherever it is cut it is whole or absent, and others go on at once."""
    choose = random.Random(3)
    kept = 0
    async with nodes(empty_url, 2) as (one, two):
        await keep(one.log, say("first"))
        kept += 1
        for turn in range(40):
            batch = [say(f"{turn}-{part}", key=f"{turn}-{part}") for part in range(3)]
            task = asyncio.create_task(one.log.append(batch))
            await asyncio.sleep(choose.random() * 0.006)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            (at,) = await keep(two.log, say("after"))
            (following,) = await keep(one.log, say("after"))
            parts = following.offset - kept - 2
            assert parts in {0, 3}, "whole or absent"
            assert at.offset in {kept + 1, kept + 1 + parts}
            kept = following.offset
        assert len(await contents(two.log, ROOM)) == kept


async def test_more_callers_than_connections_wait(store: SqlStore) -> None:
    """And every offset is given once."""
    single = [store.log.append([say(number)]) for number in range(40)]
    reads = [store.log.top(ROOM) for _ in range(40)]
    await asyncio.gather(*single, *reads)
    assert len(await contents(store.log, ROOM)) == 40


async def test_a_failed_change_fails_its_batch(store: SqlStore) -> None:
    """Log and rows are one transaction; the connection is not harmed."""
    too_big = RoomTouched(ROOM, "lobby", "one", "Ann", 2**63)
    with pytest.raises(DBAPIError):
        await store.log.append([say(1, key="k", changes=(too_big,))])
    (at,) = await keep(store.log, say(1, key="k"))
    assert at.offset == 1


async def test_a_commit_waits_for_the_disk(store: SqlStore) -> None:
    """Whatever the server's own settings; and what reads cannot write."""

    async def shown(name: str) -> object:
        query = text(f"SHOW {name}")
        return await store.database.write(lambda c: c.execute(query).scalar())

    assert await shown("synchronous_commit") == "on"
    assert await shown("transaction_isolation") == "read committed"
    assert await shown("application_name") == "hubbub"
    with pytest.raises(DBAPIError, match="read-only"):
        await store.database.read(lambda c: c.execute(delete(publication)))


async def test_everything_outlives_a_restart_of_the_node(empty_url: str) -> None:
    """Epochs, offsets, keys, also of what nobody wrote to; and it is one secret."""
    async with opened(empty_url) as store:
        first = say("one", key="k")
        (at,) = await keep(store.log, first)
        blank = await store.log.top("chat:unwritten")
        secret = store.secret
    async with nodes(empty_url, 2) as (one, two):
        assert await two.log.append([first]) == [Duplicate(at)]
        assert await one.log.top("chat:unwritten") == blank
        assert [one.secret, two.secret] == [secret, secret]
        assert len(bytes.fromhex(secret)) == 32


# ---------------------------------------------------------------- away, and back


def kept_at(outcome: Outcome) -> Position:
    """Return where it is kept, since now or since before."""
    assert not isinstance(outcome, Rejected)
    return outcome.positions[0] if isinstance(outcome, Appended) else outcome.position


async def refused(log: Log) -> None:
    """Append what must be refused, in time."""
    began_s = asyncio.get_running_loop().time()
    with pytest.raises((Away, DBAPIError)):
        await log.append([say("refused")])
    assert asyncio.get_running_loop().time() - began_s < REFUSED_S


async def test_away_it_is_refused_and_back_it_goes_on(
    postgres: Postgres, empty_url: str
) -> None:
    """Appends and reads alike; the epochs are those of before."""
    async with nodes(empty_url, 2) as stores:
        (at,) = await keep(stores[0].log, say("before"))
        assert await stores[1].log.top(ROOM) == at
        postgres.stop()
        try:
            for store in stores:
                await refused(store.log)
                with pytest.raises((Away, DBAPIError)):
                    await store.log.top(ROOM)
        finally:
            postgres.start()
        for store in stores:
            await keep(store.log, say("after"))
            assert (await store.log.top(ROOM)).epoch == at.epoch
        assert await contents(stores[0].log, ROOM) == ["before", "after", "after"]


async def test_a_restart_unseen_costs_nothing(
    postgres: Postgres, empty_url: str
) -> None:
    """A connection that the server closed is never used again."""
    async with opened(empty_url) as store:
        await asyncio.gather(*(store.log.top(ROOM) for _ in range(20)))
        await keep(store.log, say("before"))
        postgres.stop()
        postgres.start()
        await asyncio.sleep(0.05)
        await asyncio.gather(*(store.log.top(ROOM) for _ in range(20)))
        await keep(store.log, say("after"))


@pytest.mark.parametrize("ends", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_what_was_acknowledged_outlives_the_server(
    postgres: Postgres, empty_url: str, ends: int
) -> None:
    """Stopped or killed under load, again and again: nothing lost, nothing twice."""
    acknowledged: dict[str, Position] = {}
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def speak(log: Log, node: int) -> None:
        number = 0
        while not done.is_set():
            said = f"{node}-{number}"
            began_s = loop.time()
            try:
                (outcome,) = await log.append([say(said, key=said)])
            except (Away, DBAPIError):
                assert loop.time() - began_s < REFUSED_S
                await asyncio.sleep(0.02)
                continue  # says the same again
            acknowledged[said] = kept_at(outcome)
            number += 1

    async def end() -> None:
        choose = random.Random(8)
        for turn in range(ends):
            await asyncio.sleep(0.1 + choose.random() * 0.3)
            await asyncio.to_thread(postgres.kill if turn % 2 else postgres.stop)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(postgres.start)
        await asyncio.sleep(0.3)
        done.set()

    async with nodes(empty_url, 3) as stores:
        async with asyncio.TaskGroup() as group:
            for node, store in enumerate(stores):
                group.create_task(speak(store.log, node))
            group.create_task(end())
        kept = await contents(stores[0].log, ROOM)
        epoch = (await stores[0].log.top(ROOM)).epoch
    found = {str(each): Position(epoch, at) for at, each in enumerate(kept, 1)}
    assert len(found) == len(kept), "nothing twice"
    assert found.items() >= acknowledged.items(), "nothing lost, at its position"
    assert len(acknowledged) > 10 * ends


async def test_a_server_that_stands_still_is_refused_in_time(
    postgres: Postgres, empty_url: str
) -> None:
    """With its connections open; afterwards nothing is locked."""
    async with nodes(empty_url, 2) as stores:
        for store in stores:
            await keep(store.log, say("before"))
            await store.log.top(ROOM)
        postgres.pause()
        try:
            async with asyncio.TaskGroup() as group:
                for store in stores:
                    group.create_task(refused(store.log))
                    group.create_task(refused(store.log))
            await refused(stores[0].log)
            with pytest.raises((Away, DBAPIError)):
                await stores[0].log.top(ROOM)
        finally:
            postgres.resume()
        for store in stores:
            await keep(store.log, say("after"))
        kept = await contents(stores[0].log, ROOM)
    assert kept.count("before") == kept.count("after") == 2


@pytest.mark.long
async def test_a_node_that_stands_still_holds_nobody_up(empty_url: str) -> None:
    """Its transaction is ended by the server, with the locks that it has."""
    async with opened(empty_url) as store:
        await keep(store.log, say("before"))
        stopped = await Server(empty_url, alone=False).writer()
        await stopped.connection.execute(text("SELECT * FROM channel FOR UPDATE"))
        await refused(store.log)
        await asyncio.sleep(0.5)
        await keep(store.log, say("after"))
        assert not stopped.is_fit
        await stopped.close()
        assert await contents(store.log, ROOM) == ["before", "after"]


def sleep_long(connection: Connection) -> None:
    """Take longer than anybody waits."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_sleep(60)"))


@pytest.mark.long
async def test_a_line_that_was_cut_is_taken_up_again(empty_url: str) -> None:
    """Also by who must be alone, while the server still knows of the old one."""
    async with opened(empty_url, alone=True) as store:
        await keep(store.log, say("before"))
        with pytest.raises((Away, DBAPIError)):
            await store.database.write(sleep_long)
        await keep(store.log, say("after"))
        assert await contents(store.log, ROOM) == ["before", "after"]


# ---------------------------------------------------------------- who may be there


async def test_who_is_alone_lets_nobody_in(empty_url: str) -> None:
    """It is said why; when it ended there is room again."""
    async with opened(empty_url, alone=True):
        for alone in (True, False):
            with pytest.raises(SettingsError, match="is in use by") as refusal:
                async with opened(empty_url, alone=alone):
                    pass
            assert "the same --redis-url, or stop that one" in str(refusal.value)
            assert PASSWORD not in str(refusal.value)
    async with opened(empty_url, alone=True):
        pass


async def test_where_others_are_nobody_can_be_alone(empty_url: str) -> None:
    """But join them."""
    async with nodes(empty_url, 2):
        with pytest.raises(SettingsError, match="is in use by another Hubbub"):
            async with opened(empty_url, alone=True):
                pass
        async with opened(empty_url):
            pass


async def test_who_lost_its_place_writes_nothing(
    postgres: Postgres, empty_url: str
) -> None:
    """Somebody came while the server was away: neither is harmed by the other."""
    async with opened(empty_url, alone=True) as store:
        await keep(store.log, say("before"))
        postgres.stop()
        postgres.start()
        async with opened(empty_url, alone=True) as other:
            await refused(store.log)
            await keep(other.log, say("theirs"))
        await keep(store.log, say("after"))
        assert await contents(store.log, ROOM) == ["before", "theirs", "after"]


async def fault(url: str) -> str:
    """Return the sentence with which opening is refused."""
    with pytest.raises(SettingsError) as refusal:
        async with opened(url):
            pass
    (said,) = refusal.value.faults
    assert PASSWORD not in said
    return said


async def test_what_cannot_be_reached_is_told_in_a_sentence(
    postgres: Postgres, database: str
) -> None:
    """With host, port and name, and never with the password."""
    at = f"The database 127.0.0.1:{postgres.port}"
    assert await fault(postgres.url("nowhere")) == (
        f'{at}/nowhere cannot be used: database "nowhere" does not exist.'
    )
    wrong = await fault(postgres.url(database, "wrong sesame"))
    assert wrong.startswith(f"{at}/{database} cannot be used: password authentication")
    assert "sesame" not in wrong
    strange = await fault(postgres.url(database) + "?sslmode=on")
    assert "sslmode" in strange
    postgres.stop()
    try:
        away = await fault(postgres.url(database))
        assert away == f"{at}/{database} cannot be used: connection refused."
    finally:
        postgres.start()
    assert "cannot be read" in await fault(postgres.url(database).replace("//", "", 1))


async def test_without_its_driver_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    said = await fault("postgresql+asyncpg://ann@127.0.0.1/nowhere")
    assert "pip install 'hubbub[postgres]'" in said


async def test_a_failure_shows_nothing_of_what_was_said(store: SqlStore) -> None:
    """Errors are logged: they hold statements, but not what people wrote."""
    touched = RoomTouched(ROOM, "lobby", "between us", "Ann", 2**63)
    with pytest.raises(DBAPIError) as error:
        await store.log.append([say("between us", changes=(touched,))])
    assert "between us" not in str(error.value)


async def test_nothing_blocks_the_loop(empty_url: str) -> None:
    """Once all is connected: before, certificates are looked for in files."""
    async with opened(empty_url) as store:
        await keep(store.log, say(1))
        await asyncio.gather(*(store.log.top(ROOM) for _ in range(20)))
        with blockbuster_ctx("server"):
            (at,) = await keep(store.log, say(1, key="k"))
            await store.log.read(ROOM, Position(at.epoch, 0), 10)
            await store.log.snapshot(ROOM, at, b"state")
            await store.chat.rooms(10)
