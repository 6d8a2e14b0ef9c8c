"""The rows of channels: where each stream stands, and which epoch it has.

A channel that nobody wrote to has no row, so that asking for forged names fills no
table. Its epoch is derived from its name and the store's random id, and is the one that
the row gets at the first write.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from ...model import Position
from .engine import insert_into
from .tables import channel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

EPOCH_CHARS = 12
CHUNK = 500
"""Values in one IN list: a statement has a bounded number of parameters."""

T = TypeVar("T")

_NAMED = select(channel).order_by(channel.c.name).with_for_update()


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


def lock_channels(
    connection: Connection, names: Collection[str], store_id: str
) -> dict[str, Stream]:
    """Lock the channels' rows in the order of their names; make those missing."""
    ordered = sorted(set(names))
    streams = _locked(connection, ordered)
    missing = [name for name in ordered if name not in streams]
    if missing:
        insert = insert_into(connection.dialect.name, channel)
        rows = [
            {"name": name, "epoch": first_epoch(store_id, name), "top": 0, "floor": 0}
            for name in missing
        ]
        connection.execute(insert.on_conflict_do_nothing(), rows)
        streams |= _locked(connection, missing)
    return streams


def _locked(connection: Connection, names: Sequence[str]) -> dict[str, Stream]:
    return {
        row.name: Stream(row.id, row.epoch, row.top, row.floor)
        for chunk in chunks(names)
        for row in connection.execute(_NAMED.where(channel.c.name.in_(chunk)))
    }


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut values into runs of at most `CHUNK`."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
