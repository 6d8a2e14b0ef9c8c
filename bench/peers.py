"""The servers under measurement: processes on a core of their own, asleep meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[1]
# The affinity is set before the interpreter starts anew, so that all threads have it.
_PINNED = (
    "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])});"
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)
_ADDRESS = re.compile(r" at http://[^:]+:(\d+)")
_STOPS_WITHIN_S = 10.0
_SETTLES_WITHIN_S = 15.0
_QUIET_S = 0.5


@dataclass(frozen=True, slots=True)
class Peer:
    """One server to be measured: what it is called, and its arguments for Python."""

    name: str
    arguments: tuple[str, ...]


PEERS = (
    Peer(
        "hubbub",
        # The market would take its share of the core; so it all but sleeps.
        ("-m", "server", "serve", "--memory", "--port", "0", "--market-hz", "0.1"),
    ),
    Peer("aiohttp, send_str to each", ("-m", "bench.bare", "each")),
    Peer("aiohttp, framed once, joined", ("-m", "bench.bare", "joined")),
)


class Running:
    """A peer's process; a context manager that starts and ends it."""

    def __init__(self, peer: Peer, core: int) -> None:
        self.name = peer.name
        self._command = [sys.executable, "-c", _PINNED, str(core), *peer.arguments]
        self.port = 0

    def __enter__(self) -> Self:
        """Start it, let it settle, and put it to sleep."""
        unset = {k: v for k, v in os.environ.items() if not k.startswith("HUBBUB_")}
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=unset,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for line in self._process.stdout or ():
            if found := _ADDRESS.search(line):
                self.port = int(found[1])
                break
        else:
            raise RuntimeError(f"{self.name} did not start")
        self._settle()
        self.sleep()
        return self

    def _settle(self) -> None:
        """Wait until it has done what it does once, after its start."""
        before, deadline = -1.0, time.monotonic() + _SETTLES_WITHIN_S
        while time.monotonic() < deadline:
            time.sleep(2 * _QUIET_S if before < 0 else _QUIET_S)
            now = self.cpu_s()
            if before >= 0 and now - before < _QUIET_S / 10:
                return
            before = now

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

    def cpu_s(self) -> float:
        """Return the seconds of CPU that all its threads have used."""
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()
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
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        # The second field, the name, may hold anything, but ends with the last bracket.
        fields = stat.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")
