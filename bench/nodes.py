"""`python -m bench.nodes`: what Redis and PostgreSQL add, and how often Redis is asked.

A private Redis and a private PostgreSQL (the machine's own programs), and nodes of
Hubbub on them, beside one that has everything in memory. All share one core, the load
generator has the other. Of each case the median of the runs is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from urllib.request import urlopen

from tests.services.postgres import Postgres, started
from tests.services.redis import RedisServer

from .load import WARM_UP_S, WINDOW_WITHIN_S, Case, Crowd, frame_for
from .peers import Peer, Running

SUBSCRIBERS = 200
WINDOWS = (1, 16)
OPERATIONS = "hubbub_backplane_operations_total "
QUIET = ("--port", "0", "--market-hz", "0.1")
"""The market would take its share of the core; so it all but sleeps."""
COLUMNS = (
    "W",
    "channel",
    "nodes",
    "deliveries per s of their CPU",
    "in memory / it",
    "publications/s",
    "CPU of the nodes a publication",
    "CPU of Redis a publication",
    "commands to Redis a publication",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the publisher and the subscribers are connected."""

    name: str
    speaks_at: Running
    hears_at: Running

    @property
    def nodes(self) -> set[Running]:
        """The nodes that work."""
        return {self.speaks_at, self.hears_at}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    publications: int
    deliveries: int
    wall_s: float
    nodes_s: float
    redis_s: float
    operations: int


@dataclass(frozen=True, slots=True)
class Asked:
    """How much Redis worked so far, and how often it was asked by the nodes."""

    cpu_s: float
    operations: int

    @classmethod
    def now(cls, redis: RedisServer, nodes: Iterable[Running]) -> Asked:
        """Ask Redis and the nodes."""
        told = redis.tell("INFO", "cpu")
        words = told if isinstance(told, dict) else {}
        cpu_s = float(words["used_cpu_user"]) + float(words["used_cpu_sys"])
        return cls(cpu_s, sum(map(_operations, nodes)))


def _operations(node: Running) -> int:
    """Return how many commands a node has sent to Redis, by its own count."""
    url = f"http://127.0.0.1:{node.port}/metrics"
    with urlopen(url) as answer:
        text: str = answer.read().decode()
    (line,) = (each for each in text.splitlines() if each.startswith(OPERATIONS))
    return int(float(line.partition(" ")[2]))


async def push(
    speaker: Crowd, crowd: Crowd, frame: bytes, case: Case, until_s: float
) -> int:
    """Publish window after window until then; return how many publications."""
    publications = 0
    while time.monotonic() < until_s:
        arrived = crowd.expect(case.subscribers * case.window)
        speaker.say(frame, case.window)
        async with asyncio.timeout(WINDOW_WITHIN_S):
            await arrived
        publications += case.window
    return publications


async def measure(
    setting: Setting, path: str, case: Case, redis: RedisServer, seconds: float
) -> Run:
    """Let the nodes serve one case for so long, after a warm-up."""
    crowd = Crowd(setting.hears_at.port, path)
    speaker = Crowd(setting.speaks_at.port, path)
    frame = frame_for("hubbub")
    try:
        await crowd.connect(case.subscribers)
        await speaker.connect(1)
        await push(speaker, crowd, frame, case, time.monotonic() + WARM_UP_S)
        before, began_s = Asked.now(redis, setting.nodes), time.monotonic()
        nodes_s = sum(node.cpu_s() for node in setting.nodes)
        count = await push(speaker, crowd, frame, case, began_s + seconds)
        nodes_s = sum(node.cpu_s() for node in setting.nodes) - nodes_s
        wall_s = time.monotonic() - began_s
        after = Asked.now(redis, setting.nodes)
    finally:
        crowd.close()
        speaker.close()
    return Run(
        count,
        count * (case.subscribers + 1),
        wall_s,
        nodes_s,
        after.cpu_s - before.cpu_s,
        after.operations - before.operations,
    )


def measure_all(
    settings: Sequence[Setting], redis: RedisServer, runs: int, seconds: float
) -> dict[tuple[int, str, str], list[Run]]:
    """Measure every setting in every case, so many times, in turns."""
    found: dict[tuple[int, str, str], list[Run]] = {}
    for number in range(runs):
        for window in WINDOWS:
            for kind in ("open", "chat"):
                for setting in settings:
                    path = f"/ws/{kind}/bench-{number}-{window}"
                    case = Case(SUBSCRIBERS, window)
                    run = asyncio.run(measure(setting, path, case, redis, seconds))
                    found.setdefault((window, kind, setting.name), []).append(run)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def table(found: dict[tuple[int, str, str], list[Run]]) -> str:
    """Return the table, as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|--:|:--|:--|--:|--:|--:|--:|--:|--:|"]
    for (window, kind, name), runs in found.items():
        rate = median(run.deliveries / run.nodes_s for run in runs)
        alone = median(
            run.deliveries / run.nodes_s for run in found[window, kind, "in memory"]
        )
        said = median(run.publications / run.wall_s for run in runs)
        node_us = median(run.nodes_s / run.publications for run in runs) * 1e6
        redis_us = median(run.redis_s / run.publications for run in runs) * 1e6
        asked = median(run.operations / run.publications for run in runs)
        lines.append(
            f"| {window} | {kind} | {name} | {rate:,.0f} | {alone / rate:.2f} |"
            f" {said:,.0f} | {node_us:,.0f} µs | {redis_us:,.0f} µs | {asked:.2f} |"
        )
    return "\n".join(lines)


def node(name: str, core: int, *flags: str) -> Running:
    """Return a node that is not started yet."""
    return Running(Peer(name, ("-m", "server", "serve", *QUIET, *flags)), core)


def _settings(
    stack: ExitStack, core: int, redis: RedisServer, postgres: Postgres
) -> list[Setting]:
    def awake(name: str, *flags: str) -> Running:
        running = stack.enter_context(node(name, core, *flags))
        running.wake()
        return running

    shared = ("--redis-url", redis.url, "--database-url")
    memory = awake("memory", "--memory")
    kept = awake("database", "--database-url", postgres.url(postgres.create()))
    url = postgres.url(postgres.create())
    one, two = (awake(name, *shared, url) for name in ("one", "two"))
    return [
        Setting("in memory", memory, memory),
        Setting("PostgreSQL", kept, kept),
        Setting("Redis and PostgreSQL, one node", one, one),
        Setting("the same, said on another node", two, one),
    ]


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.nodes", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each case [3]")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="length of a run [2.0]"
    )
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    with ExitStack() as stack:
        redis = RedisServer()
        redis.start()
        stack.callback(redis.remove)
        postgres = started()
        stack.callback(postgres.remove)
        settings = _settings(stack, cores[0], redis, postgres)
        os.sched_setaffinity(0, {cores[-1]})
        found = measure_all(settings, redis, given.runs, given.seconds)
    print(
        f"Python {platform.python_version()}, {platform.system()}"
        f" {platform.machine()}; {SUBSCRIBERS} subscribers and the publisher; payload"
        f" 100 bytes; W publications at once; median of {given.runs} runs of"
        f" {given.seconds:g} s. Load average when it ended: {os.getloadavg()[0]:.1f}.\n"
    )
    print(table(found))


if __name__ == "__main__":
    main()
