"""Nothing of the web blocks the event loop once it has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blockbuster import blockbuster_ctx

if TYPE_CHECKING:
    from .conftest import Client


async def test_no_request_blocks_the_loop(client: Client) -> None:
    """Templates, files and the process's own figures are read before, or aside."""
    async with client.get("/") as answer:  # what is made at first use
        assert answer.status == 200
    with blockbuster_ctx("server"):
        for path in (
            "/",
            "/chat/lobby",
            "/notes/welcome",
            "/nothing",
            "/static/js/boot.js",
            "/api/rooms",
            "/metrics",
            "/readyz",
        ):
            async with client.get(path) as answer:
                assert answer.status in {200, 404}, path
