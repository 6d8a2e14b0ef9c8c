"""What was acknowledged is there after `kill -9`, once, in order, and whole."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from server.model import Position
from server.seams.log import Duplicate
from server.stores.datadir import DataDirectory
from server.stores.sql.store import SqlStore
from tests.clocks import ManualClock
from tests.contracts.stores import say

CHECKOUT = Path(__file__).parents[3]
WRITER = Path(__file__).with_name("writer.py")
ROOMS = ("chat:a", "chat:b", "chat:c")


def kill_while_writing(directory: Path, run: str, after_lines: int) -> set[str]:
    """Return the lines that were acknowledged before the kill."""
    command = [sys.executable, str(WRITER), str(CHECKOUT), str(directory), run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(after_lines)]
        writer.kill()
        lines += writer.stdout.readlines()
    # The kill may cut the last line short; it was acknowledged all the same.
    return {line.strip() for line in lines if line.endswith("\n")}


async def check(directory: Path, acknowledged: set[str]) -> None:
    """Everything acknowledged is kept in its place, and rows agree with the log."""
    with DataDirectory.open(directory) as opened:
        async with SqlStore.open(opened, ManualClock()) as store:
            assert await store.integrity_check() == []
            kept, counts = set[str](), dict[str, int]()
            for room in ROOMS:
                top = await store.log.top(room)
                found = await store.log.read(room, Position(top.epoch, 0), top.offset)
                texts = [str(each.content) for each in found.publications]
                assert len(set(texts)) == len(texts), "kept once"
                kept |= {
                    f"{room} {offset} {text}" for offset, text in enumerate(texts, 1)
                }
                if texts:
                    counts[room.removeprefix("chat:")] = len(texts)
            assert acknowledged <= kept
            # A message said in two rooms is kept in both or in neither.
            assert both(kept, "chat:a") == both(kept, "chat:b")
            rows = await store.chat.rooms(10)
            assert {row.name: row.messages for row in rows} == counts


def both(kept: set[str], room: str) -> set[str]:
    """Return the texts of a room that were said in two rooms."""
    texts = {line.split()[2] for line in kept if line.startswith(f"{room} ")}
    return {text for text in texts if int(text.split("-")[1]) % 3 == 0}


async def kills(directory: Path, count: int) -> None:
    """Kill so many writers, and look after each."""
    choose = random.Random(5)
    acknowledged: set[str] = set()
    for run in range(count):
        lines = choose.randrange(1, 150)
        acknowledged |= kill_while_writing(directory, f"run{run}", lines)
        await check(directory, acknowledged)
    with DataDirectory.open(directory) as opened:
        async with SqlStore.open(opened, ManualClock()) as store:
            again = say("resent", channel="chat:a", key="run0-0")
            assert await store.log.append([again]) == [
                Duplicate(Position((await store.log.top("chat:a")).epoch, 1))
            ]


async def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    """And what is sent again with its key is known."""
    await kills(tmp_path, 3)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_many_kills_lose_nothing(tmp_path: Path) -> None:
    """The same, often enough to hit every phase of a transaction."""
    await kills(tmp_path, 20)
