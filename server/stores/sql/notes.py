"""The rows of notes: applies `NoteTouched`, answers `NoteRows`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import select

from ...kinds.notes.rows import NoteRow
from .database import insert_into
from .tables import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.dialects.sqlite import Insert

    from ...kinds.notes.rows import NoteTouched
    from .database import Database

_NEWEST = select(note).order_by(note.c.updated_ms.desc(), note.c.name)


def touch_notes(connection: Connection, changes: Sequence[NoteTouched]) -> None:
    """Apply changes, of one note in their order, in the transaction of their Append."""
    upsert = _upsert(connection.dialect.name)
    # By name, so that transactions of several nodes lock rows in one order.
    ordered = sorted(changes, key=lambda change: change.name)
    connection.execute(upsert, [_values(change) for change in ordered])


@cache
def _upsert(dialect: str) -> Insert:
    insert = insert_into(dialect, note)
    return insert.on_conflict_do_update(
        index_elements=[note.c.name],
        set_={
            "title": insert.excluded.title,
            "updated_ms": insert.excluded.updated_ms,
            "updated_by": insert.excluded.updated_by,
            "chars": insert.excluded.chars,
        },
    )


def _values(change: NoteTouched) -> dict[str, object]:
    return {
        "name": change.name,
        "title": change.title,
        "created_ms": change.time_ms,
        "updated_ms": change.time_ms,
        "updated_by": change.author_name,
        "chars": change.chars,
    }


class SqlNoteRows:
    """`NoteRows` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """Return up to `limit` notes, the one edited last first."""

        def work(connection: Connection) -> list[NoteRow]:
            rows = connection.execute(_NEWEST.limit(limit)).mappings()
            return [NoteRow(**row) for row in rows]

        return await self._database.read(work)
