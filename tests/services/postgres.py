"""A private PostgreSQL for the tests: Debian's, on a free port of the loopback.

It is started at its first use and serves one session of tests; each test has a database
of its own. As root it runs as somebody else, because it refuses root. Where this
machine has none, the tests that ask for one are skipped.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from server.stores.sql.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLE = "hubbub"
PASSWORD = "open:sesame/100%"
START_S = 30.0

# Small and quick to start; but what is acknowledged is on the disk.
OPTIONS = {
    "fsync": "on",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "log_min_messages": "fatal",
}


def programs() -> Path | None:
    """Return where this machine's newest PostgreSQL is; None where there is none."""
    folders = list(Path("/usr/lib/postgresql").glob("*/bin"))
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    whole = [each for each in folders if (each / "initdb").exists()]
    return max(whole, key=_version, default=None)


def _version(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdigit() else 0


def _somebody() -> str | None:
    """Return whom to run as; None: as oneself."""
    if os.getuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class Postgres:
    """A server, stopped at first. Its folder goes with `remove`."""

    def __init__(self, folder: Path | None = None) -> None:
        found = programs()
        if found is None:
            pytest.skip("no PostgreSQL on this machine")
        self._programs = found
        self._user = _somebody()
        self._names = count(1)
        self._server: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="hubbub-postgres-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)

    def init(self) -> None:
        """Make the files of an empty server, with a role that may make databases."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            *("initdb", "--pgdata", str(self.files), "--username", "postgres"),
            *("--auth", "scram-sha-256", "--pwfile", str(secret)),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )

    @property
    def files(self) -> Path:
        """Where its files are."""
        return self.folder / "files"

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs to its end; return what it says."""
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self.folder,
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout.strip()

    @property
    def _environment(self) -> Mapping[str, str]:
        # With it PostgreSQL's programs find the server, and ask for no password.
        login = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        return {**os.environ, **login, "PGUSER": "postgres", "PGPASSWORD": PASSWORD}

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [f"--{name}={value}" for name, value in OPTIONS.items()]
        self._server = subprocess.Popen(
            [
                *(str(self._programs / "postgres"), "-D", str(self.files)),
                *("-p", str(self.port), *options),
            ],
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_s = time.monotonic() + START_S
        while not self._is_ready():
            assert self._server.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < give_up_s, "PostgreSQL does not get ready"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        asked = [str(self._programs / "pg_isready"), "-q"]
        return not subprocess.run(asked, env=self._environment, check=False).returncode

    def _processes(self) -> list[int]:
        assert self._server is not None
        pid = self._server.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._processes():
            os.kill(pid, number)

    def stop(self) -> None:
        """End it in order: sessions are cut, all is written."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(START_S)
            self._server = None

    def kill(self) -> None:
        """End all of it at once, as a power cut would."""
        if self._server is not None:
            self._signal(signal.SIGKILL)
            self._server.wait(START_S)
            self._server = None

    def pause(self) -> None:
        """Let it stand still, with its connections open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Kill it and remove its files."""
        self.kill()
        shutil.rmtree(self.folder)

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return how Hubbub is told of a database."""
        login = f"{ROLE}:{quote(password, safe='')}"
        return f"postgresql+asyncpg://{login}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; return what it finds, a row a line."""
        quiet = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
        return self.run("psql", *quiet, "-d", database, "-c", statement)

    def make_role(self) -> None:
        """Make the role that Hubbub has."""
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")

    def copy_to(self, other: Postgres) -> None:
        """Give another server, that was not made yet, this one's files, as a replica.

        It reads what is written here as long as both run; on the same port they cannot.
        """
        files = ("--pgdata", str(other.files))
        self.run("pg_basebackup", *files, "--checkpoint", "fast", "--no-sync", "-R")

    def create(self, template: str = "template0") -> str:
        """Make a database, empty or as another is, and return its name."""
        name = f"test{next(self._names)}"
        self.sql(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.sql(f"DROP DATABASE {name} WITH (FORCE)")


def started() -> Postgres:
    """Make and start a server, and the role that Hubbub has there."""
    server = Postgres()
    server.init()
    server.start()
    server.make_role()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Start the server of this session. Who stops it starts it again."""
    server = started()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """Make an empty database of the test's own, and give its name."""
    name = postgres.create()
    yield name
    postgres.drop(name)


@pytest.fixture(scope="session")
def _common(postgres: Postgres) -> str:
    """Make one database for all that leave its tables as they are."""
    return postgres.create()


@pytest.fixture
def empty_url(postgres: Postgres, _common: str) -> Iterator[str]:
    """Give the URL of a database without rows; quicker than one of one's own."""
    yield postgres.url(_common)
    postgres.sql(f"TRUNCATE {', '.join(metadata.tables)}", _common)
