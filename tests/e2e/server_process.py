"""A real server process, for tests that kill, pause and restart it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 10.0
_LISTENING = "Hubbub is at"


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`python -m server serve` on a port of its own; a context manager that starts it.

    `data_dir` None keeps everything in memory, unless `flags` name a database. The port
    stays the same over restarts, so that clients find their way back.
    """

    def __init__(self, data_dir: Path | None = None, *flags: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"
        self._flags = flags
        self._where: list[str] = []
        if data_dir is not None:
            self._where = ["--data-dir", str(data_dir)]
        elif "--database-url" not in flags:
            self._where = ["--memory"]
        self.durable = self._where != ["--memory"]
        self._process: subprocess.Popen[str] | None = None
        self.log: list[str] = []

    @property
    def pid(self) -> int:
        """The process that runs now."""
        return self._running().pid

    def start(self) -> None:
        """Start it, and return when it says that it listens."""
        command = [sys.executable, "-m", "server", "serve", *self._where]
        command += ["--port", str(self.port), *self._flags]
        self.log.clear()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if not k.startswith("HUBBUB_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listening = threading.Event()
        self._reader = threading.Thread(
            target=self._read, args=(self._process, listening), daemon=True
        )
        self._reader.start()
        listening.wait(STARTS_WITHIN_S)
        if not any(line.startswith(_LISTENING) for line in self.log):
            self._reap()
            raise RuntimeError(f"the server did not start:\n{''.join(self.log)}")

    def _read(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        """Read what it prints, to its end: a full pipe would stop it."""
        with process.stdout or nullcontext(()) as out:
            for line in out:
                self.log.append(line)
                if line.startswith(_LISTENING):
                    listening.set()
        listening.set()

    def kill(self) -> None:
        """`kill -9`: no farewell, nothing flushed."""
        self._running().kill()
        self._reap()

    def stop(self) -> int:
        """Ask it to stop (SIGTERM); return its exit code."""
        self._running().terminate()
        return self._reap()

    def pause(self) -> None:
        """Stop its clock (SIGSTOP)."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it again, on the same port and data."""
        self.kill()
        self.start()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process

    def _reap(self) -> int:
        process = self._running()
        self._process = None
        try:
            code = process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            self._reader.join()
        return code

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it if it still runs."""
        if self._process is not None:
            self.resume()
            self.kill()
