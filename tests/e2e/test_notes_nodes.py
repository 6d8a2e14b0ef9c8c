"""One note on many nodes: any node serves it, edits meet, carets are seen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from .cluster import Cluster, raise_cluster
from .crowd import until
from .test_y_websocket import ANSWER_S, Author, check, needs_node, read, stock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

    from .test_y_websocket import NodeClient

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(180)]

# A hang-up is noticed by pings, a crash by the census: see `tests/e2e/test_faults.py`.
FALLS_WITHIN_S = 40.0


@pytest.fixture
async def cluster(own_redis: RedisServer, postgres: Postgres) -> AsyncIterator[Cluster]:
    """Three nodes."""
    async with raise_cluster(own_redis, postgres) as raised:
        yield raised


class TestStock:
    """y-websocket as it comes from npm, each client on another node."""

    pytestmark = needs_node

    async def test_edits_and_carets_meet(self, cluster: Cluster) -> None:
        """What one types the others have, emoji too; each sees all three."""
        urls = [f"{node.ws_url}/ws/notes" for node in cluster.nodes]
        async with (
            stock(urls[0], "shared", "A") as a,
            stock(urls[1], "shared", "B") as b,
            stock(urls[2], "shared", "C") as c,
        ):
            await a.do("insert", at=0, text="one 😀 ")
            await b.do("text", expected="one 😀 ")
            await b.do("insert", at=7, text="two 🦊 ")
            await c.do("text", expected="one 😀 two 🦊 ")
            await c.do("delete", at=0, length=4)
            for client in (a, b):
                await client.do("text", expected="😀 two 🦊 ")
            for client in (a, b, c):
                assert await client.do("complaints") == []

    async def test_a_crash_takes_its_carets_along(self, cluster: Cluster) -> None:
        """The client of the dead node goes on elsewhere; who was only there is gone."""
        urls = [f"{node.ws_url}/ws/notes" for node in cluster.nodes]
        async with stock(urls[0], "n", "A") as a, stock(urls[1], "n", "B") as b:
            await b.do("insert", at=0, text="kept")
            await a.do("text", expected="kept")
            await self._both(a)
            await asyncio.to_thread(cluster.nodes[1].kill)
            # Its own provider tries the dead address only: to the others it is gone.
            async with asyncio.timeout(FALLS_WITHIN_S):
                while len(await self._names(a)) > 1:  # noqa: ASYNC110 - a process's
                    await asyncio.sleep(0.2)
            async with stock(urls[2], "n", "C") as late:
                await late.do("text", expected="kept")

    async def _names(self, client: NodeClient) -> list[str]:
        found = await client.do("names")
        assert isinstance(found, list)
        return found

    async def _both(self, client: NodeClient) -> None:
        async with asyncio.timeout(ANSWER_S):
            while len(await self._names(client)) < 2:  # noqa: ASYNC110 - a process's
                await asyncio.sleep(0.05)


async def further(authors: list[Author]) -> None:
    """Wait until each has saved 40 words more."""
    goal = [author.saved + 40 for author in authors]

    def there() -> bool:
        return all(each.saved >= n for each, n in zip(authors, goal, strict=True))

    await until(there, ANSWER_S)


async def test_saved_edits_survive_the_death_of_any_node(cluster: Cluster) -> None:
    """Three write on three nodes, each is killed once: all that was saved is there."""
    async with aiohttp.ClientSession() as http:
        authors = [Author("a"), Author("b"), Author("c")]

        async def write(number: int) -> None:
            for turn in range(10_000):
                node = cluster.nodes[(number + turn) % len(cluster.nodes)]
                await authors[number].write(node, http)
                await asyncio.sleep(0.1)

        writing = [asyncio.create_task(write(number)) for number in range(3)]
        for victim in cluster.nodes:
            await further(authors)
            await asyncio.to_thread(victim.restart)
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
        async with asyncio.timeout(ANSWER_S):
            # What was sent last may still be on its way to one of them.
            while len(texts := {await read(n, http) for n in cluster.nodes}) > 1:  # noqa: ASYNC110 - theirs
                await asyncio.sleep(0.5)
        check(texts.pop(), authors)
