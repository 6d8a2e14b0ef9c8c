"""`python -m bench`: fan-out of one publication to many, beside bare aiohttp.

One core for the server, another for the load generator; only loopback. Of each case
the median of the runs is printed; the runs of the peers take turns, so that a busy
machine troubles all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

from .load import Crowd, masked
from .peers import PEERS, Running

PAYLOAD = "x" * 98  # with its quotes 100 bytes of JSON
SUBSCRIBERS = (200, 1_000)
WINDOWS = (1, 16)
WARM_UP_S = 0.2
WINDOW_WITHIN_S = 30.0
ROUNDS_WITHIN_S = 75.0
COLUMNS = (
    "subscribers",
    "W",
    "server",
    "deliveries per s of its CPU",
    "from to",
    "Hubbub / it",
    "deliveries/s",
    "its CPU",
    "generator's CPU",
)


@dataclass(frozen=True, slots=True)
class Case:
    """`window` publications at once to `subscribers`, then the next so many."""

    subscribers: int
    window: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to: frames that arrived, and what it took."""

    deliveries: int
    wall_s: float
    server_s: float
    generator_s: float

    @property
    def per_cpu_s(self) -> float:
        """Deliveries for each second of the server's CPU."""
        return self.deliveries / self.server_s


def frame_for(peer: str) -> bytes:
    """Return what a publisher sends; a bare server passes on what it gets."""
    payload = f'"{PAYLOAD}"'
    if peer == "hubbub":
        payload = f'{{"type":"publish","data":{payload}}}'
    return masked(payload.encode())


async def push(crowd: Crowd, frame: bytes, case: Case, until: float) -> int:
    """Publish window after window until then; return how many frames arrived."""
    deliveries = 0
    while time.monotonic() < until:
        arrived = crowd.expect(case.subscribers * case.window)
        crowd.say(frame, case.window)
        async with asyncio.timeout(WINDOW_WITHIN_S):
            await arrived
        deliveries += case.subscribers * case.window
    return deliveries


async def measure(
    server: Running, cases: Sequence[Case], channel: str, seconds: float
) -> list[Run]:
    """Let one server serve cases with one crowd, each for so long after a warm-up."""
    crowd = Crowd(server.port, f"/ws/open/{channel}")
    frame = frame_for(server.name)
    found = []
    try:
        for case in cases:
            await crowd.connect(case.subscribers)
            await push(crowd, frame, case, time.monotonic() + WARM_UP_S)
            began_s, server_s = time.monotonic(), server.cpu_s()
            generator_s = time.process_time()
            deliveries = await push(crowd, frame, case, began_s + seconds)
            wall_s = time.monotonic() - began_s
            server_s = server.cpu_s() - server_s
            generator_s = time.process_time() - generator_s
            found.append(Run(deliveries, wall_s, server_s, generator_s))
    finally:
        crowd.close()
    return found


def measure_all(
    core: int, runs: int, seconds: float
) -> dict[tuple[Case, str], list[Run]]:
    """Measure every peer in every case, so many times, in turns.

    On a slow machine fewer times: no round begins that would not end in time.
    """
    found: dict[tuple[Case, str], list[Run]] = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(Running(peer, core)) for peer in PEERS]
        began_s, longest_s = time.monotonic(), 0.0
        for number in range(runs):
            round_s = time.monotonic()
            if round_s + longest_s > began_s + ROUNDS_WITHIN_S:
                break
            for subscribers, server in itertools.product(SUBSCRIBERS, servers):
                cases = [Case(subscribers, window) for window in WINDOWS]
                channel = f"bench-{number}-{subscribers}"
                server.wake()
                made = asyncio.run(measure(server, cases, channel, seconds))
                server.sleep()
                for case, run in zip(cases, made, strict=True):
                    found.setdefault((case, server.name), []).append(run)
            longest_s = max(longest_s, time.monotonic() - round_s)
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def table(found: dict[tuple[Case, str], list[Run]]) -> str:
    """Return the table, as Markdown."""
    lines = [
        f"| {' | '.join(COLUMNS)} |",
        "|--:|--:|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for (case, name), runs in sorted(found.items(), key=lambda item: _order(*item[0])):
        rates = sorted(run.per_cpu_s for run in runs)
        own = median(run.per_cpu_s for run in found[case, "hubbub"])
        wall = median(run.deliveries / run.wall_s for run in runs)
        server = median(run.server_s / run.wall_s for run in runs)
        generator = median(run.generator_s / run.wall_s for run in runs)
        lines.append(
            f"| {case.subscribers:,} | {case.window} | {name} | {median(rates):,.0f} |"
            f" {rates[0]:,.0f} to {rates[-1]:,.0f} | {own / median(rates):.2f} |"
            f" {wall:,.0f} | {server:.0%} | {generator:.0%} |"
        )
    return "\n".join(lines)


def _order(case: Case, name: str) -> tuple[int, int, int]:
    names = [peer.name for peer in PEERS]
    return case.subscribers, case.window, names.index(name)


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each case [3]")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="length of a run [1.0]"
    )
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    core = cores[0]
    os.sched_setaffinity(0, {cores[-1]})
    found = measure_all(core, given.runs, given.seconds)
    print(
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')},"
        f" {platform.system()} {platform.machine()}; payload 100 bytes; W publications"
        f" at once; median of {len(next(iter(found.values())))} runs of"
        f" {given.seconds:g} s."
    )
    if len(cores) == 1:
        print("Only one core: server and load generator share it.")
    print(f"Load average when it ended: {os.getloadavg()[0]:.1f}.\n")
    print(table(found))


if __name__ == "__main__":
    main()
