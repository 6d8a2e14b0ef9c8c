"""A PostgreSQL database that nodes share: one line writes, some read beside it.

A commit is on the server's disk when it returns (`synchronous_commit=on`, as far as the
server keeps its word).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from ...errors import Away, SettingsError
from ...runtime.tasks import Tasks
from .lane import Jobs, Lane, Line, ask, words
from .server import InUse, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

READERS = 4

T = TypeVar("T")


class PostgresDatabase:
    """A `Database` on a server. Make it by `open`."""

    def __init__(self, server: Server, writer: Line) -> None:
        self._tasks = Tasks()
        self._writes: Jobs = asyncio.Queue()
        self._reads: Jobs = asyncio.Queue()
        self._lanes = [
            Lane(self._writes, server.writer, writer),
            *(Lane(self._reads, server.reader) for _ in range(READERS)),
        ]

    @classmethod
    async def open(
        cls, url: str, prepare: Callable[[Connection, str], None], *, alone: bool
    ) -> PostgresDatabase:
        """Connect, run `prepare` in one transaction, and stay.

        `prepare` also gets the name by which faults call the database. `alone` keeps
        all others out; otherwise only such as are alone. Raises `SettingsError` where
        the database cannot be used, or is in use so that this node cannot be there.
        """
        server = Server(url, alone=alone)
        try:
            writer = await server.writer(lambda made: prepare(made, server.name))
        except InUse as error:
            raise SettingsError([str(error)]) from error
        except (Away, TypeError, ValueError) as error:
            # The last two: a word in the URL that the driver does not know.
            fault = f"The database {server.name} cannot be used: {words(error)}."
            raise SettingsError([fault]) from error
        opened = cls(server, writer)
        await opened._start()
        return opened

    async def _start(self) -> None:
        await self._tasks.start()
        for number, lane in enumerate(self._lanes):
            self._tasks.spawn(lane.run(), f"database {number}")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; see `Database.write`."""
        return await ask(self._writes, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` beside the writer; see `Database.read`."""
        return await ask(self._reads, work)

    async def close(self) -> None:
        """Finish what has begun, which time bounds, and close all lines."""
        self._writes.put_nowait(None)
        for _ in range(READERS):
            self._reads.put_nowait(None)
        try:
            for lane in self._lanes:
                await lane.ended.wait()
        finally:
            await self._tasks.stop()
