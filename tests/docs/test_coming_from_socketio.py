"""What "Coming from Socket.IO" shows runs as it stands, with the stock clients.

A program of JavaScript prints what the comments behind its `console.log` say.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestServer

from server import build_app
from server.keys import HUB
from tests.docs.pages import ROOT, blocks, run
from tests.e2e.stock import STATIC, needs_node
from tests.machine import node

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

PAGE = ROOT / "docs" / "howto" / "coming-from-socketio.md"
PROGRAMS = {
    block.name: block.text
    for block in blocks(PAGE)
    if block.name and block.language == "js"
}
WRITTEN = "127.0.0.1:8080"
OWN = "/live/socket.io/"
"""Programs with this path want the page's own server; others Hubbub alone."""
WITHIN_S = 20.0

_PRINTED = re.compile(r"console\.log\(.* // (.*)$", re.MULTILINE)


def promised(program: str) -> list[str]:
    """Return what a program's comments say that it prints."""
    return _PRINTED.findall(program)


async def carry_out(program: str, port: int | None) -> list[str]:
    """Run a program in Node against a server; return the lines that it prints."""
    found = node()
    assert found is not None
    text = program.replace(WRITTEN, f"127.0.0.1:{port}")
    process = await asyncio.create_subprocess_exec(
        *(found, "--input-type=module", "--eval", text),
        cwd=STATIC,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return printed.decode().splitlines()


class TestInNode:
    """The page's JavaScript."""

    pytestmark = needs_node

    @pytest.mark.parametrize("name", PROGRAMS)
    async def test_a_program_prints_what_it_says(self, name: str) -> None:
        """It connects, does what the page says, and ends by itself."""
        program = PROGRAMS[name]
        own: web.Application = run("coming-server").app
        async with TestServer(own if OWN in program else build_app()) as server:
            printed = await carry_out(program, server.port)
        assert promised(program)
        extra = ["as if nothing had been"] if name == "coming-recovery" else []
        assert sorted(printed) == sorted(promised(program) + extra)


def test_every_program_is_run() -> None:
    """All JavaScript there is an example, but for one line of options."""
    unmarked = [
        block.text
        for block in blocks(PAGE)
        if block.language == "js" and block.name is None
    ]
    assert unmarked == ['const socket = io({ transports: ["websocket"] });\n']


async def test_python_s_client_follows_over_a_cut() -> None:
    """It is given what it missed; and where that cannot be, it begins anew."""
    example = run("coming-python")
    app = build_app()
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        hub = app[HUB]
        await example.follow(url)
        await hub.publish("open:news", 1)
        await _until(lambda: len(example.heard) == 1)
        await example.client.disconnect()
        await hub.publish("open:news", 2)
        await example.follow(url)
        await hub.publish("open:news", 3)
        await _until(lambda: len(example.heard) == 3)
        assert [each["data"] for each in example.heard] == [1, 2, 3]
        await example.client.disconnect()
        await hub.new_epoch("open:news")
        await example.follow(url)
        assert example.heard == []
        await example.client.disconnect()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - a client in the same loop is doing it
            await asyncio.sleep(0.01)
