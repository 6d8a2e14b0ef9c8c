"""`--workers`: several processes on one port, started, kept and stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from .cluster import flags
from .crowd import Crowd, until
from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(120)]


@pytest.fixture
def server(own_redis: RedisServer, postgres: Postgres) -> Iterator[ServerProcess]:
    """Three workers on one port."""
    database = postgres.create()
    urls = flags(own_redis.url, postgres.url(database))
    with ServerProcess(None, *urls, "--workers", "3") as running:
        yield running
    postgres.drop(database)


def workers(server: ServerProcess) -> list[int]:
    """Return the processes that serve."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return [each for each in map(int, children.split()) if _serves(each)]


def _serves(pid: int) -> bool:
    # The other child is multiprocessing's own tracker of what is shared.
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def lives(pid: int) -> bool:
    """Whether a process is there and no corpse."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


async def test_workers_share_a_port_and_all_channels(server: ServerProcess) -> None:
    """What is said to one is heard at the others, whichever the kernel chose."""
    assert len(workers(server)) == 3
    assert "(3 workers)" in server.log[-1]
    async with Crowd([server]) as crowd:
        await crowd.hear(30, "chat:w", "open:w")
        await crowd.speak(3, "chat:w", 0.02)
        await crowd.speak(3, "open:w", 0.02)
        await crowd.progress(20)
        await crowd.hush()
        await crowd.settle()
        crowd.check()
        await crowd.check_kept("chat:w", server)
        served = [_connections(pid) for pid in workers(server)]
        assert sum(count > 0 for count in served) >= 2, "more than one was chosen"


def _connections(pid: int) -> int:
    links = [each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir()]
    return sum("socket:" in str(each) for each in links) - 12


async def test_a_worker_that_dies_is_started_again(server: ServerProcess) -> None:
    """Clients come back to the others meanwhile, and nothing is lost."""
    before = workers(server)
    async with Crowd([server]) as crowd:
        await crowd.hear(12, "chat:w")
        await crowd.speak(2, "chat:w", 0.05)
        await crowd.progress(5)
        os.kill(before[0], signal.SIGKILL)
        await crowd.progress(20)
        await until(lambda: len(workers(server)) == 3)
        assert before[0] not in workers(server)
        await crowd.hush()
        await crowd.settle()
        crowd.check()
        await crowd.check_kept("chat:w", server)


async def close_code(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """Read to the end; return what it was closed with."""
    async for _ in ws:
        pass
    return ws.close_code


async def test_sigterm_ends_them_all(server: ServerProcess) -> None:
    """Each tells its clients to come back; the exit code is 0."""
    pids = workers(server)
    async with aiohttp.ClientSession() as http:
        sockets = [
            await http.ws_connect(f"{server.ws_url}/ws/chat/lobby") for _ in range(9)
        ]
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        codes = await asyncio.gather(*map(close_code, sockets))
        assert codes == [3001] * 9
        assert await stopping == 0
    assert not any(map(lives, pids))


async def test_without_their_parent_workers_end(server: ServerProcess) -> None:
    """However it went: nobody would start or stop them."""
    pids = workers(server)
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not any(map(lives, pids)), 15.0)


async def test_a_fault_is_told_once(own_redis: RedisServer) -> None:
    """By the first worker, with its exit code; no other is started."""
    urls = flags(own_redis.url, "postgresql+asyncpg://nobody@127.0.0.1:1/none")
    server = ServerProcess(None, *urls, "--workers", "3")
    with pytest.raises(RuntimeError, match="cannot be used") as fault:
        await asyncio.to_thread(server.start)
    assert str(fault.value).count("cannot be used") == 1
