"""One connection to a database that is far away, and the one task that uses it.

Whoever wants something done leaves a job and waits, but not for longer than `ANSWER_S`.
The task takes one job at a time and does it from begin to commit, so that a cancelled
caller cuts nothing in the middle. What cuts it is time: at the job's end the connection
itself is closed, hard, which fails whatever waits for it. Nothing is ever cancelled
inside the driver, whose polite ways to end (a cancel request, a goodbye) would wait for
a server that does not answer.

A job that had to wait has a time of its own all the same, or a crowd would look like an
outage: nobody hears its answer then.

A connection that the server closed is known as closed by its socket, and replaced
before its next use: that costs nothing, while a ping would cost each write a journey. A
server that went without closing is found by the first job that runs out of time; then
all older connections are in doubt, and none of them is used again.
"""

from __future__ import annotations

import asyncio
import math
import os
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from ...errors import Away

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

ANSWER_S = 2.0
"""How long anything may take altogether, also to connect and to wait for its turn.

A refused publish is to be told within 2.5 s.
"""
LEAST_S = 1.0
"""What a job gets that begins late."""

QUERY_CANCELED = "57014"
"""The server's own limit of time was reached."""

T = TypeVar("T")
Work: TypeAlias = "Callable[[Connection], T]"


def words(error: Exception) -> str:
    """Return what the driver said, without the statement and what it was about."""
    if isinstance(error, DBAPIError):
        said = getattr(error.orig, "driver_exception", None) or error.orig
        return str(said).partition("\n")[0].rstrip(".")
    if isinstance(error, OSError):
        # asyncio's own text repeats the address; a resolver's number is no errno.
        number = error.errno or 0
        told = os.strerror(number) if number > 0 else error.strerror
        return (told or str(error) or "no answer in time").lower()
    return str(error)


def code_of(error: DBAPIError) -> str:
    """Return the server's code (SQLSTATE); "" where it gave none."""
    return getattr(error.orig, "sqlstate", None) or ""


class Wire(Protocol):
    """The driver's own connection, as far as it is needed here."""

    def is_closed(self) -> bool:
        """Say whether it ended, also by the other side."""

    def terminate(self) -> None:
        """End it at once: what waits for it fails."""


@dataclass(slots=True)
class Doubt:
    """When a server last did not answer: connections that are older are not used."""

    since_s: float = -math.inf


class Line:
    """An open connection. `doubt` is common to all lines of a database."""

    def __init__(self, connection: AsyncConnection, wire: Wire, doubt: Doubt) -> None:
        self.connection = connection
        self._wire = wire
        self._doubt = doubt
        self._opened_s = asyncio.get_running_loop().time()

    @property
    def is_fit(self) -> bool:
        """Whether it may be used."""
        ended = self._wire.is_closed() or self.connection.invalidated
        return not ended and self._opened_s > self._doubt.since_s

    @contextmanager
    def until(self, end_s: float) -> Iterator[None]:
        """Cut the connection at a time of the loop's clock."""
        end = asyncio.get_running_loop().call_at(end_s, self._cut)
        try:
            yield
        finally:
            end.cancel()

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Cut the connection after some time."""
        return self.until(asyncio.get_running_loop().time() + seconds)

    def _cut(self) -> None:
        self._doubt.since_s = asyncio.get_running_loop().time()
        self._wire.terminate()

    async def run(self, work: Work[T], end_s: float) -> T:
        """Run work in a transaction and commit it; cut it at `end_s`.

        Raises `Away` where that, or the server, ended it.
        """
        try:
            with self.until(end_s):
                async with self.connection.begin():
                    return await self.connection.run_sync(work)
        except DBAPIError as error:
            if self.is_fit and code_of(error) != QUERY_CANCELED:
                raise
            raise Away(words(error)) from error

    async def close(self) -> None:
        """Let go of it, without waiting for a server that may be gone."""
        if not self.is_fit:
            self._wire.terminate()
            await self.connection.invalidate()
        with self.within(ANSWER_S):
            await self.connection.close()


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done until a time, and where its answer goes."""

    work: Work[object]
    end_s: float
    answer: asyncio.Future[object]


Jobs: TypeAlias = "asyncio.Queue[Job | None]"
"""What waits for a lane, or for the first that is free; None ends one."""


async def ask(jobs: Jobs, work: Work[T]) -> T:
    """Have work done and return its answer; raises `Away` where none comes in time."""
    loop = asyncio.get_running_loop()
    job = Job(work, loop.time() + ANSWER_S, loop.create_future())
    jobs.put_nowait(job)
    try:
        async with asyncio.timeout_at(job.end_s):
            return cast("T", await job.answer)
    except TimeoutError:
        raise Away(f"no answer within {ANSWER_S:g} s") from None


class Lane:
    """Does jobs, one at a time. `connect` opens a line; `line` is one that is open."""

    def __init__(
        self,
        jobs: Jobs,
        connect: Callable[[], Awaitable[Line]],
        line: Line | None = None,
    ) -> None:
        self._jobs = jobs
        self._connect = connect
        self._line = line
        self.ended = asyncio.Event()

    async def run(self) -> None:
        """Do jobs until None comes; then close the line."""
        try:
            while (job := await self._jobs.get()) is not None:
                if not job.answer.done():
                    await self._do(job)
        finally:
            await self._close()
            self.ended.set()

    async def _do(self, job: Job) -> None:
        try:
            line = await self._fit_line()
            least_s = asyncio.get_running_loop().time() + LEAST_S
            answer = await line.run(job.work, max(job.end_s, least_s))
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            if not job.answer.done():
                job.answer.set_exception(error)
        else:
            if not job.answer.done():
                job.answer.set_result(answer)

    async def _fit_line(self) -> Line:
        if self._line is not None and not self._line.is_fit:
            await self._close()
        if self._line is None:
            self._line = await self._connect()
        return self._line

    async def _close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with suppress(DBAPIError, OSError):  # gone is gone
                await line.close()
