"""`python -m bench`: Hubbub beside other realtime servers, in one table.

One core for the server, another for the load generator; only loopback. Every server is
started anew for each round, and the servers take turns in it, so that a busy machine
troubles all of them alike. Some scenarios are of Hubbub alone, and stand in the table
of aims. What a row needs and this machine has not is left out, and
the table says so.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version

from . import aims, table, workshop
from .field import FIELD, Contender, chosen
from .found import COMPARED, Scenario, Visit
from .means import Means
from .visits import (
    BURST,
    SLOW_PAYLOAD_BYTES,
    SLOW_TIMES,
    SUBSCRIBERS,
    applicable,
    visit,
)
from .wires import PAYLOAD_BYTES
from .workshop import Missing, Runtime

RUNS, SECONDS = 3, 1.0
QUICK_SECONDS = 0.4
QUICK = (Scenario.JOINING, Scenario.FAN_OUT)


def measure_all(
    means: Means,
    contenders: Sequence[Contender],
    scenarios: tuple[Scenario, ...],
    runs: int,
) -> dict[str, list[Visit]]:
    """Measure every server in every scenario, so many times, in turns."""
    if not any(each in COMPARED for each in scenarios):
        contenders = [each for each in contenders if applicable(each.word, scenarios)]
    found: dict[str, list[Visit]] = {each.word: [] for each in contenders}
    commands, missing = commands_of(contenders)
    for number in range(runs):
        for each in contenders:
            runtime = each.runtime
            if runtime in missing:
                came = Visit(faults=dict.fromkeys(scenarios, missing[runtime]))
            else:
                say(f"{number + 1}/{runs} {each.word}")
                came = visit(means, each, commands[runtime], scenarios)
            found[each.word].append(came)
    say("")
    return found


def commands_of(
    contenders: Sequence[Contender],
) -> tuple[dict[Runtime, tuple[str, ...]], dict[Runtime, str]]:
    """Make what the servers need; return what there is, and why the rest is not."""
    commands, missing = {}, {}
    for runtime in {each.runtime for each in contenders}:
        try:
            commands[runtime] = workshop.command(runtime)
        except Missing as reason:
            missing[runtime] = str(reason)
    return commands, missing


def say(text: str) -> None:
    """Show how far it is, in one line of the terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:40}" if text else text, end=end, file=sys.stderr, flush=True)


def heading(runs: int, seconds: float, cores: Sequence[int]) -> str:
    """Return what the figures are of: machine, versions, and how they were taken."""
    machine = f"{platform.system()} {platform.release()} {platform.machine()}"
    shared = "; only one core, which all share" if len(cores) == 1 else ""
    rest = workshop.versions() | {"aiohttp": version("aiohttp")}
    versions = [
        f"Python {platform.python_version()}",
        *_node(),
        *(f"{name} {number}" for name, number in sorted(rest.items())),
    ]
    how = (
        f"{SUBSCRIBERS:,} subscribers; payload {PAYLOAD_BYTES} bytes, with one who does"
        f" not read {SLOW_PAYLOAD_BYTES:,} and runs {SLOW_TIMES} times as long; W"
        f" publications at once, in rooms and beside that one {BURST}; medians of"
        f" {runs} runs of {seconds:g} s"
    )
    load = f"load average when it ended {os.getloadavg()[0]:.1f}"
    return f"{machine}{shared}; {', '.join(versions)}.\n{how}; {load}."


def _node() -> list[str]:
    node = shutil.which("node")
    if node is None:
        return []
    done = subprocess.run(
        (node, "--version"), capture_output=True, text=True, check=True
    )
    return [f"Node {done.stdout.strip().removeprefix('v')}"]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, help=f"rounds [{RUNS}]")
    parser.add_argument("--seconds", type=float, help=f"length of a run [{SECONDS}]")
    parser.add_argument(
        "--quick", action="store_true", help="one short round of joining and fan-out"
    )
    words = ", ".join(each.word for each in FIELD)
    parser.add_argument("--servers", default="", help=f"some of {words} [all]")
    scenarios = ", ".join(each.value for each in Scenario)
    parser.add_argument("--scenarios", default="", help=f"some of {scenarios} [all]")
    given = parser.parse_args()
    try:
        given.servers = chosen(given.servers)
        wanted = tuple(Scenario(each) for each in given.scenarios.split(",") if each)
    except ValueError as error:
        parser.error(str(error))
    every = QUICK if given.quick else tuple(Scenario)
    given.scenarios = wanted or every
    given.runs = given.runs or (1 if given.quick else RUNS)
    given.seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    return given


def main() -> None:
    """Measure, and print the table and the ratios."""
    given = arguments()
    cores = sorted(os.sched_getaffinity(0))
    try:
        generator = workshop.generator()
    except Missing as reason:
        sys.exit(f"The load generator cannot be built: {reason}.")
    os.sched_setaffinity(0, {cores[-1]})
    means = Means(generator, cores[0], cores[-1], given.seconds)
    found = measure_all(means, given.servers, given.scenarios, given.runs)
    print(heading(given.runs, given.seconds, cores), end="\n\n")
    if any(each in COMPARED for each in given.scenarios):
        print(table.servers(given.servers, found), end="\n\n")
    if said := table.remarks(given.servers, found):
        print(said, end="\n\n")
    print(aims.table(found))


if __name__ == "__main__":
    main()
