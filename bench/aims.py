"""The ratios that count, and what they shall reach. Pure.

A ratio is the median of the ratios of single rounds, each of which measures all servers
one after the other: on a busy machine all figures fall, and only ratios say something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import sub, truediv
from statistics import median
from typing import Final, TypeAlias

from .field import (
    HUBBUB,
    HUBBUB_SOCKETIO,
    JOINED,
    JOINED_LONG,
    PYTHON_SOCKETIO,
    SOCKETIFY,
    SOCKETIO,
    WS,
    C,
)
from .found import Case, Speed, Visit
from .table import Found

WAITING_BYTES: Final = (1024 + 16) * 1024
"""What may wait for one session of Hubbub outside the kernel: its outbox, and what
stands in the transport (docs/topics/back-pressure.md)."""

_WHOLE: Final = 1_000
"""From here on nobody needs decimals."""

Figure: TypeAlias = Callable[[Visit], float | None]


@dataclass(frozen=True, slots=True)
class Aim:
    """A figure of one server and the same figure of another, or one by itself.

    `beside` None: by itself; else `how` makes one number of the two. `most`: not more
    than `reach`, instead of not less; `reach` None: it is only told.
    """

    what: str
    figure: Figure
    whose: str
    beside: str | None
    reach: float | None = None
    most: bool = False
    how: Callable[[float, float], float] = truediv

    def ratios(self, found: Found) -> list[float]:
        """Return its ratio in each round that has what it takes."""
        own = [self.figure(visit) for visit in found.get(self.whose, ())]
        if self.beside is None:
            return [value for value in own if value is not None]
        others = [self.figure(visit) for visit in found.get(self.beside, ())]
        return [
            self.how(one, other)
            for one, other in zip(own, others, strict=False)
            if one is not None and other is not None
        ]

    def row(self, found: Found) -> str:
        """Return its row in the table."""
        ratios = self.ratios(found)
        if not ratios:
            return f"| {self.what} | - | {self._wanted()} | - |"
        middle, least, most = map(_shown, (median(ratios), min(ratios), max(ratios)))
        came = f"{middle} ({least} to {most})"
        return f"| {self.what} | {came} | {self._wanted()} | {self._verdict(ratios)} |"

    def _wanted(self) -> str:
        if self.reach is None:
            return ""
        return f"{'at most' if self.most else 'at least'} {self.reach:,g}"

    def _verdict(self, ratios: list[float]) -> str:
        if self.reach is None:
            return ""
        came = median(ratios)
        reached = came <= self.reach if self.most else came >= self.reach
        return "yes" if reached else "**no**"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.2f}"


def rate(case: Case) -> Figure:
    """Return the figure of a case: deliveries for each second of the server's CPU."""

    def figure(visit: Visit) -> float | None:
        run = visit.runs.get(case)
        return None if run is None else run.per_cpu_s

    return figure


def memory_kb(visit: Visit) -> float | None:
    """Return what an idle subscriber takes."""
    return None if visit.memory_bytes is None else visit.memory_bytes / 1024


def growth(visit: Visit) -> float | None:
    """Return what one slow reader made the server grow by, in its bounds."""
    return None if visit.growth_bytes is None else visit.growth_bytes / WAITING_BYTES


def storm_ms(visit: Visit) -> float | None:
    """Return the server's CPU for one who comes back, in milliseconds."""
    return None if visit.storm is None else visit.storm.each_s * 1e3


def storm_wall_s(visit: Visit) -> float | None:
    """Return the seconds until all were back."""
    return None if visit.storm is None else visit.storm.wall_s


def stalled(case: Case, what: str) -> Figure:
    """Return a figure of the loop's turns in a case, in milliseconds."""

    def figure(visit: Visit) -> float | None:
        stall = visit.stalls.get(case)
        return None if stall is None else getattr(stall, what) * 1e3

    return figure


def watched(what: str, scale: float = 1.0) -> Figure:
    """Return a figure of those who watch the market."""

    def figure(visit: Visit) -> float | None:
        seen = visit.watched
        return None if seen is None else getattr(seen, what) * scale

    return figure


def chat(speed: Speed, what: str, scale: float = 1.0) -> Figure:
    """Return a figure of the acknowledged messages of one speed."""

    def figure(visit: Visit) -> float | None:
        answered = visit.chat.get(speed)
        return None if answered is None else getattr(answered, what) * scale

    return figure


def _own(what: str, figure: Figure, reach: float | None = None) -> Aim:
    """Return what Hubbub's native wire is to stay below, or what is only told of it."""
    return Aim(what, figure, HUBBUB, None, reach, most=True)


def _stall(case: Case) -> tuple[Aim, ...]:
    what = f"stall, {case.value}"
    return (
        _own(f"{what}: longest turn, ms", stalled(case, "worst_s"), 5),
        _own(f"{what}: of it on the CPU, ms", stalled(case, "worst_cpu_s")),
        _own(f"{what}: of it in the collector, ms", stalled(case, "worst_gc_s")),
        _own(
            f"{what}: longest on the CPU of any turn, ms", stalled(case, "most_cpu_s")
        ),
        _own(f"{what}: p99 of the turns, ms", stalled(case, "p99_s")),
    )


def _chat(speed: Speed) -> tuple[Aim, ...]:
    what = f"chat, {speed.value}"
    most = speed is Speed.MOST
    return (
        Aim(
            f"{what}: acknowledged a second",
            chat(speed, "per_s"),
            HUBBUB,
            None,
            5_000 if most else None,
        ),
        _own(f"{what}: p50 of the answer, ms", chat(speed, "p50_s", 1e3)),
        _own(
            f"{what}: p99 of the answer, ms",
            chat(speed, "p99_s", 1e3),
            50 if speed is Speed.HALF else None,
        ),
        _own(f"{what}: longest wait, ms", chat(speed, "max_s", 1e3)),
        _own(f"{what}: refused for now", chat(speed, "refused")),
        _own(f"{what}: the server's core, %", chat(speed, "server_share", 100)),
        _own(f"{what}: messages in a commit", chat(speed, "per_commit")),
    )


def _share(whose: str, case: Case, beside: str, reach: float | None = None) -> Aim:
    wire = "Socket.IO" if whose == HUBBUB_SOCKETIO else "native"
    return Aim(f"{wire}, {case.value}, over {beside}", rate(case), whose, beside, reach)


AIMS: Final = (
    _share(HUBBUB, Case.ONE, JOINED, 0.9),
    _share(HUBBUB, Case.ONE, JOINED_LONG),
    _share(HUBBUB, Case.ONE, WS, 1.2),
    _share(HUBBUB, Case.ONE, C),
    _share(HUBBUB, Case.SIXTEEN, JOINED, 0.8),
    _share(HUBBUB, Case.SIXTEEN, JOINED_LONG),
    _share(HUBBUB, Case.SIXTEEN, WS, 8),
    _share(HUBBUB, Case.SIXTEEN, PYTHON_SOCKETIO, 40),
    _share(HUBBUB, Case.SIXTEEN, C),
    _share(HUBBUB, Case.SIXTEEN, SOCKETIFY),
    _share(HUBBUB, Case.ROOMS, JOINED),
    _share(HUBBUB, Case.ROOMS, C),
    _share(HUBBUB_SOCKETIO, Case.SIXTEEN, PYTHON_SOCKETIO, 30),
    _share(HUBBUB_SOCKETIO, Case.SIXTEEN, SOCKETIO, 4),
    Aim(
        "native, one does not read: p99 of the others over without it",
        lambda visit: visit.slowed,
        HUBBUB,
        None,
        1.2,
        most=True,
    ),
    Aim(
        "native, one does not read: growth of the server in bounds (1,040 KiB)",
        growth,
        HUBBUB,
        None,
        1,
        most=True,
    ),
    Aim(
        "native, memory of an idle subscriber, KB above joined",
        memory_kb,
        HUBBUB,
        JOINED,
        4,
        most=True,
        how=sub,
    ),
    _own("storm: the server's CPU for each who returns, ms", storm_ms, 0.6),
    Aim("storm: the same, over joined without recovery", storm_ms, HUBBUB, JOINED),
    _own("storm: seconds until all are back", storm_wall_s),
    Aim("storm, joined: seconds until all are back", storm_wall_s, JOINED, None),
    *_stall(Case.ONE),
    *_stall(Case.SIXTEEN),
    _own("ticker: the server's core, %", watched("server_share", 100), 100),
    _own("ticker: oldest value when read, ms", watched("oldest_s", 1e3), 250),
    _own("ticker: p99 of the age, ms", watched("p99_age_s", 1e3)),
    _own("ticker: values read a second", watched("values_per_s")),
    _own("ticker: the generator's core, %", watched("generator_share", 100)),
    *(aim for speed in Speed for aim in _chat(speed)),
)


def table(found: Found) -> str:
    """Return the table of the ratios that a run has what it takes for."""
    rows = [aim.row(found) for aim in AIMS if aim.ratios(found)]
    head = ["| what | median (from to) | shall be | is it |", "|:--|--:|--:|:--|"]
    return "\n".join(head + rows) if rows else "No ratio: too few servers."
