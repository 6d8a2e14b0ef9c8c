from __future__ import annotations

import asyncio
import inspect

import pytest

from server.runtime.tasks import AGAIN_S, Tasks
from tests.looptime import LoopTime, turns


async def test_a_task_that_dies_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its death is logged with its name."""
    tasks = Tasks()
    await tasks.start()
    seen: list[int] = []

    async def die() -> None:
        raise ValueError("bug")

    async def live() -> None:
        await turns(3)
        seen.append(1)

    tasks.spawn(die(), "doomed")
    tasks.spawn(live(), "sound")
    await turns(10)
    assert seen == [1]
    assert "task doomed died" in caplog.text
    await tasks.stop()


async def test_the_stop_cancels_what_runs_and_awaits_it() -> None:
    """Also what takes its time to end."""
    tasks = Tasks()
    await tasks.start()
    seen: list[str] = []

    async def stay() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("tidied")

    tasks.spawn(stay(), "stay")
    await turns(2)
    await tasks.stop()
    assert seen == ["tidied"]
    await tasks.stop()


async def test_start_and_stop_may_be_in_different_tasks() -> None:
    """As an application's start and stop are."""
    tasks = Tasks()
    await asyncio.Task(tasks.start())
    await asyncio.Task(tasks.stop())


async def test_nothing_begins_outside_of_start_and_stop() -> None:
    """And no coroutine is left unawaited: that would be a warning."""
    tasks = Tasks()
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)

    tasks.spawn(work(), "early")
    await tasks.stop()
    await tasks.start()
    await tasks.stop()
    tasks.spawn(work(), "late")
    await turns(3)
    assert begun == []


@pytest.mark.filterwarnings("error")
async def test_one_that_is_cancelled_before_it_begins_leaves_no_warning() -> None:
    """Its work has not begun either, and is closed."""
    tasks = Tasks()
    await tasks.start()

    async def work() -> None:
        raise AssertionError("it has begun")

    coroutine = work()
    task = tasks.spawn(coroutine, "early")
    assert task is not None
    task.cancel()
    await turns(3)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    await tasks.stop()


async def test_who_keeps_a_cancellation_to_itself_is_asked_again() -> None:
    """As a TaskGroup does, one of whose tasks fails because it is cancelled."""
    tasks = Tasks()
    await tasks.start()
    rounds = 0

    async def fail_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("away")

    async def come_again() -> None:
        nonlocal rounds
        while rounds < 3:
            rounds += 1
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail_at_the_end())
            except* ValueError:
                pass

    tasks.spawn(come_again(), "stubborn")
    await turns(3)
    stopping = asyncio.Task(tasks.stop())
    time = LoopTime()
    for _ in range(4):
        await time.advance(AGAIN_S)
    await stopping
    assert rounds == 3
