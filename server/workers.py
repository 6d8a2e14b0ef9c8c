"""Several processes on one port: starts them, keeps them, and stops them together.

Each worker is a node of its own. The kernel deals connections out to them
(SO_REUSEPORT); what they share they share through the backplane and the database.

Rules:
1. The first worker starts alone: it migrates the database, and a fault in the settings
   is told once.
2. A worker that dies is started again, after a pause that grows while it keeps dying.
3. Each worker holds the end of a pipe: when this process is gone, however, it stops.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import SettingsError
from .observability import set_up_logging
from .serving import address, family_of, listen, serve, unusable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from .settings import Settings

logger = logging.getLogger("hubbub.workers")

READY: Final = b"ready"
USAGE_FAULT: Final = 2
STARTS_WITHIN_S: Final = 60.0
"""A migration, too, is done by then."""
STOPS_WITHIN_S: Final = 8.0
"""A worker that takes longer than its own deadlines is killed."""
PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
PROVEN_S: Final = 30.0
"""A worker that lived this long is started again without a pause."""

# A fork would take this process's threads' locks along; a new interpreter does not.
_spawning = multiprocessing.get_context("spawn")


def supervise(settings: Settings) -> int:
    """Run `settings.workers` workers until SIGINT or SIGTERM; return the exit code.

    2 where the first of them cannot start for a fault in the settings.
    """
    return Supervisor(settings).run()


@dataclass(eq=False, slots=True)
class Worker:
    """One process, and this end of the pipe between us."""

    process: SpawnProcess
    pipe: Connection
    started_s: float
    ready: bool = False


class Supervisor:
    """Keeps the workers of one port."""

    def __init__(self, settings: Settings) -> None:
        self._holder = reserve(settings)
        port = self._holder.getsockname()[1]
        self._settings = settings.model_copy(update={"port": port})
        self._stop = asyncio.Event()
        self._running: set[Worker] = set()

    def run(self) -> int:
        """See `supervise`."""
        try:
            with asyncio.Runner() as runner:
                return runner.run(self._run())
        finally:
            self._holder.close()

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(ending, self._stop.set)
        first = self._start()
        if not await self._is_ready(first):
            await self._end()
            return 0 if self._stop.is_set() else first.process.exitcode or 1
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(first), name="worker-1")
            for number in range(2, self._settings.workers + 1):
                group.create_task(self._keep(None), name=f"worker-{number}")
            group.create_task(self._tell_when_ready(), name="workers-ready")
        return 0

    def _start(self) -> Worker:
        ours, theirs = _spawning.Pipe()
        process = _spawning.Process(target=work, args=(self._settings, theirs))
        process.start()
        theirs.close()
        worker = Worker(process, ours, asyncio.get_running_loop().time())
        self._running.add(worker)
        return worker

    async def _keep(self, worker: Worker | None) -> None:
        """Have one worker running, this or another, until it is time to stop."""
        loop, pause_s = asyncio.get_running_loop(), PAUSE_S
        while not self._stop.is_set():
            worker = worker or self._start()
            await self._is_ready(worker)
            await self._gone(worker)
            if self._stop.is_set():
                break
            code = worker.process.exitcode
            logger.error("worker %s ended with %s", worker.process.pid, code)
            lived_s = loop.time() - worker.started_s
            pause_s = (
                PAUSE_S if lived_s > PROVEN_S else min(pause_s * 2, LONGEST_PAUSE_S)
            )
            worker = None
            await self._wait(pause_s)
        await self._end()

    async def _tell_when_ready(self) -> None:
        while not self._stop.is_set():
            ready = [worker for worker in self._running if worker.ready]
            if len(ready) == self._settings.workers:
                where = address(self._settings.host, self._holder)
                print(f"Hubbub is at {where} ({len(ready)} workers)", flush=True)
                return
            await self._wait(0.05)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    async def _is_ready(self, worker: Worker) -> bool:
        """Wait until a worker listens; False: it ended, or it is time to stop."""
        if worker.ready:
            return True
        heard = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(worker.pipe.fileno(), heard.set)
        try:
            async with asyncio.timeout(STARTS_WITHIN_S):
                await _first(heard, self._stop)
            worker.ready = heard.is_set() and worker.pipe.recv_bytes() == READY
        except (TimeoutError, EOFError, OSError):
            worker.process.kill()
        finally:
            loop.remove_reader(worker.pipe.fileno())
        if not worker.ready and not self._stop.is_set():
            await self._gone(worker)
        return worker.ready

    async def _gone(self, worker: Worker) -> None:
        """Wait until a worker has ended, or it is time to stop."""
        ended = asyncio.Event()
        loop, sentinel = asyncio.get_running_loop(), worker.process.sentinel
        loop.add_reader(sentinel, ended.set)
        try:
            await _first(ended, self._stop)
        finally:
            loop.remove_reader(sentinel)
        if ended.is_set():
            worker.process.join()
            worker.pipe.close()
            self._running.discard(worker)

    async def _end(self) -> None:
        """Stop all workers; those that do not stop are killed."""
        ending, self._running = self._running, set()
        for worker in ending:
            worker.process.terminate()
        for worker in ending:
            await asyncio.to_thread(worker.process.join, STOPS_WITHIN_S)
            if worker.process.exitcode is None:
                worker.process.kill()
                await asyncio.to_thread(worker.process.join)
            worker.pipe.close()


async def _first(*events: asyncio.Event) -> None:
    """Wait for the first of several events."""
    async with asyncio.TaskGroup() as group:
        waits = {group.create_task(event.wait()) for event in events}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


def reserve(settings: Settings) -> socket.socket:
    """Return a socket that holds the port for the workers and accepts nothing.

    Raises `SettingsError` where it cannot be had, also where somebody listens there
    who does not share it.
    """
    try:
        # Alone for a moment: else two servers' workers would share the port unseen.
        listen(settings).close()
        family = family_of(settings.host, settings.port)
        holder = socket.socket(family, socket.SOCK_STREAM)
        try:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family is socket.AF_INET6:
                both = socket.has_dualstack_ipv6()
                holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            holder.bind((settings.host, settings.port))
        except OSError:
            holder.close()
            raise
    except OSError as error:
        raise unusable(settings, error) from error
    return holder


def work(settings: Settings, pipe: Connection) -> None:
    """Serve as one worker; `pipe` is told when it listens, and ends it by its end."""
    set_up_logging(settings.log_level)
    try:
        with listen(settings, shared=True) as listener, asyncio.Runner() as runner:
            runner.run(_work(settings, listener, pipe))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE_FAULT)


async def _work(settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    stop = asyncio.Event()
    # Nothing is ever sent this way: what can be read is the end.
    asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)
    await serve(settings, listener, lambda: pipe.send_bytes(READY), stop)
