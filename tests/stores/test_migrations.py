from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from server.errors import SettingsError
from server.stores.migrations import COPIES, migrate
from server.stores.sql.store import SqlStore
from server.stores.sql.tables import metadata
from tests.clocks import ManualClock

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.services.postgres import Postgres


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Say where the database will be."""
    return tmp_path / "hubbub.db"


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Say where its copies will be."""
    return tmp_path / "copies"


def run(file: Path, statement: str) -> list[tuple[object, ...]]:
    """Run one statement and commit it."""
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


def revision(file: Path) -> object:
    """Return the schema of a database file."""
    return run(file, "SELECT version_num FROM alembic_version")[0][0]


def differences(connection: Connection) -> list[object]:
    """Return where what the steps made is not what the tables say."""
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    found: list[object] = compare_metadata(context, metadata)
    return found


def test_the_steps_make_the_tables(file: Path, copies: Path) -> None:
    """Column for column, type for type, index for index."""
    migrate(file, copies)
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_a_new_database_is_not_copied(file: Path, copies: Path) -> None:
    """Neither is one that is up to date."""
    migrate(file, copies)
    migrate(file, copies)
    assert not copies.exists()


def test_a_copy_is_made_before_a_step(file: Path, copies: Path) -> None:
    """It is the database as it was, rows and all, under the schema's name."""
    migrate(file, copies, to="0001")
    run(file, "INSERT INTO store VALUES ('id', 5)")
    migrate(file, copies)
    assert revision(file) == "0004"
    (copy,) = copies.iterdir()
    assert copy.name == "0001.db"
    assert revision(copy) == "0001"
    assert run(copy, "SELECT * FROM store") == [("id", 5)]


def test_only_the_last_copies_are_kept(file: Path, copies: Path) -> None:
    """The oldest go; a half one, left by a crash, is thrown away."""
    migrate(file, copies, to="0001")
    copies.mkdir()
    for name in "abc":
        (copies / f"{name}.db").touch()
    (copies / "copy.new").write_text("half a copy")
    migrate(file, copies, to="0002")
    migrate(file, copies, to="0003")
    kept = sorted(copy.name for copy in copies.iterdir())
    assert len(kept) == COPIES
    assert kept[:2] == ["0001.db", "0002.db"]


def test_a_step_that_fails_leaves_nothing_behind(file: Path, copies: Path) -> None:
    """All steps are one transaction: afterwards the old schema is still whole."""
    migrate(file, copies, to="0001")
    run(file, "CREATE TABLE note (in_the_way INTEGER)")
    with pytest.raises(SettingsError, match="already exists"):
        migrate(file, copies)
    assert revision(file) == "0001"
    found = run(file, "SELECT name FROM sqlite_master WHERE name = 'chat_room'")
    assert found == []


def test_a_newer_schema_is_refused(file: Path, copies: Path) -> None:
    """Untouched, with a sentence that says what to do."""
    migrate(file, copies)
    run(file, "UPDATE alembic_version SET version_num = '9000'")
    with pytest.raises(SettingsError, match="schema 9000, which is newer") as refused:
        migrate(file, copies)
    assert "Install the newer version" in refused.value.faults[0]
    assert revision(file) == "9000"
    assert not copies.exists()


def test_somebody_elses_database_is_refused(file: Path, copies: Path) -> None:
    """Its tables stay alone."""
    run(file, "CREATE TABLE theirs (x INTEGER)")
    with pytest.raises(SettingsError, match="not made by Hubbub"):
        migrate(file, copies)
    assert run(file, "SELECT name FROM sqlite_master") == [("theirs",)]


def test_a_file_that_is_no_database_is_refused(file: Path, copies: Path) -> None:
    """In words."""
    file.write_text("this is a letter to my aunt, and rather a long one\n" * 99)
    with pytest.raises(SettingsError, match="not a database"):
        migrate(file, copies)


def test_a_copy_that_cannot_be_made_stops_the_step(file: Path, copies: Path) -> None:
    """Nothing is migrated without one."""
    migrate(file, copies, to="0001")
    copies.write_text("in the way")
    with pytest.raises(SettingsError, match="cannot be copied"):
        migrate(file, copies)
    assert revision(file) == "0001"


def opened(url: str) -> AbstractAsyncContextManager[SqlStore]:
    """Open a store on a server: it migrates first."""
    return SqlStore.open_shared(url, ManualClock(), alone=False)


async def test_the_same_steps_make_the_tables_on_a_server(
    postgres: Postgres, database: str
) -> None:
    """Type for type, too."""
    async with opened(postgres.url(database)) as store:
        assert await store.database.read(differences) == []


async def test_nodes_that_start_at_once_migrate_once(
    postgres: Postgres, database: str
) -> None:
    """One does, the others wait for it; all have the same store and secret."""

    async def secret() -> str:
        async with opened(postgres.url(database)) as store:
            return store.secret

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(secret()) for _ in range(4)]
    assert len({task.result() for task in tasks}) == 1
    assert postgres.sql("SELECT count(*) FROM store", database) == "1"
    assert postgres.sql("SELECT version_num FROM alembic_version", database) == "0004"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9000'", "schema 9000, which is"),
        ("DROP TABLE alembic_version", "was not made by Hubbub: it has other tables"),
    ],
)
async def test_a_server_keeps_what_it_does_not_understand(
    postgres: Postgres, database: str, spoil: str, said: str
) -> None:
    """A newer schema and somebody else's tables are refused there as well."""
    url = postgres.url(database)
    async with opened(url):
        pass
    postgres.sql(spoil, database)
    with pytest.raises(SettingsError, match=said) as refusal:
        async with opened(url):
            pass
    assert f"127.0.0.1:{postgres.port}/{database}" in str(refusal.value)
    assert postgres.sql("SELECT count(*) FROM store", database) == "1"


async def test_a_step_that_fails_on_a_server_leaves_nothing(
    postgres: Postgres, database: str
) -> None:
    """All steps are one transaction there, too."""
    postgres.sql("CREATE SEQUENCE note", database)  # no table, but in the way
    with pytest.raises(SettingsError, match='relation "note" already exists'):
        async with opened(postgres.url(database)):
            pass
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgres.sql(tables, database) == "0"


async def test_who_may_not_make_tables_is_told(
    postgres: Postgres, database: str
) -> None:
    """In the server's words."""
    postgres.sql(f"ALTER DATABASE {database} OWNER TO postgres")
    with pytest.raises(SettingsError, match="permission denied for schema public"):
        async with opened(postgres.url(database)):
            pass
