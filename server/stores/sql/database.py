"""The port behind the SQL store: runs plain Core code on a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Table

T = TypeVar("T")


class Database(Protocol):
    """What is open. `write` and `read` run plain Core code on it."""

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; one at a time, in their order.

        Whatever it raises rolls everything back and is raised here; `Away` where the
        database is. Where the caller is cancelled, what has begun is finished all the
        same, and not heard of.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, each of its statements on what is committed at that instant."""

    async def close(self) -> None:
        """Finish what has begun and close all. Nothing may be called afterwards."""


def insert_into(dialect: str, table: Table) -> sqlite.Insert:
    """Return an insert that knows ON CONFLICT, for the connection's kind of database.

    Keep what is built from it (`functools.cache`): building costs more than running.
    """
    if dialect == "postgresql":
        # Both dialects give their inserts the same methods, but no common type.
        return postgresql.insert(table)  # type: ignore[return-value]
    return sqlite.insert(table)
