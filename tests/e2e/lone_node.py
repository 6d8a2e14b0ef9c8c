"""A server in the test's own process, which the test cuts off from nodes it has not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp.test_utils import TestServer

from server.app import build_app
from server.keys import HUB
from tests.hub.outage import cut_off, reunite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.hub.hub import Hub


@dataclass
class LoneNode:
    """A server with its memory only, and the hub in it."""

    url: str
    hub: Hub
    durable: bool = False

    @property
    def ws_url(self) -> str:
        """Where its WebSockets are."""
        return self.url.replace("http", "ws", 1)

    @property
    def opened(self) -> int:
        """How many sessions of the Yjs wire there were."""
        return self.hub.stats.opened["yjs"]

    def cut_off(self) -> None:
        """Let it be cut off."""
        cut_off(self.hub)

    def reunite(self) -> None:
        """End that."""
        reunite(self.hub)


@asynccontextmanager
async def raise_lone_node() -> AsyncIterator[LoneNode]:
    """Start it; closed again at the end."""
    app = build_app()
    async with TestServer(app) as server:
        yield LoneNode(str(server.make_url("")).rstrip("/"), app[HUB])
