"""The load generator's process (`bench/crowd/`): a crowd that is told what to do."""

from __future__ import annotations

import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from .peers import pinned

WINDOW_WITHIN_S = 10.0
ANSWERS_WITHIN_S = 90.0
RETURN_WITHIN_S = 60.0
_LOOK_S = 0.05


class CrowdError(Exception):
    """The crowd could not do it; what the server did, in a few words."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a crowd heard in one run; latencies are from saying to hearing."""

    publications: int
    deliveries: int
    wall_s: float
    generator_s: float
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Returned:
    """How a crowd came back: what of it was lost, doubled, or not recovered."""

    lost: int
    wrong: int
    unrecovered: int
    retried: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class Read:
    """Values that were read, and how old they were then."""

    values: int
    wall_s: float
    generator_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Publications that were acknowledged; latencies from when they were due.

    `refused`: for now, as too many. `wall_s` ends when everybody has heard the last.
    """

    acknowledged: int
    refused: int
    wall_s: float
    p50_s: float
    p99_s: float
    max_s: float


class Crowd:
    """Subscribers and publishers of one wire; a context manager, pinned to a core.

    `orders`: see `Wire.orders`. `receive_buffer_bytes` 0 leaves it to the kernel.
    """

    def __init__(
        self,
        program: Path,
        core: int,
        orders: list[str],
        *,
        receive_buffer_bytes: int = 0,
    ) -> None:
        self._command = pinned(core, str(program))
        self._orders = [*orders, f"receive_buffer {receive_buffer_bytes}"]

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        for order in self._orders:
            self._say(order)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up, all of them: the kernel does it, also for one that is stopped."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def connect(self, name: str, rooms: int, members: int) -> float:
        """Let `members` join each of the rooms; return the seconds until all were in.

        Raises `CrowdError` where the server does not let them.
        """
        return self._ask(f"connect {name} {rooms} {members}")["wall_ns"] / 1e9

    def run(
        self,
        window: int,
        length_s: float,
        watch: Callable[[], None] | None = None,
        *,
        within_s: float = WINDOW_WITHIN_S,
    ) -> Heard:
        """Publish window after window for so long; return what was heard.

        `watch` is called now and then meanwhile. Raises `CrowdError` where a window
        does not reach everybody in time, or something comes twice or out of order.
        """
        order = f"run {window} {length_s * 1e3:.0f} {within_s * 1e3:.0f}"
        told = self._ask(order, watch)
        if told["disorder"]:
            raise CrowdError(f"{told['disorder']} came twice or out of order")
        return Heard(
            told["publications"],
            told["deliveries"],
            told["wall_ns"] / 1e9,
            told["cpu_ns"] / 1e9,
            told["p50_ns"] / 1e9,
            told["p99_ns"] / 1e9,
            told["max_ns"] / 1e9,
        )

    def leave(self, missed: int, *, within_s: float = WINDOW_WITHIN_S) -> None:
        """Let all but the first hang up, who then says so much and hears it."""
        self._ask(f"leave {missed} {within_s * 1e3:.0f}")

    def come_back(self, *, within_s: float = RETURN_WITHIN_S) -> Returned:
        """Let them come back at once. Raises `CrowdError` where not all get in."""
        told = self._ask(f"return {within_s * 1e3:.0f}")
        return Returned(
            told["lost"],
            told["wrong"],
            told["unrecovered"],
            told["retried"],
            told["wall_ns"] / 1e9,
        )

    def listen(self, length_s: float) -> Read:
        """Only read, for so long. Raises `CrowdError` where no value comes."""
        told = self._ask(f"listen {length_s * 1e3:.0f}")
        if not told["values"]:
            raise CrowdError("no value came")
        return Read(
            told["values"],
            told["wall_ns"] / 1e9,
            told["cpu_ns"] / 1e9,
            told["p99_ns"] / 1e9,
            told["max_ns"] / 1e9,
        )

    def press(
        self, window: int, length_s: float, *, within_s: float = ANSWERS_WITHIN_S / 2
    ) -> Acknowledged:
        """Let each speaker have so many under way, for so long.

        Raises `CrowdError` where one is refused, or does not reach everybody in order.
        """
        return self._acknowledged("press", window, length_s, within_s)

    def pace(
        self, per_s: int, length_s: float, *, within_s: float = ANSWERS_WITHIN_S / 2
    ) -> Acknowledged:
        """Let the speakers say so many in a second, whatever is answered."""
        return self._acknowledged("pace", per_s, length_s, within_s)

    def _acknowledged(
        self, word: str, number: int, length_s: float, within_s: float
    ) -> Acknowledged:
        order = f"{word} {number} {length_s * 1e3:.0f} {within_s * 1e3:.0f}"
        told = self._ask(order)
        if told["disorder"]:
            raise CrowdError(f"{told['disorder']} came twice or out of order")
        return Acknowledged(
            told["acknowledged"],
            told["refused"],
            told["wall_ns"] / 1e9,
            told["p50_ns"] / 1e9,
            told["p99_ns"] / 1e9,
            told["max_ns"] / 1e9,
        )

    def stop_reading(self) -> None:
        """Stop its clock (SIGSTOP): what comes stays in the kernel's buffers."""
        self._process.send_signal(signal.SIGSTOP)

    def _say(self, line: str) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line + "\n")

    def _ask(
        self, line: str, watch: Callable[[], None] | None = None
    ) -> dict[str, int]:
        self._say(line)
        answers = self._process.stdout
        if answers is None:
            return {}
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not select.select((answers,), (), (), _LOOK_S)[0]:
            if watch is not None:
                watch()
            if time.monotonic() > deadline:
                raise CrowdError("no answer from the load generator")
        word, _, rest = answers.readline().rstrip("\n").partition(" ")
        if word != "ok":
            raise CrowdError(rest or "the load generator ended")
        return {
            name: int(number)
            for name, _, number in (each.partition("=") for each in rest.split())
        }
