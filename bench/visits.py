"""One visit to one server: started anew, measured in each scenario, and ended.

What one visit finds is a value; the visits of a run take turns among the servers, so
that a busy machine troubles all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from .field import Contender
from .generator import Crowd, CrowdError, Heard
from .peers import Running
from .wires import PAYLOAD_BYTES

SUBSCRIBERS: Final = 1_000
JOINING_ROOMS: Final = 2
ROOMS, MEMBERS = 1_000, 10
BURST: Final = 16
SLOW_PAYLOAD_BYTES: Final = 4_000
"""So large that what waits for the one who does not read meets its bound soon."""
SLOW_TIMES: Final = 4
_SLOW_BUFFER_BYTES = 4_096
_WARM_UP_S = 0.4
_RESTS_S = 0.5


class Scenario(Enum):
    """What can be measured; the value chooses it on the command line."""

    JOINING = "joining"
    """What it costs to let one in, and to have it there."""
    FAN_OUT = "fan-out"
    """One room of 1,000, W = 1 and W = 16."""
    ROOMS = "rooms"
    """1,000 rooms of 10, W = 16, each in another room."""
    SLOW = "slow"
    """1,000 and one that does not read, W = 16; and the same without that one."""


class Case(Enum):
    """A run whose figures stand in the table."""

    ONE = "W=1"
    SIXTEEN = "W=16"
    ROOMS = "rooms"
    CALM = "none is slow"
    SLOW = "one is slow"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to: what was heard, and what the server took for it."""

    heard: Heard
    server_s: float

    @property
    def per_cpu_s(self) -> float:
        """Deliveries for each second of the server's CPU."""
        return self.heard.deliveries / self.server_s

    @property
    def per_s(self) -> float:
        """Deliveries for each second."""
        return self.heard.deliveries / self.heard.wall_s

    @property
    def server_share(self) -> float:
        """How much of its core the server used."""
        return self.server_s / self.heard.wall_s

    @property
    def generator_share(self) -> float:
        """How much of its core the load generator used."""
        return self.heard.generator_s / self.heard.wall_s


@dataclass(slots=True)
class Visit:
    """What one visit found; what is missing, and why, stands in `faults`."""

    runs: dict[Case, Run] = field(default_factory=dict)
    faults: dict[Scenario, str] = field(default_factory=dict)
    memory_bytes: float | None = None
    """What one idle subscriber takes of the server's memory."""
    joining_s: float | None = None
    """What letting one in takes of the server's CPU."""
    growth_bytes: int | None = None
    """By how much its peak grew while one did not read."""

    @property
    def slowed(self) -> float | None:
        """By how much the p99 of the others grew while one did not read."""
        if Case.CALM not in self.runs or Case.SLOW not in self.runs:
            return None
        calm, slow = self.runs[Case.CALM].heard, self.runs[Case.SLOW].heard
        return slow.p99_s / calm.p99_s


class Measuring:
    """Measures servers: with which load generator, on which cores, for how long."""

    def __init__(
        self, program: Path, server_core: int, crowd_core: int, seconds: float
    ) -> None:
        self._program = program
        self._server_core = server_core
        self._crowd_core = crowd_core
        self._seconds = seconds

    def visit(
        self,
        contender: Contender,
        command: tuple[str, ...],
        scenarios: tuple[Scenario, ...],
    ) -> Visit:
        """Start a server, measure it in each scenario, and end it."""
        found = Visit()
        steps: dict[Scenario, Callable[[Contender, Running, Visit], None]] = {
            Scenario.JOINING: self._joining,
            Scenario.FAN_OUT: self._fan_out,
            Scenario.ROOMS: self._rooms,
            Scenario.SLOW: self._slow,
        }
        try:
            with Running(contender.peer, self._server_core, command) as server:
                server.wake()
                for scenario in scenarios:
                    try:
                        steps[scenario](contender, server, found)
                    except CrowdError as error:
                        found.faults[scenario] = str(error)
                    time.sleep(_RESTS_S)
        except RuntimeError as error:
            for scenario in scenarios:
                found.faults[scenario] = str(error)
        return found

    @contextmanager
    def _crowd(
        self,
        contender: Contender,
        server: Running,
        payload_bytes: int = PAYLOAD_BYTES,
        receive_buffer_bytes: int = 0,
    ) -> Iterator[Crowd]:
        orders = contender.wire.orders(server.port, payload_bytes)
        with Crowd(
            self._program,
            self._crowd_core,
            orders,
            receive_buffer_bytes=receive_buffer_bytes,
        ) as crowd:
            yield crowd

    def _run(
        self,
        crowd: Crowd,
        server: Running,
        window: int,
        times: int = 1,
        watch: Callable[[], None] | None = None,
    ) -> Run:
        crowd.run(window, _WARM_UP_S)
        server_s = server.cpu_s()
        heard = crowd.run(window, times * self._seconds, watch)
        return Run(heard, server.cpu_s() - server_s)

    def _joining(self, contender: Contender, server: Running, found: Visit) -> None:
        first, more = self._crowd(contender, server), self._crowd(contender, server)
        with first as here, more as crowd:
            # These take the memory that the server had and did not use.
            here.connect("first", 1, SUBSCRIBERS)
            time.sleep(_RESTS_S)
            memory_bytes, server_s = server.memory_bytes(), server.cpu_s()
            crowd.connect("more", JOINING_ROOMS, SUBSCRIBERS)
            time.sleep(_RESTS_S)
            joined = JOINING_ROOMS * SUBSCRIBERS
            found.joining_s = (server.cpu_s() - server_s) / joined
            found.memory_bytes = (server.memory_bytes() - memory_bytes) / joined

    def _fan_out(self, contender: Contender, server: Running, found: Visit) -> None:
        with self._crowd(contender, server) as crowd:
            crowd.connect("one", 1, SUBSCRIBERS)
            found.runs[Case.ONE] = self._run(crowd, server, 1)
            found.runs[Case.SIXTEEN] = self._run(crowd, server, BURST)

    def _rooms(self, contender: Contender, server: Running, found: Visit) -> None:
        with self._crowd(contender, server) as crowd:
            crowd.connect("many", ROOMS, MEMBERS)
            found.runs[Case.ROOMS] = self._run(crowd, server, BURST)

    def _slow(self, contender: Contender, server: Running, found: Visit) -> None:
        all_ = self._crowd(contender, server, SLOW_PAYLOAD_BYTES)
        one = self._crowd(contender, server, SLOW_PAYLOAD_BYTES, _SLOW_BUFFER_BYTES)
        with all_ as crowd, one as slow:
            peak_bytes = 0

            def watch() -> None:
                nonlocal peak_bytes
                peak_bytes = max(peak_bytes, server.resident_bytes())

            crowd.connect("slow", 1, SUBSCRIBERS)
            calm = self._run(crowd, server, BURST, SLOW_TIMES, watch)
            slow.connect("slow", 1, 1)
            slow.stop_reading()
            calm_bytes = peak_bytes
            run = self._run(crowd, server, BURST, SLOW_TIMES, watch)
            found.runs |= {Case.CALM: calm, Case.SLOW: run}
            found.growth_bytes = peak_bytes - calm_bytes
