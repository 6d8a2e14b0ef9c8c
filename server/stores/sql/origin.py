"""Which store a database holds, and whether it is still where it was.

A PostgreSQL that was restored from a backup, or a replica that took over, may lack the
end of what was acknowledged, and then gives the same offsets to other publications.
So the store's row names the server that last wrote, and each new connection compares.
Where another one answers, every channel gets a new epoch, before anything is read or
written: who comes back with a position of before is told to reload, never wrongly that
it missed nothing. A crash and a restart in place change nothing: what was acknowledged
is there.

A copy of the server's own files that is started as it is, without recovery to a new
timeline, cannot be told from such a restart. Whoever restores one says so by hand,
before the nodes start: UPDATE store SET origin = 'restored'.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from .tables import store

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("hubbub.stores")

SECRET_BYTES = 32

# Of the server (initdb makes it), of its history (a promotion begins a new timeline:
# the name of the file that is written tells it at once, pg_control_checkpoint() only
# after the next checkpoint), and of the database and its table, which a restored dump
# makes anew.
_ORIGIN = text(
    "SELECT concat_ws('.', (SELECT system_identifier FROM pg_control_system()),"
    " left(pg_walfile_name(pg_current_wal_lsn()), 8),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()),"
    " 'channel'::regclass::oid)"
)
_KNOWN = select(store.c.origin)
# Whoever appends locks rows of it first: this waits for them, and they for this.
_LOCK = text("LOCK TABLE channel IN EXCLUSIVE MODE")
# It may take longer than any other statement: it touches every channel.
_NO_LIMIT = text("SET LOCAL statement_timeout = 0")
_NEW_EPOCHS = text(
    "UPDATE channel SET epoch = left(replace(gen_random_uuid()::text, '-', ''), 12)"
)


def found(connection: Connection, now_ms: int, *, shared: bool) -> str:
    """Make the store's row where it is missing; return the secret.

    It is "" where the store is not `shared`: then the data directory holds it. Nobody
    else may call it at the same time.
    """
    row = connection.execute(select(store)).first()
    secret = (row.secret if row else None) or (_new_secret() if shared else None)
    if row is None:
        made = {"id": _new_id(), "created_ms": now_ms, "secret": secret}
        connection.execute(insert(store).values(made))
    elif row.secret != secret:
        connection.execute(update(store).values(secret=secret))
    return secret or ""


def find_origin(connection: Connection) -> str | None:
    """Return what tells this PostgreSQL from another with the same rows.

    None where the role may not ask. Raises `DBAPIError` on a replica that only reads.
    """
    try:
        return str(connection.execute(_ORIGIN).scalar_one())
    except ProgrammingError:
        return None


def is_known(connection: Connection, origin: str) -> bool:
    """Say whether the store's row names this origin."""
    return connection.execute(_KNOWN).scalar() == origin


def begin_anew(connection: Connection, origin: str) -> None:
    """Give every channel a new epoch, if none of the other nodes just did.

    A store that has no origin yet only gets one. Channels without a row are known by
    the store's id, so that it is a new one, too.
    """
    connection.execute(_NO_LIMIT)
    connection.execute(_LOCK)
    before = connection.execute(_KNOWN).scalar()
    if before == origin:
        return
    if before is None:
        connection.execute(update(store).values(origin=origin))
        return
    connection.execute(_NEW_EPOCHS)
    connection.execute(update(store).values(id=_new_id(), origin=origin))
    logger.warning(
        "the database was restored, or another server holds it: every channel begins"
        " a new epoch, and readers reload"
    )


def _new_id() -> str:
    return secrets.token_hex(16)


def _new_secret() -> str:
    return secrets.token_hex(SECRET_BYTES)
