"""The rows of chat: applies `RoomTouched`, answers `ChatRows`."""

from __future__ import annotations

from collections import defaultdict
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
    """Apply changes, of one room in their order, in the transaction of their Append.

    Each room is written once: the first says when it began, the last what was said.
    """
    upsert = _upsert(connection.dialect.name)
    by_room: defaultdict[str, list[RoomTouched]] = defaultdict(list)
    for change in changes:
        by_room[change.room].append(change)
    # By name, so that transactions of several nodes lock rows in one order.
    connection.execute(upsert, [_values(by_room[room]) for room in sorted(by_room)])


@cache
def _upsert(dialect: str) -> Insert:
    insert = insert_into(dialect, chat_room)
    return insert.on_conflict_do_update(
        index_elements=[chat_room.c.name],
        set_={
            "last_text": insert.excluded.last_text,
            "last_author": insert.excluded.last_author,
            "last_ms": insert.excluded.last_ms,
            "messages": chat_room.c.messages + insert.excluded.messages,
        },
    )


def _values(changes: Sequence[RoomTouched]) -> dict[str, object]:
    first, last = changes[0], changes[-1]
    return {
        "name": first.room,
        "created_ms": first.time_ms,
        "last_text": last.text,
        "last_author": last.author_name,
        "last_ms": last.time_ms,
        "messages": len(changes),
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
