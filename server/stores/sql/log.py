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

from ...content import check_append, decode, encode_append
from ...errors import Unrecoverable
from ...model import MAX_OFFSET, Position, Principal, Publication
from ...seams.log import Rejected, Slice, Snapshot
from ..ring import check_recoverable
from .appending import Transaction
from .channels import begin_stream, first_epoch, lock_channels, read_tops
from .database import insert_into
from .tables import channel, publication, publication_archive, snapshot, store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from ...runtime.clock import Clock
    from ...seams.log import Append, Outcome
    from .appending import Appliers
    from .database import Database

    _Columns: TypeAlias = tuple[object, ...]

ARCHIVE_MS = 30 * 24 * 3_600_000
"""How long what a snapshot replaced is kept, at the least."""


# Offsets have no holes, so a range takes the place of a limit. One statement, so that
# floor, top and publications are seen at the same instant.
def _run(after: ColumnElement[int], until: ColumnElement[int]) -> Select[_Columns]:
    within = and_(
        publication.c.channel_id == channel.c.id,
        publication.c.offset > after,
        publication.c.offset <= until,
    )
    return (
        select(
            store.c.id.label("store_id"),
            channel.c.epoch,
            channel.c.top,
            channel.c.floor,
            publication,
        )
        .select_from(store)
        .outerjoin(channel, channel.c.name == bindparam("channel_name"))
        .outerjoin(publication, within)
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

    `appliers` are what applies the changes.
    """

    def __init__(self, database: Database, clock: Clock, appliers: Appliers) -> None:
        self._database = database
        self._clock = clock
        self._appliers = appliers

    @property
    def durable(self) -> bool:
        """An acknowledgement means that it is on disk."""
        return True

    @property
    def carries(self) -> bool:
        """Telling the other nodes is the backplane's part."""
        return False

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep a batch in one transaction; see `seams.log.Log`.

        Raises TypeError for a change that no store module applies,
        `sqlalchemy.exc.DBAPIError` where the database fails (a full disk), and `Away`
        where it does not answer. Nothing was kept then, unless the answer to a commit
        was lost; the next call starts afresh.
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
            return Transaction(connection).run(work, self._appliers)

        outcomes = iter(await self._database.write(commit) if work else ())
        return [
            each if isinstance(each, Rejected) else next(outcomes) for each in encoded
        ]

    def _check(self, append: Append) -> None:
        check_append(append)
        for change in append.changes:
            self._appliers.check(change)

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """Return what follows a position; see `seams.log.Log`."""
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
        check_recoverable(after, rows[0].floor or 0, found.top)
        if len(found.publications) != min(limit, found.top.offset - after.offset):
            raise Unrecoverable(f"{name} has a hole after {after}")
        return found

    def _slice(self, name: str, rows: Sequence[Row[_Columns]]) -> Slice:
        first = rows[0]
        if first.epoch is None:
            return Slice((), Position(first_epoch(first.store_id, name), 0))
        found = tuple(_publication(name, row) for row in rows if row.offset is not None)
        return Slice(found, Position(first.epoch, first.top))

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """Return what stands before an offset, or the newest; see `seams.log.Log`."""
        end = MAX_OFFSET if before is None else min(before, MAX_OFFSET)
        span = {"before": end, "limit": max(limit, 0)}

        def work(connection: Connection) -> Slice:
            rows = connection.execute(_PAGE, {"channel_name": channel, **span}).all()
            return self._slice(channel, rows)

        return await self._database.read(work)

    async def top(self, channel: str) -> Position:
        """Return the newest position; nothing is written for an unknown channel."""
        return (await self.tops([channel]))[channel]

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """Return the newest position of each; see `seams.log.Log`."""
        return await self._database.read(partial(read_tops, names=channels))

    async def renew(self, channel: str, epoch: str) -> Position:
        """Begin a new stream at the same top; see `seams.log.Log`."""
        return await self._database.write(
            partial(begin_stream, name=channel, ended=epoch)
        )

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """Keep a state and set aside what it stands for; see `seams.log.Log`.

        One older than the newest is ignored. Raises `Unrecoverable` where `at` is not a
        position of this stream.
        """
        await self._database.write(
            partial(self._compact, name=channel, at=at, state=state)
        )

    def _compact(
        self, connection: Connection, name: str, at: Position, state: bytes
    ) -> None:
        stream = lock_channels(connection, [name])[name]
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


def prune_archive(connection: Connection, older_than_ms: int) -> int:
    """Delete what was set aside before a time; return how many publications."""
    old = publication_archive.c.archived_ms < older_than_ms
    return connection.execute(delete(publication_archive).where(old)).rowcount


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
