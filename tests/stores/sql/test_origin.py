"""A database that moved, or lost its tail, begins new epochs; nothing else does."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from server.errors import Away, Unrecoverable
from server.model import Position
from server.stores.sql.channels import lock_channels
from server.stores.sql.origin import begin_anew
from server.stores.sql.server import Server
from server.stores.sql.store import SqlStore
from server.stores.sql.tables import store
from tests.clocks import ManualClock
from tests.contracts.stores import ROOM, fill, keep, offsets, say
from tests.services.postgres import Postgres

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

UNWRITTEN = "chat:unwritten"


def opened(url: str) -> AbstractAsyncContextManager[SqlStore]:
    """Open one node's store."""
    return SqlStore.open_shared(url, ManualClock(), alone=False)


async def tops(node: SqlStore) -> tuple[Position, Position]:
    """Return the tops of a channel with publications and of one without."""
    return await node.log.top(ROOM), await node.log.top(UNWRITTEN)


async def all_anew(node: SqlStore, before: tuple[Position, Position]) -> None:
    """Both channels have new epochs, what is kept is kept, and it goes on."""
    now = await tops(node)
    for old, new in zip(before, now, strict=True):
        assert old.epoch != new.epoch
        with pytest.raises(Unrecoverable):
            await node.log.read(ROOM, old, 10)
    page = await node.log.page(ROOM, None, 1_000)
    assert offsets(page.publications) == list(range(1, now[0].offset + 1))
    assert await keep(node.log, say("on")) == [
        Position(now[0].epoch, now[0].offset + 1)
    ]


async def test_a_copy_is_another_stream(postgres: Postgres, database: str) -> None:
    """Made as a restored dump is: the same rows in another database of the server."""
    async with opened(postgres.url(database)) as node:
        await fill(node.log, 3)
        before = await tops(node)
    copy = postgres.create(database)
    async with opened(postgres.url(copy)) as node:
        assert (await node.log.top(ROOM)).offset == 3
        await all_anew(node, before)
    postgres.drop(copy)
    async with opened(postgres.url(database)) as node:
        assert await tops(node) == before, "the original is as it was"


async def test_all_nodes_find_the_same_new_epochs(
    postgres: Postgres, database: str
) -> None:
    """Each compares when it connects again; the first begins anew, for all."""
    url = postgres.url(database)
    async with opened(url) as one, opened(url) as two:
        await fill(one.log, 3)
        before = await tops(one)
        assert await tops(two) == before
        moved = "UPDATE store SET origin = 'elsewhere'"
        everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        postgres.sql(f"{moved}; {everybody} WHERE application_name='hubbub'", database)
        await asyncio.sleep(0.05)
        seen = await asyncio.gather(*(tops(node) for node in (one, two) * 4))
        assert len(set(seen)) == 1
        await all_anew(one, before)
        assert (await two.log.top(ROOM)).epoch == seen[0][0].epoch


async def test_a_restart_keeps_the_epochs(postgres: Postgres, database: str) -> None:
    """Of the server or of the node, in order or not."""
    url = postgres.url(database)
    async with opened(url) as node:
        await fill(node.log, 3)
        before = await tops(node)
        for end in (postgres.stop, postgres.kill):
            end()
            postgres.start()
            assert await tops(node) == before
    async with opened(url) as node:
        assert await tops(node) == before


async def test_a_channel_made_meanwhile_is_anew_as_well(empty_url: str) -> None:
    """No append that began before leaves an epoch of before."""
    async with opened(empty_url) as node:
        before = await node.log.top(ROOM)
        line = await Server(empty_url, alone=False).writer()
        await line.connection.run_sync(lock_channels, [ROOM])
        beginning = asyncio.create_task(
            node.database.write(lambda c: begin_anew(c, "elsewhere"))
        )
        await asyncio.sleep(0.2)
        assert not beginning.done(), "it waits for those who began"
        await line.connection.commit()
        await beginning
        await line.close()
        assert (await node.log.top(ROOM)).epoch != before.epoch


async def test_where_nobody_may_ask_it_goes_on_with_a_warning(
    postgres: Postgres, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Some who offer databases permit little: then a move is not noticed."""
    postgres.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", database)
    with caplog.at_level(logging.WARNING, "hubbub"):
        async with opened(postgres.url(database)) as node:
            await fill(node.log, 3)
            before = await tops(node)
            await asyncio.gather(*(tops(node) for _ in range(9)))
    assert len([each for each in caplog.records if "may not ask" in each.msg]) == 1
    async with opened(postgres.url(database)) as node:
        moved = update(store).values(origin="elsewhere")
        await node.database.write(lambda c: c.execute(moved))
    async with opened(postgres.url(database)) as node:
        assert await tops(node) == before


@pytest.mark.long
async def test_a_replica_that_takes_over_begins_anew() -> None:
    """It lacks the end of what was acknowledged; while it only reads, it is away."""
    first, second = Postgres(), Postgres()
    second.port = first.port
    try:
        first.init()
        first.start()
        first.make_role()
        url = first.url(first.create())
        async with opened(url) as node:
            await fill(node.log, 3)
            first.copy_to(second)
            await keep(node.log, say("acknowledged"), say("and lost"))
            before = await tops(node)
            first.kill()
            second.start()
            await asyncio.sleep(0.05)
            with pytest.raises(Away, match="recovery is in progress"):
                await node.log.append([say("x")])
            with pytest.raises(Away, match="recovery is in progress"):
                await node.log.top(ROOM)
            second.sql("SELECT pg_promote()")
            assert (await node.log.top(ROOM)).offset == 3
            await all_anew(node, before)
    finally:
        first.remove()
        second.remove()
