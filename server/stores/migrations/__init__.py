"""Brings a database to the schema of this code; run at each start, under a lock.

All missing steps are one transaction. A step is a module in `versions/`: it names the
one before it, and never imports our tables, which move on while it stays as it is. A
test compares what the steps make with the tables.

An SQLite file is copied before the first step. Where the database is a server's, that
is left to those who keep it (`pg_dump`, before a new version is started).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from ...errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

COPIES = 3
"""How many copies are kept: the newest."""


def migrate(database: Path, copies: Path, to: str = "head") -> None:
    """Make or migrate the database file; copy it into `copies` first if it changes.

    Blocks. Raises `SettingsError` if the file is no database of ours, or a newer one,
    or if it cannot be copied.
    """

    def copy(revision: str) -> None:
        _copy(database, copies, revision)

    engine = _engine(database)
    try:
        with engine.begin() as connection:
            upgrade(connection, str(database), copy, to)
    except DatabaseError as error:
        fault = f"The database {database} cannot be used: {error.orig}."
        raise SettingsError([fault]) from error
    finally:
        engine.dispose()


def upgrade(
    connection: Connection,
    name: str,
    before: Callable[[str], None] | None = None,
    to: str = "head",
) -> None:
    """Make or migrate what is connected, in the transaction that the caller commits.

    Nobody else may migrate it meanwhile. `name` is what faults call it; `before` is
    called with the old schema before the first step of an existing one. Raises
    `SettingsError` if it is no database of ours, or a newer one.
    """
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    revision = MigrationContext.configure(connection).get_current_revision()
    _check(connection, name, revision, steps)
    if revision == steps.as_revision_number(to):
        return
    if revision is not None and before is not None:
        before(revision)
    command.upgrade(config, to)


def _check(
    connection: Connection,
    name: str,
    revision: str | None,
    steps: ScriptDirectory,
) -> None:
    if revision is None and inspect(connection).get_table_names():
        fault = f"The database {name} was not made by Hubbub: it has other tables."
        raise SettingsError([fault])
    known = {step.revision for step in steps.walk_revisions()}
    if revision is not None and revision not in known:
        fault = (
            f"The database {name} has the schema {revision}, which is newer than"
            " this version of Hubbub. Install the newer version again, or restore the"
            " database from a copy made before it."
        )
        raise SettingsError([fault])


def _copy(database: Path, copies: Path, revision: str) -> None:
    # Named by the schema, so that a step that fails at each of many starts replaces its
    # own copy and not the older ones.
    try:
        copies.mkdir(mode=0o700, exist_ok=True)
        fresh = copies / "copy.new"
        fresh.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(database)) as source,
            closing(sqlite3.connect(fresh)) as target,
        ):
            source.backup(target)
        fresh.replace(copies / f"{revision}.db")
        by_age = sorted(copies.glob("*.db"), key=lambda path: path.stat().st_mtime_ns)
        for old in by_age[:-COPIES]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        fault = f"The database {database} cannot be copied to {copies}: {error}."
        raise SettingsError([fault]) from error


def _engine(database: Path) -> Engine:
    # Like the writer's: the driver must begin nothing of its own, or the steps would be
    # committed one by one.
    engine = create_engine(
        f"sqlite:///{database}",
        poolclass=NullPool,
        connect_args={"isolation_level": None},
    )

    @event.listens_for(engine, "begin")
    def begin_immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
