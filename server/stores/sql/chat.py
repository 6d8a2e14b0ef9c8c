"""The rows of chat: applies `RoomTouched`, answers `ChatRows`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import select

from ...kinds.chat.rows import RoomRow
from .database import insert_into
from .tables import chat_room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.dialects.sqlite import Insert

    from ...kinds.chat.rows import RoomTouched
    from .database import Database

_NEWEST = select(chat_room).order_by(chat_room.c.last_ms.desc(), chat_room.c.name)


def touch_rooms(connection: Connection, changes: Sequence[RoomTouched]) -> None:
    """Apply changes, of one room in their order, in the transaction of their Append."""
    upsert = _upsert(connection.dialect.name)
    # By name, so that transactions of several nodes lock rows in one order.
    ordered = sorted(changes, key=lambda change: change.room)
    connection.execute(upsert, [_values(change) for change in ordered])


@cache
def _upsert(dialect: str) -> Insert:
    insert = insert_into(dialect, chat_room)
    return insert.on_conflict_do_update(
        index_elements=[chat_room.c.name],
        set_={
            "last_text": insert.excluded.last_text,
            "last_author": insert.excluded.last_author,
            "last_ms": insert.excluded.last_ms,
            "messages": chat_room.c.messages + 1,
        },
    )


def _values(change: RoomTouched) -> dict[str, object]:
    return {
        "name": change.room,
        "created_ms": change.time_ms,
        "last_text": change.text,
        "last_author": change.author_name,
        "last_ms": change.time_ms,
        "messages": 1,
    }


class SqlChatRows:
    """`ChatRows` in a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """Return up to `limit` rooms, the one spoken in last first."""

        def work(connection: Connection) -> list[RoomRow]:
            rows = connection.execute(_NEWEST.limit(limit)).mappings()
            return [RoomRow(**row) for row in rows]

        return await self._database.read(work)
