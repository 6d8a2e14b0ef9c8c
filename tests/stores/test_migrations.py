from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateTable

from server.errors import SettingsError
from server.stores.migrations import COPIES, migrate
from server.stores.sql.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Say where the database will be."""
    return tmp_path / "hubbub.db"


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Say where its copies will be."""
    return tmp_path / "copies"


def run(database: Path, statement: str) -> list[tuple[object, ...]]:
    """Run one statement and commit it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        return connection.execute(statement).fetchall()


def revision(database: Path) -> object:
    """Return the schema of a database file."""
    return run(database, "SELECT version_num FROM alembic_version")[0][0]


def test_the_steps_make_the_tables(database: Path, copies: Path) -> None:
    """Column for column, type for type, index for index."""
    migrate(database, copies)
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_tables_fit_postgresql() -> None:
    """Its compiler takes all of them, with big offsets and byte strings."""
    dialect = PGDialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it so
    made = {
        table.name: str(CreateTable(table).compile(dialect=dialect))
        for table in metadata.sorted_tables
    }
    assert "id BIGSERIAL NOT NULL" in made["channel"]
    assert '"offset" BIGINT NOT NULL' in made["publication"]
    assert "content BYTEA NOT NULL" in made["publication"]


def test_a_new_database_is_not_copied(database: Path, copies: Path) -> None:
    """Neither is one that is up to date."""
    migrate(database, copies)
    migrate(database, copies)
    assert not copies.exists()


def test_a_copy_is_made_before_a_step(database: Path, copies: Path) -> None:
    """It is the database as it was, rows and all, under the schema's name."""
    migrate(database, copies, to="0001")
    run(database, "INSERT INTO store VALUES ('id', 5)")
    migrate(database, copies)
    assert revision(database) == "0003"
    (copy,) = copies.iterdir()
    assert copy.name == "0001.db"
    assert revision(copy) == "0001"
    assert run(copy, "SELECT * FROM store") == [("id", 5)]


def test_only_the_last_copies_are_kept(database: Path, copies: Path) -> None:
    """The oldest go; a half one, left by a crash, is thrown away."""
    migrate(database, copies, to="0001")
    copies.mkdir()
    for name in "abc":
        (copies / f"{name}.db").touch()
    (copies / "copy.new").write_text("half a copy")
    migrate(database, copies, to="0002")
    migrate(database, copies, to="0003")
    kept = sorted(copy.name for copy in copies.iterdir())
    assert len(kept) == COPIES
    assert kept[:2] == ["0001.db", "0002.db"]


def test_a_step_that_fails_leaves_nothing_behind(database: Path, copies: Path) -> None:
    """All steps are one transaction: afterwards the old schema is still whole."""
    migrate(database, copies, to="0001")
    run(database, "CREATE TABLE note (in_the_way INTEGER)")
    with pytest.raises(SettingsError, match="already exists"):
        migrate(database, copies)
    assert revision(database) == "0001"
    found = run(database, "SELECT name FROM sqlite_master WHERE name = 'chat_room'")
    assert found == []


def test_a_newer_schema_is_refused(database: Path, copies: Path) -> None:
    """Untouched, with a sentence that says what to do."""
    migrate(database, copies)
    run(database, "UPDATE alembic_version SET version_num = '9000'")
    with pytest.raises(SettingsError, match="schema 9000, which is newer") as refused:
        migrate(database, copies)
    assert "Install the newer version" in refused.value.faults[0]
    assert revision(database) == "9000"
    assert not copies.exists()


def test_somebody_elses_database_is_refused(database: Path, copies: Path) -> None:
    """Its tables stay alone."""
    run(database, "CREATE TABLE theirs (x INTEGER)")
    with pytest.raises(SettingsError, match="not made by Hubbub"):
        migrate(database, copies)
    assert run(database, "SELECT name FROM sqlite_master") == [("theirs",)]


def test_a_file_that_is_no_database_is_refused(database: Path, copies: Path) -> None:
    """In words."""
    database.write_text("this is a letter to my aunt, and rather a long one\n" * 99)
    with pytest.raises(SettingsError, match="not a database"):
        migrate(database, copies)


def test_a_copy_that_cannot_be_made_stops_the_step(
    database: Path, copies: Path
) -> None:
    """Nothing is migrated without one."""
    migrate(database, copies, to="0001")
    copies.write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be copied"):
        migrate(database, copies)
    assert revision(database) == "0001"
