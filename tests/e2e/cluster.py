"""Three real server processes on a private Redis and a private PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import aiohttp

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

NODES = 3


@dataclass
class Cluster:
    """The nodes, and what they share."""

    nodes: list[ServerProcess]
    redis: RedisServer
    postgres: Postgres
    database: str

    async def people(
        self, http: aiohttp.ClientSession, node: ServerProcess, channel: str
    ) -> dict[str, int]:
        """Return who is in a channel by what a node says: names and their sessions."""
        async with http.ws_connect(f"{node.ws_url}/ws") as ws:
            await ws.send_json({"type": "presence", "channel": channel, "id": 1})
            reply = await ws.receive_json()
        return {each["name"]: each["sessions"] for each in reply.get("presence", [])}

    async def figure(
        self, http: aiohttp.ClientSession, node: ServerProcess, name: str
    ) -> float:
        """Return one of a node's metrics, which has no label."""
        async with http.get(f"{node.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        (found,) = (line for line in lines if line.startswith(f"{name} "))
        return float(found.partition(" ")[2])

    async def is_ready(self, http: aiohttp.ClientSession, node: ServerProcess) -> bool:
        """Whether a node says that it is ready."""
        async with http.get(f"{node.url}/readyz") as answer:
            return answer.status == 200


def flags(redis_url: str, database_url: str) -> Sequence[str]:
    """Return what tells a node of what it shares."""
    return ("--redis-url", redis_url, "--database-url", database_url)


@asynccontextmanager
async def raise_cluster(
    redis: RedisServer,
    postgres: Postgres,
    detours: tuple[int, int] | None = None,
) -> AsyncIterator[Cluster]:
    """Start the nodes.

    `detours`: the ports by which the first reaches Redis and PostgreSQL; None: theirs.
    """
    database = postgres.create()
    urls = [(redis.url, postgres.url(database))] * NODES
    if detours is not None:
        ours, theirs = detours, (redis.port, postgres.port)
        urls[0] = tuple(  # type: ignore[assignment]
            url.replace(f":{there}/", f":{here}/")
            for url, here, there in zip(urls[0], ours, theirs, strict=True)
        )
    nodes = [ServerProcess(None, *flags(*each)) for each in urls]
    try:
        for node in nodes:
            await asyncio.to_thread(node.start)
        yield Cluster(nodes, redis, postgres, database)
    finally:
        for node in nodes:
            node.__exit__(None, None, None)
        postgres.drop(database)
