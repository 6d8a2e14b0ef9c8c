"""The means of a visit: which load generator, on which cores, for how long."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .found import Run
from .generator import Crowd
from .peers import Peer, Running
from .wires import PAYLOAD_BYTES, Wire

_WARM_UP_S: Final = 0.4
_SPARE_FILES: Final = 200
"""What a process has open beside its connections."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every scenario is measured with; `seconds` is the length of a run."""

    program: Path
    server_core: int
    crowd_core: int
    seconds: float

    def started(self, peer: Peer, command: tuple[str, ...] | None = None) -> Running:
        """Return a server that is a context manager, and sleeps at first."""
        return Running(peer, self.server_core, command)

    def crowd(
        self,
        wire: Wire,
        server: Running,
        *,
        payload_bytes: int = PAYLOAD_BYTES,
        receive_buffer_bytes: int = 0,
    ) -> Crowd:
        """Return a crowd of a wire, which is a context manager."""
        return Crowd(
            self.program,
            self.crowd_core,
            wire.orders(server.port, payload_bytes),
            receive_buffer_bytes=receive_buffer_bytes,
        )

    def run(
        self,
        crowd: Crowd,
        server: Running,
        window: int,
        times: int = 1,
        watch: Callable[[], None] | None = None,
    ) -> Run:
        """Let a crowd publish for `times` runs, after a warm-up; return the figures."""
        crowd.run(window, _WARM_UP_S)
        server_s = server.cpu_s()
        heard = crowd.run(window, times * self.seconds, watch)
        return Run(heard, server.cpu_s() - server_s)


def most_people(wanted: int) -> int:
    """Return how many of the wanted this machine lets one process have connected."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _SPARE_FILES)


def rest(seconds: float = 0.5) -> None:
    """Let the server do what it does after the last that was heard of it."""
    time.sleep(seconds)
