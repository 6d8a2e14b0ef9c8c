"""Stock clients of other people in Node: programs of a few lines, run one by one."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.machine import node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STATIC = Path(__file__).resolve().parents[2] / "static"
ANSWER_S = 30.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024


def needs_npm(package: str) -> list[pytest.MarkDecorator]:
    """Return the marks of tests that run a program on one of npm's packages."""
    return [
        pytest.mark.long,
        pytest.mark.skipif(node() is None, reason="no node"),
        pytest.mark.skipif(
            not (STATIC / "node_modules" / package).exists(),
            reason="npm modules not fetched",
        ),
    ]


needs_node = needs_npm("socket.io-client")

# Each line of its input is a piece of a program, whose result is a line of its output.
# What pieces share stands in `here`; `until` waits for what others do.
DESK = """
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { EventSource } from "eventsource";

const AsyncFunction = (async () => {}).constructor;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (holds) => {
  while (!(await holds())) await pause(5);
};
const tools = { io, EventSource, pause, until, here: {} };

const carryOut = async ({ id, code, args }) => {
  let answer;
  try {
    const piece = new AsyncFunction(...Object.keys(tools), "args", code);
    answer = { id, value: (await piece(...Object.values(tools), args)) ?? null };
  } catch (error) {
    answer = { id, error: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\\n");
};
for await (const line of createInterface({ input: process.stdin })) {
  void carryOut(JSON.parse(line));
}
process.exit(0);
"""


class JavaScriptError(Exception):
    """A piece of a program threw something, or the whole of it has ended."""


class Desk:
    """A process of Node that runs pieces of a program, with the stock clients at hand.

    A piece is the body of an async function. It may use `io`, `EventSource`, `args`
    (what it is called with), `here` (an object that the pieces share), `pause(ms)` and
    `until(holds)`; what it returns must be JSON.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def run(self, code: str, *args: object, within_s: float = ANSWER_S) -> Any:  # noqa: ANN401 - whatever JSON
        """Run a piece; return what it returns. Raises `JavaScriptError`."""
        piece_id = next(self._ids)
        order = {"id": piece_id, "code": code, "args": args}
        assert self._process.stdin is not None
        answer = self._waiting[piece_id] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        try:
            async with asyncio.timeout(within_s):
                return await answer
        finally:
            del self._waiting[piece_id]

    async def listen(self) -> None:
        """Hand out the answers, until the process ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = msgspec.json.decode(line)
            answer = self._waiting.get(said["id"])
            if answer is None or answer.done():
                continue
            if "error" in said:
                answer.set_exception(JavaScriptError(said["error"]))
            else:
                answer.set_result(said["value"])
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(JavaScriptError("the process has ended"))


async def start_node(program: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start Node on a program, where npm's modules are; it is spoken to by pipes."""
    found = node()
    assert found is not None
    return await asyncio.create_subprocess_exec(
        *(found, "--input-type=module", "--eval", program, *arguments),
        cwd=STATIC,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MAX_ANSWER_BYTES,
    )


async def kill(process: asyncio.subprocess.Process) -> None:
    """End it, if it has not ended by itself."""
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """Start Node; it is killed at the end, with all its connections."""
    process = await start_node(DESK)
    started = Desk(process)
    listening = asyncio.Task(started.listen())
    try:
        yield started
    finally:
        await kill(process)
        await listening
