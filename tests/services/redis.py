"""Private Redis servers for the tests, on free ports of the loopback.

    server.start() / stop() / kill()     gracefully, or by SIGKILL
    server.pause() / resume()            SIGSTOP and SIGCONT: it takes, and is silent
    await server.ask("FLUSHALL")         one command, on a connection of its own

Where this machine has none, the tests that ask for one are skipped.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping

START_S = 10.0
MASTERS = 3
SLOTS = 16_384


def free_port() -> int:
    """Return a port that nobody listens on, nor on the one of its cluster bus."""
    while True:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port: int = bound.getsockname()[1]
        if port < 55_000:
            return port


class RedisServer:
    """A server, stopped at first. `options` are those of its command line."""

    def __init__(self, **options: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("no redis-server on this machine")
        self._program = program
        self._options = {"save": "", "appendonly": "no", **options}
        self._folder = Path(tempfile.mkdtemp(prefix="hubbub-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Its address, as the settings have it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._folder),
            "daemonize": "no",
            "logfile": str(self._folder / "log"),
            "repl-diskless-sync-delay": "0",
            **self._options,
        }
        flags = [part for name in options for part in (f"--{name}", options[name])]
        self._process = subprocess.Popen([self._program, *flags])
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it gracefully: what its options say is written to the disk."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Have it stand still: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it, and take its folder away."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def ask(self, *words: str) -> object:
        """Return what it says to a command."""
        async with AsyncRedis(port=self.port, protocol=2) as client:
            asked: Awaitable[object] = client.execute_command(*words)  # type: ignore[no-untyped-call]
            return await asked

    def tell(self, *words: str) -> object:
        """Do as `ask`, without a loop."""
        with Redis(port=self.port, protocol=2) as client:
            reply: object = client.execute_command(*words)
            return reply

    def facts(self, *words: str) -> Mapping[str, str]:
        """Return what it says to INFO, or to a command like it."""
        said = self.tell(*words)
        if isinstance(said, dict):
            return {str(name): str(value) for name, value in said.items()}
        assert isinstance(said, bytes)
        lines = (line.partition(":") for line in said.decode().splitlines())
        return {name: value for name, _, value in lines}

    def _wait_until_ready(self) -> None:
        ends_s = time.monotonic() + START_S
        while True:
            try:
                self.tell("PING")
            except RedisError:
                if time.monotonic() > ends_s:
                    raise
                time.sleep(0.02)
            else:
                return

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        self._signal(signal.SIGCONT)
        assert self._process is not None
        self._process.wait()
        self._process = None


class RedisCluster:
    """Three masters that share the slots."""

    def __init__(self) -> None:
        self.servers = [
            RedisServer(**{"cluster-enabled": "yes", "cluster-node-timeout": "2000"})
            for _ in range(MASTERS)
        ]

    @property
    def url(self) -> str:
        """The address of one of them."""
        return self.servers[0].url

    def start(self) -> None:
        """Start all, have them meet, and wait until they serve all slots."""
        share = SLOTS // MASTERS + 1
        for number, server in enumerate(self.servers):
            server.start()
            last = min((number + 1) * share, SLOTS) - 1
            server.tell("CLUSTER", "ADDSLOTSRANGE", str(number * share), str(last))
            server.tell("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        first, *others = self.servers
        for other in others:
            first.tell("CLUSTER", "MEET", "127.0.0.1", str(other.port))
        ends_s = time.monotonic() + START_S
        while not all(self._is_whole(each) for each in self.servers):
            assert time.monotonic() < ends_s
            time.sleep(0.05)

    def remove(self) -> None:
        """End all."""
        for server in self.servers:
            server.remove()

    @staticmethod
    def _is_whole(server: RedisServer) -> bool:
        facts = server.facts("CLUSTER", "INFO")
        known = facts["cluster_known_nodes"]
        return facts["cluster_state"] == "ok" and known == str(MASTERS)


S = TypeVar("S", RedisServer, RedisCluster)


@contextmanager
def _started(service: S) -> Iterator[S]:
    """Start it; removed at the end, also where it did not start."""
    try:
        service.start()
        yield service
    finally:
        service.remove()


@pytest.fixture(scope="session")
def _redis_of_the_session() -> Iterator[RedisServer]:
    with _started(RedisServer()) as server:
        yield server


@pytest.fixture
def redis_server(_redis_of_the_session: RedisServer) -> RedisServer:
    """Give the session's server, empty."""
    _redis_of_the_session.tell("FLUSHALL")
    return _redis_of_the_session


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Give a server of its own, which the test may kill."""
    with _started(RedisServer()) as server:
        yield server


@pytest.fixture
def own_cluster() -> Iterator[RedisCluster]:
    """Give a cluster that the test may break."""
    with _started(RedisCluster()) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Give the session's cluster."""
    with _started(RedisCluster()) as cluster:
        yield cluster
