"""The servers under measurement: processes on a core of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
# The affinity is set before the program starts, so that all its threads have it; and it
# may have as many connections as this machine allows.
_PINNED = """
import os, resource, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
os.execvp(sys.argv[2], sys.argv[2:])
"""
_ADDRESS = re.compile(r" at http://[^:]+:(\d+)")
_STOPS_WITHIN_S = 10.0
_SETTLES_WITHIN_S = 15.0
_LOOK_S = 0.25
_QUIET_SHARE = 0.1


def pinned(core: int, *command: str) -> tuple[str, ...]:
    """Return the command that runs another one on one core."""
    return (sys.executable, "-c", _PINNED, str(core), *command)


@dataclass(frozen=True, slots=True)
class Peer:
    """One server to be measured: what it is called, and its arguments for Python.

    `quiet_s`: it has settled when it did next to nothing for so long. (Hubbub first
    stands for election, and makes the market's past after that.)
    """

    name: str
    arguments: tuple[str, ...]
    quiet_s: float = 2.5


class Running:
    """A peer's process; a context manager that starts and ends it.

    `command` is its program, None for this Python. It sleeps (SIGSTOP) until `wake`.
    Raises RuntimeError, with the last that it said, where it does not start.
    """

    def __init__(
        self, peer: Peer, core: int, command: Sequence[str] | None = None
    ) -> None:
        self.name = peer.name
        self._quiet_s = peer.quiet_s
        program = (sys.executable,) if command is None else tuple(command)
        self._command = pinned(core, *program, *peer.arguments)
        self.port = 0

    def __enter__(self) -> Self:
        """Start it, let it settle, and put it to sleep."""
        unset = {k: v for k, v in os.environ.items() if not k.startswith("HUBBUB_")}
        with tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=unset,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
            )
            for line in self._process.stdout or ():
                if found := _ADDRESS.search(line):
                    self.port = int(found[1])
                    break
            else:
                self._process.wait()
                complaints.seek(0)
                last = complaints.read().decode(errors="replace").split("\n")[-2:]
                raise RuntimeError(f"did not start: {last[0]}")
        self._settle()
        self.sleep()
        return self

    def _settle(self) -> None:
        """Wait until it has done what it does once, after its start."""
        began_s = quiet_since_s = time.monotonic()
        before_s = self.cpu_s()
        while time.monotonic() - quiet_since_s < self._quiet_s:
            time.sleep(_LOOK_S)
            now_s = self.cpu_s()
            if now_s - before_s > _LOOK_S * _QUIET_SHARE:
                quiet_since_s = time.monotonic()
            before_s = now_s
            if time.monotonic() - began_s > _SETTLES_WITHIN_S:
                return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.wake()
        self._process.terminate()
        try:
            self._process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def sleep(self) -> None:
        """Stop its clock, so that it takes nothing from the one that is measured."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def ask(self) -> str:
        """Send it SIGUSR1; return the line that it says then.

        Raises RuntimeError where it ends instead.
        """
        self._process.send_signal(signal.SIGUSR1)
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise RuntimeError("ended when it was asked")
        return line

    def cpu_s(self) -> float:
        """Return the seconds of CPU that it has used, in the kernel too."""
        threads = self._proc("task").iterdir()
        try:
            spent_ns = sum(
                int((thread / "schedstat").read_text(encoding="ascii").split()[0])
                for thread in threads
            )
        except FileNotFoundError:
            return self._cpu_ticks_s()
        return spent_ns / 1e9

    def _cpu_ticks_s(self) -> float:
        # Kernels without schedstat count in hundredths of a second only.
        stat = self._proc("stat").read_text(encoding="ascii")
        # The second field, the name, may hold anything, but ends with the last bracket.
        fields = stat.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Return what it has in memory: its own, and its share of what is shared."""
        try:
            rollup = self._proc("smaps_rollup").read_text(encoding="ascii")
        except OSError:
            return self.resident_bytes()
        (line,) = (each for each in rollup.splitlines() if each.startswith("Pss:"))
        return int(line.split()[1]) * 1024

    def resident_bytes(self) -> int:
        """Return what it has in memory, shared or not; cheap to ask."""
        statm = self._proc("statm").read_text(encoding="ascii")
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self._process.pid}/{name}")
