"""One market on three nodes: the same quotes everywhere, whoever leads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import pytest

from .cluster import Cluster, raise_cluster
from .crowd import LOST, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.services.postgres import Postgres
    from tests.services.redis import RedisServer

    from .server_process import ServerProcess

pytestmark = [pytest.mark.long, pytest.mark.nodes, pytest.mark.timeout(180)]

RESUMES_WITHIN_S = 6.0
LEADS = "leads market"


@dataclass
class Ticker:
    """Who watches the board at one node; `quotes` by (symbol, seq)."""

    quotes: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    lasts: dict[str, int] = field(default_factory=dict)
    heard_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    async def watch(self, http: aiohttp.ClientSession, node: ServerProcess) -> None:
        """Watch until cancelled, over the node's own restarts."""
        while True:
            try:
                async with http.ws_connect(f"{node.ws_url}/ws/ticker") as ws:
                    while True:
                        self._note(await ws.receive_json())
            except LOST:
                await asyncio.sleep(0.2)

    def _note(self, frame: dict[str, object]) -> None:
        words = frame.get("data")
        if frame["type"] != "event" or not isinstance(words, dict):
            return
        symbol, seq = words["symbol"], words["seq"]
        figures = tuple(words[name] for name in ("last", "bid", "ask", "volume"))
        known = self.quotes.setdefault((symbol, seq), figures)
        if known != figures or seq < self.newest.get(symbol, 0):
            self.faults.append(f"{symbol} {seq}: {known}, then {figures}")
        self.newest[symbol], self.lasts[symbol] = seq, words["last"]
        self.heard_s = time.monotonic()


@pytest.fixture
async def cluster(own_redis: RedisServer, postgres: Postgres) -> AsyncIterator[Cluster]:
    """Three nodes."""
    async with raise_cluster(own_redis, postgres) as raised:
        yield raised


def leader(cluster: Cluster) -> ServerProcess:
    """Return the node that said last that it leads the market."""
    said = [
        (line, node)
        for node in cluster.nodes
        for line in tuple(node.log)
        if LEADS in line
    ]
    return max(said, key=lambda each: each[0])[1]


async def test_prices_go_on_when_the_leader_dies(cluster: Cluster) -> None:
    """Twice: within 6 s, from where they were; all nodes have the same quotes."""
    tickers = [Ticker() for _ in cluster.nodes]
    async with aiohttp.ClientSession() as http:
        watching = [
            asyncio.create_task(ticker.watch(http, node))
            for ticker, node in zip(tickers, cluster.nodes, strict=True)
        ]
        try:
            await until(lambda: all(len(each.newest) == 20 for each in tickers))
            for _ in range(2):
                await asyncio.sleep(1.0)
                await _kill_leader(cluster, tickers)
            await asyncio.sleep(1.0)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.wait(watching)
    _compare(tickers)


async def _kill_leader(cluster: Cluster, tickers: list[Ticker]) -> None:
    dead = leader(cluster)
    await asyncio.to_thread(dead.kill)
    rest = [
        ticker
        for ticker, node in zip(tickers, cluster.nodes, strict=True)
        if node is not dead
    ]
    await asyncio.sleep(0.5)
    before_s = max(each.heard_s for each in rest)
    before = [(dict(each.newest), dict(each.lasts)) for each in rest]
    await until(lambda: all(each.heard_s > before_s for each in rest), RESUMES_WITHIN_S)
    assert max(each.heard_s for each in rest) - before_s <= RESUMES_WITHIN_S
    await asyncio.sleep(1.0)
    for ticker, (newest, lasts) in zip(rest, before, strict=True):
        for symbol, seq in newest.items():
            assert ticker.newest[symbol] >= seq, symbol
            # A market that opened anew would be elsewhere.
            moved = abs(ticker.lasts[symbol] - lasts[symbol]) / lasts[symbol]
            assert moved < 0.05, symbol
    await asyncio.to_thread(dead.start)


def _compare(tickers: list[Ticker]) -> None:
    """Claim: what two nodes told of one (symbol, seq) is the same; and they did."""
    common = 0
    for ticker in tickers:
        assert ticker.faults == []
        for place, figures in ticker.quotes.items():
            for other in tickers:
                told = other.quotes.get(place, figures)
                assert told == figures, place
                common += place in other.quotes and other is not ticker
    assert common > 100
