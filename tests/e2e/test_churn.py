"""20,000 come and go: a server's memory is afterwards what it was."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import pytest

from tests.gateways.peers import CLOSE, RawPeer

from .server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

ROUNDS: Final = 10
A_ROUND: Final = 2_000
AT_ONCE: Final = 100
STAY: Final = 50
CHANNEL: Final = "/ws/open/churn"
GROWTH_BYTES: Final = 3 * 1024 * 1024
"""The most that all rounds after the first two may add: below 200 bytes for each who
came. What was said stays, and the timers of who went stay for a ping's interval.
"""
HALF_A_HEAD: Final = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgr"
GONE_WITHIN_S: Final = 10.0


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A real server, whose market hardly moves."""
    flags = ("--market-hz", "0.1", "--handshake-timeout-s", "2")
    with ServerProcess(None, *flags) as process:
        yield process


def memory_bytes(server: ServerProcess) -> int:
    """Return what memory the process has for itself.

    Without what it shares: that share changes with whoever else runs.
    """
    rollup = Path(f"/proc/{server.pid}/smaps_rollup").read_text(encoding="ascii")
    (line,) = (each for each in rollup.splitlines() if each.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


async def join(server: ServerProcess) -> RawPeer:
    """Connect to the channel, and read its reply."""
    peer = await RawPeer.connect(server.port, CHANNEL)
    while (await peer.hear())["type"] != "reply":
        pass
    return peer


async def leave(peer: RawPeer, number: int) -> None:
    """Hear the word, and leave: by a goodbye, a reset or a hang-up."""
    while (await peer.hear())["type"] != "event":
        pass
    if number % 3 == 0:
        await peer.send(CLOSE, b"\x03\xe8")
        await peer.end()
        peer.close()
    elif number % 3 == 1:
        peer.reset()
    else:
        peer.close()


async def half_a_handshake(
    server: ServerProcess, number: int, *, stays: bool = False
) -> None:
    """Begin to ask, or not even that; go, or say no more until one is sent away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HALF_A_HEAD if number % 2 else b"")
    await writer.drain()
    if stays:
        await reader.read()
    writer.transport.abort()


async def come_and_go(server: ServerProcess, speaker: RawPeer) -> None:
    """Let so many come, say one word to them, and let them go."""
    halves = AT_ONCE // 4
    async with asyncio.TaskGroup() as group:
        for number in range(halves):
            group.create_task(half_a_handshake(server, number))
        coming = [group.create_task(join(server)) for _ in range(AT_ONCE - halves)]
        peers = [await each for each in coming]
        await speaker.say({"type": "publish", "data": "here"})
        for number, peer in enumerate(peers):
            group.create_task(leave(peer, number))
        await speaker.hear()


async def figure(http: aiohttp.ClientSession, name: str) -> float:
    """Return one of the server's metrics, the sum over its labels."""
    async with http.get("/metrics") as answer:
        text = await answer.text()
    lines = [each for each in text.splitlines() if re.match(rf"{name}\b", each)]
    return sum(float(each.split()[-1]) for each in lines)


async def only_the_speaker(http: aiohttp.ClientSession) -> None:
    """Wait until everybody else is gone."""
    async with asyncio.timeout(GONE_WITHIN_S):
        while await figure(http, "hubbub_sessions") > 1:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)


async def test_memory_is_what_it_was(server: ServerProcess) -> None:
    """Whoever comes hears something and leaves, in one of five ways."""
    seen, held = [], []
    async with aiohttp.ClientSession(server.url) as http:
        speaker = await join(server)
        for _ in range(ROUNDS):
            async with asyncio.TaskGroup() as group:
                for number in range(STAY):
                    staying = half_a_handshake(server, number, stays=True)
                    group.create_task(staying)
                for _ in range(A_ROUND // AT_ONCE):
                    await come_and_go(server, speaker)
            await only_the_speaker(http)
            seen.append(memory_bytes(server))
            names = ("process_open_fds", "hubbub_tasks")
            held.append([await figure(http, name) for name in names])
        speaker.close()
    # The first rounds fill what Python and the log keep for good.
    assert seen[-1] - seen[1] < GROWTH_BYTES, seen
    assert held[-1] == held[0], held
    assert not [each for each in server.log if "Traceback" in each]
