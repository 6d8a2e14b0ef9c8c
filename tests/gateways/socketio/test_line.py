from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from server.gateways.socketio.line import MOST_WAITING, Line
from server.runtime.tasks import Tasks
from tests.looptime import turns, until


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    """A supervised group."""
    tasks = Tasks()
    await tasks.start()
    yield tasks
    await tasks.stop()


def failed() -> None:
    """Fail the test."""
    raise AssertionError("a piece of work failed")


class Bench:
    """Notes what was done, when it is allowed to be."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.gate = asyncio.Event()

    async def work(self, name: object) -> None:
        """Wait, and be done."""
        await self.gate.wait()
        self.done.append(name)


async def test_work_is_done_in_order_by_one_task(tasks: Tasks) -> None:
    """It lives while there is any."""
    line, bench = Line(tasks, 1_000, failed), Bench()
    for number in range(5):
        await line.put(partial(bench.work, number), 1)
    assert line.busy
    assert len(tasks) == 1
    bench.gate.set()
    await until(lambda: not line.busy)
    assert bench.done == [0, 1, 2, 3, 4]
    await turns(2)
    assert len(tasks) == 0


@pytest.mark.parametrize(
    ("weight_bytes", "fits"), [(0, MOST_WAITING), (500, 3), (5_000, 1)]
)
async def test_who_brings_too_much_waits(
    tasks: Tasks, weight_bytes: int, fits: int
) -> None:
    """Too many packets or too many bytes; not counting what is under way."""
    line, bench = Line(tasks, 1_000, failed), Bench()
    await line.put(partial(bench.work, "first"), 0)
    await turns(2)
    for number in range(fits):
        async with asyncio.timeout(5):
            await line.put(partial(bench.work, number), weight_bytes)
    more = asyncio.create_task(line.put(partial(bench.work, "more"), 0))
    await turns(5)
    assert not more.done()
    bench.gate.set()
    await more
    await until(lambda: not line.busy)
    assert bench.done == ["first", *range(fits), "more"]


async def test_at_its_end_what_waits_is_dropped(tasks: Tasks) -> None:
    """But not what is under way, nor what is pushed then; who waits, waits no more."""
    line, bench = Line(tasks, 1_000, failed), Bench()
    for number in range(MOST_WAITING + 1):
        await line.put(partial(bench.work, number), 0)
        await turns(2)
    waiting = asyncio.create_task(line.put(partial(bench.work, "waiting"), 0))
    await turns(2)
    line.end()
    line.push(partial(bench.work, "last"))
    await waiting
    await line.put(partial(bench.work, "too late"), 0)
    bench.gate.set()
    await until(lambda: not line.busy)
    assert bench.done == [0, "last"]


async def test_work_that_fails_is_told_and_the_rest_goes_on(
    tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever is told may end it."""
    faults: list[int] = []
    line, bench = Line(tasks, 1_000, lambda: faults.append(1)), Bench()

    async def fail() -> None:
        raise ZeroDivisionError

    bench.gate.set()
    await line.put(fail, 0)
    await line.put(partial(bench.work, "next"), 0)
    await until(lambda: not line.busy)
    assert (faults, bench.done) == ([1], ["next"])
    assert "ZeroDivisionError" in caplog.text


async def test_what_waits_is_done_when_nothing_more_comes(tasks: Tasks) -> None:
    """In its order; and nothing is taken any more."""
    line, bench = Line(tasks, 1_000, failed), Bench()
    for number in range(5):
        await line.put(partial(bench.work, number), 1)
    line.finish()
    await line.put(partial(bench.work, "late"), 1)
    line.push(partial(bench.work, "went"))
    bench.gate.set()
    await until(lambda: not line.busy)
    assert bench.done == [0, 1, 2, 3, 4, "went"]
