"""What the SQL store does beyond its contracts: restarts, full disks, archives."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import DBAPIError, OperationalError

from server.errors import SettingsError, Unrecoverable
from server.kinds.chat.rows import RoomTouched
from server.kinds.notes.rows import NoteTouched
from server.model import Position
from server.seams.log import Duplicate, Snapshot
from server.stores.datadir import DataDirectory
from server.stores.sql.channels import CHUNK
from server.stores.sql.database import insert_into
from server.stores.sql.log import ARCHIVE_MS, prune_archive
from server.stores.sql.store import SqlStore
from server.stores.sql.tables import channel, publication, publication_archive
from tests.clocks import ManualClock
from tests.contracts.stores import ROOM, fill, keep, offsets, say

DAY_S = 24 * 3_600


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still."""
    return ManualClock()


@asynccontextmanager
async def opened(path: Path, clock: ManualClock) -> AsyncIterator[SqlStore]:
    """Open the store of a directory."""
    with DataDirectory.open(path) as directory:
        async with SqlStore.open(directory, clock) as store:
            yield store


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqlStore]:
    """Open a store of the test's own."""
    async with opened(tmp_path, clock) as store:
        yield store


async def archived(store: SqlStore) -> list[int]:
    """Return the offsets in the archive."""
    query = select(publication_archive.c.offset).order_by(publication_archive.c.offset)
    return await store.database.read(lambda c: list(c.execute(query).scalars()))


async def test_everything_outlives_a_restart(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Epoch, offsets, contents, keys, snapshots and rows; also unwritten epochs."""
    touched = RoomTouched(ROOM, "lobby", "one", "Ann", 1)
    noted = NoteTouched("notes:n", "n", "Note", 1, "Ann", 3)
    async with opened(tmp_path, clock) as store:
        first = say("one", key="k", changes=(touched, noted))
        positions = await keep(store.log, first, say(b"\0two"))
        await store.log.snapshot("chat:other", await store.log.top("chat:other"), b"s")
        blank = await store.log.top("chat:unwritten")
        rows = await store.chat.rooms(9), await store.notes.notes(9)
        before = await store.log.page(ROOM, None, 9)
        assert store.log.durable
    async with opened(tmp_path, clock) as store:
        assert await store.log.page(ROOM, None, 9) == before
        assert await store.log.top("chat:unwritten") == blank
        assert (await store.chat.rooms(9), await store.notes.notes(9)) == rows
        other = await store.log.latest_snapshot("chat:other")
        assert other == Snapshot(await store.log.top("chat:other"), b"s")
        assert await store.log.append([first]) == [Duplicate(positions[0])]
        (third,) = await keep(store.log, say("three"))
        assert third == Position(positions[0].epoch, 3)


async def test_two_stores_name_their_streams_differently(
    tmp_path: Path, clock: ManualClock
) -> None:
    """A position of one data directory means nothing in another."""
    async with (
        opened(tmp_path / "a", clock) as one,
        opened(tmp_path / "b", clock) as two,
    ):
        assert (await one.log.top(ROOM)).epoch != (await two.log.top(ROOM)).epoch


async def test_a_commit_waits_for_the_disk(store: SqlStore) -> None:
    """WAL with FULL, foreign keys on, for what writes; what reads cannot write."""

    async def pragma(engine: str, name: str) -> object:
        run = store.database.write if engine == "writer" else store.database.read
        return await run(lambda c: c.execute(text(f"PRAGMA {name}")).scalar())

    assert await pragma("writer", "journal_mode") == "wal"
    assert await pragma("writer", "synchronous") == 2
    assert await pragma("writer", "foreign_keys") == 1
    assert await pragma("reader", "query_only") == 1
    with pytest.raises(OperationalError, match="readonly"):
        await store.database.read(lambda c: c.execute(delete(publication)))


async def test_a_clean_end_leaves_one_file(tmp_path: Path, clock: ManualClock) -> None:
    """The WAL is moved into the database, so that a plain copy of it is whole."""
    async with opened(tmp_path, clock) as store:
        await fill(store.log, 3)
        assert (tmp_path / "hubbub.db-wal").exists()
    assert not (tmp_path / "hubbub.db-wal").exists()
    with closing(sqlite3.connect(tmp_path / "hubbub.db")) as connection:
        assert connection.execute("SELECT count(*) FROM publication").fetchone() == (3,)


async def test_asking_for_forged_names_writes_nothing(store: SqlStore) -> None:
    """Neither tops nor reads nor pages of unknown channels make rows."""
    for number in range(5):
        name = f"chat:forged{number}"
        top = await store.log.top(name)
        await store.log.read(name, top, 10)
        await store.log.page(name, None, 10)
        await store.log.latest_snapshot(name)
    names = await store.database.read(lambda c: list(c.execute(select(channel))))
    assert names == []


async def test_a_batch_is_not_bounded_by_a_statement(store: SqlStore) -> None:
    """Channels and keys beyond one IN list are looked up in several."""
    count = 2 * CHUNK + 1
    batch = [
        say(number, channel=f"open:c{number}", key=f"k{number}")
        for number in range(count)
    ]
    first = await keep(store.log, *batch)
    assert await store.log.append(batch) == [Duplicate(at) for at in first]


async def test_the_past_is_set_aside_for_a_while(
    store: SqlStore, clock: ManualClock
) -> None:
    """What a snapshot stands for stays in the archive until it is pruned."""
    positions = await fill(store.log, 5)
    await store.log.snapshot(ROOM, positions[1], b"two")
    clock.advance(DAY_S)
    await store.log.snapshot(ROOM, positions[3], b"four")
    assert await archived(store) == [1, 2, 3, 4]
    now_ms = clock.now_ms()
    assert await store.database.write(lambda c: prune_archive(c, now_ms)) == 2
    assert await archived(store) == [3, 4]
    assert await store.integrity_check() == []


async def test_opening_prunes_what_is_older_than_a_month(
    tmp_path: Path, clock: ManualClock
) -> None:
    """Thirty days to the millisecond are not older."""
    async with opened(tmp_path, clock) as store:
        positions = await fill(store.log, 2)
        await store.log.snapshot(ROOM, positions[0], b"one")
    clock.advance(ARCHIVE_MS / 1_000)
    async with opened(tmp_path, clock) as store:
        assert await archived(store) == [1]
    clock.advance(1)
    async with opened(tmp_path, clock) as store:
        assert await archived(store) == []


async def test_keys_outlive_a_snapshot(store: SqlStore) -> None:
    """Idempotent for ever means also after compaction and pruning."""
    (at,) = await keep(store.log, say(1, key="k"))
    await store.log.snapshot(ROOM, at, b"state")
    await store.database.write(lambda c: prune_archive(c, 2**60))
    assert await store.log.append([say(2, key="k")]) == [Duplicate(at)]


async def test_a_hole_is_never_passed_over(store: SqlStore) -> None:
    """Where a row is lost, readers reload instead of missing it silently."""
    top = (await fill(store.log, 5))[-1]
    lost = delete(publication).where(publication.c.offset == 3)
    await store.database.write(lambda c: c.execute(lost))
    assert (await store.log.read(ROOM, Position(top.epoch, 3), 9)).top == top
    with pytest.raises(Unrecoverable, match="hole"):
        await store.log.read(ROOM, Position(top.epoch, 0), 9)


async def set_max_pages(store: SqlStore, pages: int) -> None:
    """Bound the file, as a full disk would."""
    query = text(f"PRAGMA max_page_count={pages}")
    await store.database.write(lambda c: c.execute(query).scalar())


async def test_a_full_disk_fails_the_batch_and_heals(store: SqlStore) -> None:
    """Nothing of the batch is kept; with space back the log works again."""
    touched = RoomTouched(ROOM, "lobby", "before", "Ann", 1)
    await keep(store.log, say("before", changes=(touched,)))
    big = [say("small", key="k")] + [say("x" * 100_000) for _ in range(20)]
    await set_max_pages(store, 1)  # SQLite takes it as: no larger than now
    for _ in range(3):
        with pytest.raises(DBAPIError, match="full"):
            await store.log.append(big)
        assert (await store.log.top(ROOM)).offset == 1
    await set_max_pages(store, 2**30)
    positions = await keep(store.log, *big)
    assert [at.offset for at in positions] == list(range(2, 23))
    assert await store.integrity_check() == []


async def test_a_write_that_fails_in_the_file_heals(tmp_path: Path) -> None:
    """The same where the system refuses the bytes: nothing half, and it goes on."""
    script = Path(__file__).with_name("cramped.py")
    checkout = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, checkout, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    failed, agrees, goes_on, faults = said.decode().split(maxsplit=3)
    assert int(failed) > 0
    assert (agrees, goes_on, faults.strip()) == ("True", "True", "[]")


async def test_a_failed_change_fails_its_batch(store: SqlStore) -> None:
    """Log and rows are one transaction; the next one is not harmed."""
    broken = text("ALTER TABLE chat_room RENAME TO gone")
    await store.database.write(lambda c: c.execute(broken))
    touched = RoomTouched(ROOM, "lobby", "one", "Ann", 1)
    with pytest.raises(DBAPIError, match="chat_room"):
        await store.log.append([say(1, key="k", changes=(touched,))])
    (at,) = await keep(store.log, say(1, key="k"))
    assert at.offset == 1


async def test_a_cancelled_append_harms_nobody_else(store: SqlStore) -> None:
    """Wherever it is cut, later ones follow in order, and it is whole or absent."""
    kept = 0
    for turns in range(60):
        batch = [say(f"{turns}-{part}", key=f"{turns}-{part}") for part in range(3)]
        task = asyncio.create_task(store.log.append(batch))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        top = (await store.log.top(ROOM)).offset
        assert (top - kept) % 3 == 0
        (at,) = await keep(store.log, say("after"))
        assert (at.offset - 1 - kept) % 3 == 0
        kept = at.offset
    found = await store.log.page(ROOM, None, 1_000)
    assert offsets(found.publications) == list(range(1, kept + 1))
    assert await store.integrity_check() == []


async def test_appends_at_once_take_their_turn(store: SqlStore) -> None:
    """More callers than connections wait, and every offset is given once."""
    single = [store.log.append([say(number)]) for number in range(40)]
    reads = [store.log.top(ROOM) for _ in range(40)]
    await asyncio.gather(*single, *reads)
    found = await store.log.page(ROOM, None, 100)
    assert offsets(found.publications) == list(range(1, 41))
    assert sorted(int(str(each.content)) for each in found.publications) == list(
        range(40)
    )


async def test_a_store_opens_only_what_it_understands(
    tmp_path: Path, clock: ManualClock
) -> None:
    """The refusal of a newer schema reaches who opens it."""
    async with opened(tmp_path, clock):
        pass
    with closing(sqlite3.connect(tmp_path / "hubbub.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'x9'")
    with pytest.raises(SettingsError, match="newer"):
        async with opened(tmp_path, clock):
            pass


async def test_nothing_blocks_the_loop(tmp_path: Path, clock: ManualClock) -> None:
    """Not the migration, not a commit, not a read, not the end."""
    async with opened(tmp_path / "warm", clock) as store:
        await keep(store.log, say(1))
    with DataDirectory.open(tmp_path / "data") as directory:
        blockbuster = BlockBuster()
        blockbuster.activate()
        try:
            async with SqlStore.open(directory, clock) as store:
                touched = RoomTouched(ROOM, "lobby", "one", "Ann", 1)
                (at,) = await keep(store.log, say(1, key="k", changes=(touched,)))
                await store.log.read(ROOM, Position(at.epoch, 0), 10)
                await store.log.snapshot(ROOM, at, b"state")
                await store.chat.rooms(10)
                await store.notes.notes(10)
        finally:
            blockbuster.deactivate()


async def test_lost_references_are_found(tmp_path: Path, store: SqlStore) -> None:
    """The check of the file looks at what refers to what, too."""
    await fill(store.log, 1)
    with closing(sqlite3.connect(tmp_path / "hubbub.db")) as connection, connection:
        connection.execute("DELETE FROM channel")
    assert await store.integrity_check() == ["a row of publication refers to nothing"]


def test_postgresql_gets_its_own_insert() -> None:
    """With the same upsert."""
    upsert = insert_into("postgresql", channel).on_conflict_do_nothing()
    dialect = PGDialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it so
    made = str(upsert.compile(dialect=dialect))
    assert made.endswith("ON CONFLICT DO NOTHING")
