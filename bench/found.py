"""What can be measured, and what was found: values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .generator import Heard


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
    STORM = "storm"
    """10,000 go at once, and come back at once for what was said meanwhile."""
    STALL = "stall"
    """For how long a broadcast to 10,000 keeps the event loop."""
    TICKER = "ticker"
    """1,000 who watch 20 symbols that change 50 times a second."""
    CHAT = "chat"
    """Committed messages with 100 who listen: how many, and how soon."""


COMPARED: Final = (Scenario.JOINING, Scenario.FAN_OUT, Scenario.ROOMS, Scenario.SLOW)
"""What has a column in the table of all servers; the others are told as aims alone."""


class Case(Enum):
    """A run whose figures stand in the table."""

    ONE = "W=1"
    SIXTEEN = "W=16"
    ROOMS = "rooms"
    CALM = "none is slow"
    SLOW = "one is slow"


class Speed(Enum):
    """How fast chat is spoken."""

    ONE = "one at a time"
    MOST = "as many as it takes"
    HALF = "at 2,500/s"


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


@dataclass(frozen=True, slots=True)
class Storm:
    """All came back: so many, in how many seconds, for how much of the server's CPU."""

    people: int
    wall_s: float
    server_s: float
    retried: int

    @property
    def each_s(self) -> float:
        """The server's CPU for one of them, from the connection to its answer."""
        return self.server_s / self.people


@dataclass(frozen=True, slots=True)
class Stall:
    """The turns of a server's loop: of the longest, what the CPU and the collector had.

    `people` listened. `most_cpu_s`: the most that any turn was on the CPU, which a busy
    machine does not make longer.
    """

    people: int
    turns: int
    p99_s: float
    worst_s: float
    worst_cpu_s: float
    worst_gc_s: float
    most_cpu_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """What those who watch the market read, and what they cost."""

    values_per_s: float
    p99_age_s: float
    oldest_s: float
    server_share: float
    generator_share: float


@dataclass(frozen=True, slots=True)
class Answered:
    """Acknowledged publications; latencies from when they were due.

    `per_s` ends when everybody has heard the last. `refused`: for now, as too many.
    `commits`: in how many transactions they were kept.
    """

    per_s: float
    p50_s: float
    p99_s: float
    max_s: float
    refused: int
    commits: int
    committed: int
    server_share: float

    @property
    def per_commit(self) -> float:
        """How many went with one transaction."""
        return self.committed / self.commits if self.commits else 0.0


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

    storm: Storm | None = None
    stalls: dict[Case, Stall] = field(default_factory=dict)
    watched: Watched | None = None
    chat: dict[Speed, Answered] = field(default_factory=dict)
    notes: dict[Scenario, str] = field(default_factory=dict)
    """What a reader of the figures should know: a disk, a smaller number of people."""

    @property
    def slowed(self) -> float | None:
        """By how much the p99 of the others grew while one did not read."""
        if Case.CALM not in self.runs or Case.SLOW not in self.runs:
            return None
        calm, slow = self.runs[Case.CALM].heard, self.runs[Case.SLOW].heard
        return slow.p99_s / calm.p99_s
