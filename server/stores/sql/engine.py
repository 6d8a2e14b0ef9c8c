"""An SQLite file: a single connection that writes, and several that read beside it.

A commit is on the disk when it returns (WAL with `synchronous=FULL`). The write lock is
taken at the begin, so that a transaction never fails half way for want of it.

Work on the database is a plain function of a Core connection, which runs in a thread
from begin to commit: whoever waits for it can be cancelled, the transaction cannot. (A
driver that hops between loop and thread for each statement can be cut after BEGIN, and
leave the lock held.)
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

READERS = 4
BUSY_TIMEOUT_MS = 5_000
WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""What the WAL file is cut back to after a checkpoint; it may grow beyond it."""

_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_TIMEOUT_MS}",
    f"journal_size_limit={WAL_LIMIT_BYTES}",
)
_READER_PRAGMAS = (f"busy_timeout={BUSY_TIMEOUT_MS}", "query_only=ON")

T = TypeVar("T")


class SqliteDatabase:
    """A `Database` that is a file."""

    def __init__(self, path: Path) -> None:
        self._writer = _writer(path)
        self._reader = _reader(path)
        self._writing = ThreadPoolExecutor(1, "hubbub-write")
        self._reading = ThreadPoolExecutor(READERS, "hubbub-read")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; see `Database.write`."""

        def run() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` beside the writer; see `Database.read`."""

        def run() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def close(self) -> None:
        """Finish what has begun and close all connections.

        The last one moves the WAL into the database. Nothing may be called afterwards.
        """
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._reading.shutdown()
        self._writing.shutdown()
        self._reader.dispose()
        self._writer.dispose()


def _writer(path: Path) -> Engine:
    # The driver must not begin transactions of its own (isolation_level None): it does
    # so late and without the write lock.
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"isolation_level": None, "check_same_thread": False},
    )
    _set_pragmas(engine, _WRITER_PRAGMAS)

    @event.listens_for(engine, "begin")
    def begin_immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _reader(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        connect_args={"check_same_thread": False},
    )
    _set_pragmas(engine, _READER_PRAGMAS)
    return engine


def _set_pragmas(engine: Engine, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
