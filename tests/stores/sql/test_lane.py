"""A lane does one job after the other, and nobody waits for it too long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest
from sqlalchemy import text

from server.errors import Away
from server.stores.sql import lane as lanes
from server.stores.sql.lane import ANSWER_S, LEAST_S, Jobs, Lane, Line, ask
from server.stores.sql.server import Server
from server.stores.sql.store import SqlStore
from tests.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from server.stores.sql.lane import Work

NOWHERE = cast("Connection", None)


class PlainLine:
    """Runs work when it is let, without any connection."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.is_fit = True
        self.is_closed = False
        self.ends_s: list[float] = []

    async def run(self, work: Work[object], end_s: float) -> object:
        """Run work once it is let."""
        self.ends_s.append(end_s)
        await self.free.wait()
        return work(NOWHERE)

    async def close(self) -> None:
        """Be closed."""
        self.is_closed = True


class Opener:
    """Opens plain lines and keeps them; fails as often as it is told."""

    def __init__(self) -> None:
        self.lines: list[PlainLine] = []
        self.failures = 0

    async def __call__(self) -> Line:
        """Open one."""
        if self.failures:
            self.failures -= 1
            raise Away("not yet")
        self.lines.append(PlainLine())
        return cast("Line", self.lines[-1])


@pytest.fixture
def opener() -> Opener:
    """Give what opens lines."""
    return Opener()


@asynccontextmanager
async def running(opener: Opener) -> AsyncIterator[Jobs]:
    """Run a lane, and end it in order."""
    jobs: Jobs = asyncio.Queue()
    lane = Lane(jobs, opener)
    async with asyncio.TaskGroup() as group:
        group.create_task(lane.run())
        yield jobs
        jobs.put_nowait(None)
        async with asyncio.timeout(5):
            await lane.ended.wait()


async def test_jobs_are_done_in_their_order_on_one_line(opener: Opener) -> None:
    """Each is told its answer, or what went wrong."""
    done: list[int] = []
    async with running(opener) as jobs:

        async def job(number: int) -> int:
            def work(_: Connection) -> int:
                done.append(number)
                return 12 // number

            return await ask(jobs, work)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job(number)) for number in (1, 2, 3)]
        assert [task.result() for task in tasks] == [12, 6, 4]
        with pytest.raises(ZeroDivisionError):
            await job(0)
        assert await job(4) == 3
    assert done == [1, 2, 3, 0, 4]
    (line,) = opener.lines
    assert line.is_closed


async def test_a_caller_is_told_in_time_whatever_the_lane_does(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hears that no answer came; who waited behind it hears the same."""
    monkeypatch.setattr(lanes, "ANSWER_S", 0.05)
    done: list[str] = []
    async with running(opener) as jobs:
        await ask(jobs, lambda _: None)
        opener.lines[0].free.clear()
        with pytest.raises(Away, match="no answer"):
            await ask(jobs, lambda _: done.append("begun"))
        with pytest.raises(Away, match="no answer"):
            await ask(jobs, lambda _: done.append("waited"))
        opener.lines[0].free.set()
        await ask(jobs, lambda _: done.append("next"))
    assert done == ["begun", "next"], "what nobody waits for is not begun"


async def test_a_cancelled_caller_cuts_nothing(opener: Opener) -> None:
    """What has begun is finished, and what has not is not begun."""
    done: list[str] = []
    async with running(opener) as jobs:
        await ask(jobs, lambda _: None)
        opener.lines[0].free.clear()
        tasks = [
            asyncio.create_task(ask(jobs, lambda _: done.append("begun"))),
            asyncio.create_task(ask(jobs, lambda _: done.append("waits"))),
        ]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        opener.lines[0].free.set()
        await ask(jobs, lambda _: done.append("next"))
    assert done == ["begun", "next"]
    assert len(opener.lines) == 1


async def test_a_line_that_is_not_fit_is_replaced_before_its_next_use(
    opener: Opener,
) -> None:
    """Where none can be opened that is told, and tried again with the next job."""
    async with running(opener) as jobs:
        await ask(jobs, lambda _: None)
        opener.lines[0].is_fit = False
        opener.failures = 2
        for _ in range(2):
            with pytest.raises(Away, match="not yet"):
                await ask(jobs, lambda _: None)
        assert await ask(jobs, lambda _: "again") == "again"
        assert [line.is_closed for line in opener.lines] == [True, False]


async def test_what_begins_late_has_its_time_all_the_same(opener: Opener) -> None:
    """Or a crowd would look like a server that does not answer."""
    loop = asyncio.get_running_loop()
    async with running(opener) as jobs:
        began_s = loop.time()
        await ask(jobs, lambda _: None)
        job = lanes.Job(lambda _: None, loop.time() + 0.1, loop.create_future())
        jobs.put_nowait(job)
        await job.answer
        first, late = opener.lines[0].ends_s
        assert first - began_s == pytest.approx(ANSWER_S, abs=0.5)
        assert late - loop.time() == pytest.approx(LEAST_S, abs=0.5)


async def test_where_one_got_no_answer_all_lines_are_in_doubt(empty_url: str) -> None:
    """Those that are opened afterwards are not."""
    async with SqlStore.open_shared(empty_url, ManualClock(), alone=False):
        pass  # makes the tables
    server = Server(empty_url, alone=False)
    slow, other = await server.reader(), await server.reader()
    answer = await other.run(lambda c: c.scalar(text("SELECT 1")), _in(5))
    assert (answer, other.is_fit) == (1, True)
    with pytest.raises(Away):
        await slow.run(lambda c: c.execute(text("SELECT pg_sleep(9)")), _in(0.1))
    assert (slow.is_fit, other.is_fit) == (False, False)
    fresh = await server.reader()
    assert fresh.is_fit
    for line in (slow, other, fresh):
        await line.close()


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
