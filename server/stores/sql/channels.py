"""The rows of channels: where each stream stands, and which epoch it has.

A channel that nobody wrote to has no row, so that asking for forged names fills no
table. Its epoch is derived from its name and the store's random id, and is the one that
the row gets at the first write. The id is read with each use and never remembered:
another node may have changed it (see `origin.begin_anew`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import bindparam, select, update

from ...model import Position
from .database import insert_into
from .tables import channel, store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import BindParameter, Connection, Select
    from sqlalchemy.dialects.sqlite import Insert

EPOCH_CHARS = 12
CHUNK = 512
"""Values in one IN list: a statement has a bounded number of parameters."""

T = TypeVar("T")

_ID = select(store.c.id)
_NAMES: BindParameter[str] = bindparam("names", expanding=True)
_EXISTING = select(channel.c.name).where(channel.c.name.in_(_NAMES))
# The store's row is always there, and with it the id from which epochs are derived.
_TOPS = select(
    store.c.id.label("store_id"), channel.c.name, channel.c.epoch, channel.c.top
).select_from(store.outerjoin(channel, channel.c.name.in_(_NAMES)))


@dataclass(slots=True)
class Stream:
    """A channel's row, locked by this transaction."""

    id: int
    epoch: str
    top: int
    floor: int

    def position(self, offset: int) -> Position:
        """Return a position of this stream."""
        return Position(self.epoch, offset)


def first_epoch(store_id: str, name: str) -> str:
    """Return the epoch of a channel that nobody wrote to."""
    digest = hmac.new(store_id.encode(), name.encode(), hashlib.sha256)
    return digest.hexdigest()[:EPOCH_CHARS]


def read_tops(connection: Connection, names: Sequence[str]) -> dict[str, Position]:
    """Return the newest position of each channel; asks the database for none, too."""
    tops: dict[str, Position] = {}
    for chunk in list(chunks(names)) or [()]:
        rows = connection.execute(_TOPS, {"names": chunk}).all()
        blank = {
            name: Position(first_epoch(rows[0].store_id, name), 0) for name in chunk
        }
        known = {row.name: Position(row.epoch, row.top) for row in rows if row.name}
        tops |= blank | known
    return tops


def lock_channels(connection: Connection, names: Collection[str]) -> dict[str, Stream]:
    """Lock the channels' rows in the order of their names; make those missing.

    Call it once in a transaction, before anything else. Then no two nodes wait for each
    other: who makes rows does so in one order and holds no others meanwhile, and who
    locks rows finds all of them made.
    """
    ordered = sorted(set(names))
    if connection.dialect.name == "sqlite":
        # The transaction has the only lock there is: what it finds, it has.
        found = _lock(connection, ordered)
        if len(found) == len(ordered):
            return found
    _make(connection, ordered)
    return _lock(connection, ordered)


def _lock(connection: Connection, ordered: Sequence[str]) -> dict[str, Stream]:
    return {
        row.name: Stream(row.id, row.epoch, row.top, row.floor)
        for chunk in chunks(ordered)
        for row in connection.execute(
            _locked(connection.dialect.name), {"names": chunk}
        )
    }


def _make(connection: Connection, ordered: Sequence[str]) -> None:
    existing = {
        name
        for chunk in chunks(ordered)
        for name in connection.execute(_EXISTING, {"names": chunk}).scalars()
    }
    missing = [name for name in ordered if name not in existing]
    if missing:
        store_id = connection.execute(_ID).scalar_one()
        rows = [
            {"name": name, "epoch": first_epoch(store_id, name), "top": 0, "floor": 0}
            for name in missing
        ]
        connection.execute(_insert(connection.dialect.name), rows)


@cache
def _insert(dialect: str) -> Insert:
    return insert_into(dialect, channel).on_conflict_do_nothing()


@cache
def _locked(dialect: str) -> Select[tuple[object, ...]]:
    # The order of code points, whatever the database's language: it is Python's, which
    # the chunks follow.
    name = channel.c.name.collate("C") if dialect == "postgresql" else channel.c.name
    found = select(channel).where(channel.c.name.in_(_NAMES))
    return found.order_by(name).with_for_update()


def begin_stream(connection: Connection, name: str, ended: str) -> Position:
    """Give a channel that still has the epoch `ended` a random one; return its top."""
    stream = lock_channels(connection, [name])[name]
    if stream.epoch == ended:
        stream.epoch = random_epoch()
        row = channel.c.id == stream.id
        connection.execute(update(channel).where(row).values(epoch=stream.epoch))
    return stream.position(stream.top)


def random_epoch() -> str:
    """Return an epoch that no stream has had."""
    return secrets.token_hex(EPOCH_CHARS // 2)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into runs of at most `CHUNK`, for IN lists.

    The last value is repeated until their number is a power of two: a database prepares
    a statement for each length that it meets.
    """
    for start in range(0, len(values), CHUNK):
        run = values[start : start + CHUNK]
        missing = (1 << (len(run) - 1).bit_length()) - len(run)
        yield [*run, *[run[-1]] * missing]
