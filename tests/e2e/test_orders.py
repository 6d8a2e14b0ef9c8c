"""An order reaches every node: a user is sent away wherever they are connected."""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from server.errors import FORCED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def host(redis_url: str, database_url: str) -> AsyncIterator[str]:
    """Run one host application; give its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.host_node", redis_url, database_url),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while not (found := re.search(rb":(\d+)", await process.stdout.readline())):
                pass
        yield f"http://127.0.0.1:{int(found[1])}"
    finally:
        process.kill()
        await process.communicate()


async def test_a_user_is_sent_away_from_all_nodes(
    own_redis: RedisServer, postgres: Postgres
) -> None:
    """By a normal handler of one of three hosts; nobody else is troubled."""
    database = postgres.create()
    async with AsyncExitStack() as stack:
        urls = (own_redis.url, postgres.url(database))
        hosts = [await stack.enter_async_context(host(*urls)) for _ in range(3)]
        http = await stack.enter_async_context(aiohttp.ClientSession())

        async def connect(place: str, user: str) -> aiohttp.ClientWebSocketResponse:
            ws = await http.ws_connect(f"{place}/live/ws/open/a?user={user}")
            await ws.receive_json()
            return ws

        ann = [await connect(place, "ann") for place in hosts]
        bob = [await connect(place, "bob") for place in hosts]
        async with http.post(f"{hosts[0]}/out/ann") as answer:
            assert answer.status == 200
        async with asyncio.timeout(5):
            for ws in ann:
                while (await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert ws.close_code == FORCED.code
        await bob[1].send_json({"type": "publish", "data": "still here"})
        async with asyncio.timeout(5):
            for ws in bob:
                while (await ws.receive_json()).get("data") != "still here":
                    pass
    postgres.drop(database)
