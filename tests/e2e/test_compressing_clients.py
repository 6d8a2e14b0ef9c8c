"""Stock clients that offer permessage-deflate: `ws` in Node, and a page in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browsers import open_browser

from .server_process import ServerProcess
from .stock import desk, needs_node

if TYPE_CHECKING:
    from collections.abc import Iterator

AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
TEXT = "what is said again and again, and 😀 " * 60
TURNS = 20


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server that compresses."""
    with ServerProcess(None, "--compress") as process:
        yield process


class TestNode:
    """Run apart, where there is Node."""

    pytestmark = needs_node

    @pytest.mark.parametrize(
        ("options", "agreed"),
        [
            ({"threshold": 0}, AGREED),
            (
                {"threshold": 0, "serverMaxWindowBits": 10, "clientMaxWindowBits": 9},
                f"{AGREED}; server_max_window_bits=9",
            ),
            ({"serverNoContextTakeover": True}, AGREED),
            (False, ""),
        ],
        ids=["whole", "small", "sparing", "without"],
    )
    async def test_ws_reads_and_says(
        self, server: ServerProcess, options: object, agreed: str
    ) -> None:
        """What it says comes back the same; fewer bytes come than were said."""
        async with desk() as node:
            found = await node.run(
                """
                const { WebSocket } = await import("ws");
                const [url, perMessageDeflate, text, turns] = args;
                const socket = new WebSocket(url, { perMessageDeflate });
                const heard = [];
                let agreed = "";
                socket.on("upgrade", ({ headers }) => {
                  agreed = headers["sec-websocket-extensions"] ?? "";
                });
                socket.on("message", (data) => heard.push(JSON.parse(data)));
                let closed = null;
                socket.on("close", (code) => { closed = code; });
                await until(() => heard.length === 1 || closed);
                const before = socket._socket.bytesRead;
                for (let n = 0; n < turns; n++) {
                  socket.send(JSON.stringify({ type: "publish", data: text + n }));
                  await until(() => heard.length === n + 2 || closed);
                }
                return {
                  closed,
                  agreed,
                  read: socket._socket.bytesRead - before,
                  heard: heard.slice(1).map((event) => event.data),
                };
                """,
                f"{server.ws_url}/ws/open/a",
                options,
                TEXT,
                TURNS,
            )
        assert found["closed"] is None
        assert found["heard"] == [f"{TEXT}{n}" for n in range(TURNS)]
        assert found["agreed"] == agreed
        said = TURNS * len(TEXT.encode())
        assert (found["read"] < said / 4) == bool(agreed)


@pytest.mark.browser
async def test_a_page_reads_and_says(server: ServerProcess) -> None:
    """Chromium offers it by itself, and compresses all that it says."""
    async with open_browser() as browser:
        page = await browser.new_page()
        await page.goto(f"{server.url}/lesson")
        found = await page.evaluate(
            """async ([url, text, turns]) => {
              const socket = new WebSocket(url);
              const heard = [];
              await new Promise((resolve) => {
                socket.onclose = resolve;
                socket.onmessage = ({ data }) => {
                  heard.push(JSON.parse(data));
                  const n = heard.length - 1;
                  if (n === turns) return resolve();
                  socket.send(JSON.stringify({ type: "publish", data: text + n }));
                };
              });
              return [socket.extensions, heard.slice(1).map(({ data }) => data)];
            }""",
            [f"{server.ws_url}/ws/open/a", TEXT, TURNS],
        )
    agreed, heard = found
    assert agreed == AGREED
    assert heard == [f"{TEXT}{n}" for n in range(TURNS)]
