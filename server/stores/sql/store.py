"""The store of a data directory: its database, migrated and open."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from ...kinds.chat.rows import RoomTouched
from ...kinds.notes.rows import NoteTouched
from ..migrations import migrate
from .appending import Appliers
from .chat import SqlChatRows, touch_rooms
from .engine import Database
from .log import ARCHIVE_MS, SqlLog
from .notes import SqlNoteRows, touch_notes
from .tables import store as store_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from ...runtime.clock import Clock
    from ..datadir import DataDirectory


class SqlStore:
    """A log and the rows that its changes keep, in an SQLite file.

    Use `SqlStore.open`; `database` is there for tests and the like.
    """

    def __init__(self, database: Database, store_id: str, clock: Clock) -> None:
        appliers = Appliers()
        appliers.add(RoomTouched, touch_rooms)
        appliers.add(NoteTouched, touch_notes)
        self.database = database
        self.log = SqlLog(database, store_id, clock, appliers)
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
        await asyncio.to_thread(migrate, directory.database, directory.copies)
        database = await asyncio.to_thread(Database, directory.database)
        try:
            store_id = await database.write(lambda c: _identify(c, clock.now_ms()))
            opened = cls(database, store_id, clock)
            await opened.log.prune_archive(clock.now_ms() - ARCHIVE_MS)
            yield opened
        finally:
            await database.close()

    async def integrity_check(self) -> list[str]:
        """Return the faults that SQLite finds in the file; none if it is sound."""

        def work(connection: Connection) -> list[str]:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars()
            lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            faults = [str(fault) for fault in found if fault != "ok"]
            return faults + [f"a row of {row[0]} refers to nothing" for row in lost]

        return await self.database.read(work)


def _identify(connection: Connection, now_ms: int) -> str:
    known = connection.execute(select(store_table.c.id)).scalar()
    if known is not None:
        return str(known)
    made = secrets.token_hex(16)
    connection.execute(insert(store_table).values(id=made, created_ms=now_ms))
    return made
