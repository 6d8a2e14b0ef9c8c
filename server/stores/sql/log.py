"""The durable log: what was appended is committed with fsync when `append` returns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import (
    BigInteger,
    and_,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    update,
)

from ...errors import Unrecoverable
from ...hub.ports import Rejected, Slice, Snapshot
from ...model import MAX_OFFSET, Position, Principal, Publication
from ..content import check_append, decode, encode_append
from ..ring import check_recoverable
from .appending import Transaction
from .channels import first_epoch, lock_channels
from .engine import insert_into
from .tables import channel, publication, publication_archive, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from ...hub.ports import Append, Outcome
    from ...runtime.clock import Clock
    from .appending import Appliers
    from .engine import Database

    _Columns: TypeAlias = tuple[object, ...]

ARCHIVE_MS = 30 * 24 * 3_600_000
"""How long what a snapshot replaced is kept, at the least."""

_TOP = select(channel.c.epoch, channel.c.top).where(
    channel.c.name == bindparam("channel_name")
)


# Offsets have no holes, so a range takes the place of a limit. One statement, so that
# floor, top and publications are seen at the same instant.
def _run(after: ColumnElement[int], until: ColumnElement[int]) -> Select[_Columns]:
    within = and_(
        publication.c.channel_id == channel.c.id,
        publication.c.offset > after,
        publication.c.offset <= until,
    )
    return (
        select(channel.c.epoch, channel.c.top, channel.c.floor, publication)
        .select_from(channel)
        .outerjoin(publication, within)
        .where(channel.c.name == bindparam("channel_name"))
        .order_by(publication.c.offset)
    )


_LIMIT = bindparam("limit", type_=BigInteger)
_AFTER = bindparam("after", type_=BigInteger)
_BEFORE = bindparam("before", type_=BigInteger)
_END = case((channel.c.top < _BEFORE, channel.c.top), else_=_BEFORE - 1)
_SLICE = _run(_AFTER, _AFTER + _LIMIT)
_PAGE = _run(_END - _LIMIT, _END)

_SNAPSHOT = (
    select(channel.c.epoch, snapshot.c.offset, snapshot.c.state)
    .join_from(channel, snapshot)
    .where(channel.c.name == bindparam("channel_name"))
)


class SqlLog:
    """A `Log` in a database; `drop` has nothing to let go of.

    `store_id` is the database's own random id, `appliers` what applies the changes.
    """

    def __init__(
        self, database: Database, store_id: str, clock: Clock, appliers: Appliers
    ) -> None:
        self._database = database
        self._store_id = store_id
        self._clock = clock
        self._appliers = appliers

    @property
    def durable(self) -> bool:
        """An acknowledgement means that it is on disk."""
        return True

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep a batch in one transaction; see `hub.ports.Log`.

        Raises TypeError for a change that no store module applies, and
        `sqlalchemy.exc.DBAPIError` where the database fails (a full disk). Nothing was
        kept then, and the next call starts afresh.
        """
        encoded = []
        for append in batch:
            self._check(append)
            encoded.append(encode_append(append))
        work = [
            (append, contents)
            for append, contents in zip(batch, encoded, strict=True)
            if not isinstance(contents, Rejected)
        ]

        def commit(connection: Connection) -> list[Outcome]:
            return Transaction(connection, self._store_id).run(work, self._appliers)

        outcomes = iter(await self._database.write(commit) if work else ())
        return [
            each if isinstance(each, Rejected) else next(outcomes) for each in encoded
        ]

    def _check(self, append: Append) -> None:
        check_append(append)
        for change in append.changes:
            self._appliers.check(change)

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """Return what follows a position; see `hub.ports.Log`."""
        return await self._database.read(
            partial(self._read, name=channel, after=after, limit=limit)
        )

    def _read(
        self, connection: Connection, name: str, after: Position, limit: int
    ) -> Slice:
        limit = max(limit, 0)
        span = {"after": after.offset, "limit": limit}
        rows = connection.execute(_SLICE, {"channel_name": name, **span}).all()
        found = self._slice(name, rows)
        check_recoverable(after, rows[0].floor if rows else 0, found.top)
        if len(found.publications) != min(limit, found.top.offset - after.offset):
            raise Unrecoverable(f"{name} has a hole after {after}")
        return found

    def _slice(self, name: str, rows: Sequence[Row[_Columns]]) -> Slice:
        if not rows:
            return Slice((), self._blank(name))
        found = tuple(_publication(name, row) for row in rows if row.offset is not None)
        return Slice(found, Position(rows[0].epoch, rows[0].top))

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """Return what stands before an offset, or the newest; see `hub.ports.Log`."""
        end = MAX_OFFSET if before is None else min(before, MAX_OFFSET)
        span = {"before": end, "limit": max(limit, 0)}

        def work(connection: Connection) -> Slice:
            rows = connection.execute(_PAGE, {"channel_name": channel, **span}).all()
            return self._slice(channel, rows)

        return await self._database.read(work)

    async def top(self, channel: str) -> Position:
        """Return the newest position; nothing is written for an unknown channel."""

        def work(connection: Connection) -> Position:
            row = connection.execute(_TOP, {"channel_name": channel}).first()
            return Position(row.epoch, row.top) if row else self._blank(channel)

        return await self._database.read(work)

    def _blank(self, name: str) -> Position:
        return Position(first_epoch(self._store_id, name), 0)

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """Keep a state and set aside what it stands for; see `hub.ports.Log`.

        One older than the newest is ignored. Raises `Unrecoverable` where `at` is not a
        position of this stream.
        """
        await self._database.write(
            partial(self._compact, name=channel, at=at, state=state)
        )

    def _compact(
        self, connection: Connection, name: str, at: Position, state: bytes
    ) -> None:
        stream = lock_channels(connection, [name], self._store_id)[name]
        check_recoverable(at, 0, stream.position(stream.top))
        if at.offset < stream.floor:
            return
        now_ms = self._clock.now_ms()
        _keep_snapshot(connection, stream.id, at.offset, state, now_ms)
        _set_aside(connection, stream.id, at.offset, now_ms)

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """Return the newest snapshot; None where there is none."""

        def work(connection: Connection) -> Snapshot | None:
            row = connection.execute(_SNAPSHOT, {"channel_name": channel}).first()
            return Snapshot(Position(row.epoch, row.offset), row.state) if row else None

        return await self._database.read(work)

    def remember(self, publication: Publication) -> None:
        """Do nothing: each read asks the database."""

    def drop(self, channel: str) -> None:
        """Do nothing: nothing is cached, and what is durable stays."""

    async def prune_archive(self, older_than_ms: int) -> int:
        """Delete what was set aside before a time; return how many publications."""

        def work(connection: Connection) -> int:
            old = publication_archive.c.archived_ms < older_than_ms
            return connection.execute(delete(publication_archive).where(old)).rowcount

        return await self._database.write(work)


def _publication(name: str, row: Row[_Columns]) -> Publication:
    author = None
    if row.author_id is not None:
        author = Principal(row.author_id, row.author_name)
    return Publication(
        channel=name,
        position=Position(row.epoch, row.offset),
        event=row.event,
        content=decode(row.content, binary=row.binary),
        author=author,
        time_ms=row.time_ms,
        key=row.key,
    )


def _keep_snapshot(
    connection: Connection, channel_id: int, offset: int, state: bytes, now_ms: int
) -> None:
    values = {"offset": offset, "state": state, "taken_ms": now_ms}
    upsert = insert_into(connection.dialect.name, snapshot)
    upsert = upsert.on_conflict_do_update(
        index_elements=[snapshot.c.channel_id], set_=values
    )
    connection.execute(upsert, {"channel_id": channel_id, **values})


def _set_aside(
    connection: Connection, channel_id: int, offset: int, now_ms: int
) -> None:
    columns = [column.name for column in publication.c]
    stood_for = and_(
        publication.c.channel_id == channel_id, publication.c.offset <= offset
    )
    rows = select(publication, literal(now_ms)).where(stood_for)
    into = [*columns, "archived_ms"]
    connection.execute(insert(publication_archive).from_select(into, rows))
    connection.execute(delete(publication).where(stood_for))
    connection.execute(
        update(channel).where(channel.c.id == channel_id).values(floor=offset)
    )
