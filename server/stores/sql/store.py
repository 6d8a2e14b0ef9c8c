"""The store of a data directory, or of a database that nodes share; migrated, open."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from ...kinds.chat.rows import RoomTouched
from ...kinds.notes.rows import NoteTouched
from ..migrations import migrate, upgrade
from .appending import Appliers
from .chat import SqlChatRows, touch_rooms
from .engine import SqliteDatabase
from .log import ARCHIVE_MS, SqlLog, prune_archive
from .notes import SqlNoteRows, touch_notes
from .origin import found
from .postgres import PostgresDatabase
from .server import MIGRATING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from ...runtime.clock import Clock
    from ..datadir import DataDirectory
    from .database import Database

# Until the end of the transaction: of nodes that start at once one migrates, the others
# wait and find it done. Those that run go on meanwhile. No step is bounded in time.
_UNLIMITED = text("SET LOCAL statement_timeout = 0")
_MIGRATE_ALONE = text(f"SELECT pg_advisory_xact_lock({MIGRATING})")


class SqlStore:
    """A log and the rows that its changes keep, in an SQL database.

    Use `SqlStore.open` or `SqlStore.open_shared`; `database` is there for tests and the
    like. `secret` signs the cookies of all nodes on the database, as hexadecimal
    digits; "" where a data directory holds it.
    """

    def __init__(self, database: Database, clock: Clock, secret: str = "") -> None:
        appliers = Appliers()
        appliers.add(RoomTouched, touch_rooms)
        appliers.add(NoteTouched, touch_notes)
        self.database = database
        self.secret = secret
        self.log = SqlLog(database, clock, appliers)
        self.chat = SqlChatRows(database)
        self.notes = SqlNoteRows(database)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: DataDirectory, clock: Clock
    ) -> AsyncIterator[SqlStore]:
        """Migrate and open the database of a locked directory; close it at the end.

        Raises `SettingsError` if the file is no database of ours, or of a newer schema.
        """

        def settle(connection: Connection) -> None:
            found(connection, clock.now_ms(), shared=False)
            prune_archive(connection, clock.now_ms() - ARCHIVE_MS)

        await asyncio.to_thread(migrate, directory.database, directory.copies)
        database = await asyncio.to_thread(SqliteDatabase, directory.database)
        try:
            await database.write(settle)
            yield cls(database, clock)
        finally:
            await database.close()

    @classmethod
    @asynccontextmanager
    async def open_shared(
        cls, url: str, clock: Clock, *, alone: bool
    ) -> AsyncIterator[SqlStore]:
        """Migrate and open a PostgreSQL database; close it at the end.

        `url` is `postgresql+asyncpg://user:password@host/name`. `alone`: this node has
        no backplane to others, so that nobody else may be there. Raises `SettingsError`
        if the database cannot be reached, is not ours, is of a newer schema, or is in
        use so that this node cannot join.
        """
        secrets: list[str] = []

        def settle(connection: Connection, name: str) -> None:
            connection.execute(_UNLIMITED)
            connection.execute(_MIGRATE_ALONE)
            upgrade(connection, name)
            secrets.append(found(connection, clock.now_ms(), shared=True))
            prune_archive(connection, clock.now_ms() - ARCHIVE_MS)

        database = await PostgresDatabase.open(url, settle, alone=alone)
        try:
            yield cls(database, clock, secrets[-1])
        finally:
            await database.close()

    async def integrity_check(self) -> list[str]:
        """Return the faults that SQLite finds in its file; none if it is sound."""

        def work(connection: Connection) -> list[str]:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars()
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            faults = [str(fault) for fault in found if fault != "ok"]
            return faults + [f"a row of {row[0]} refers to nothing" for row in lost]

        return await self.database.read(work)
