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
from .table import Found
from .visits import Case, Visit

OUTBOX_BYTES: Final = 1024 * 1024
"""What may wait for one session of Hubbub (docs/reference/settings.md)."""

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
        came = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        return f"| {self.what} | {came} | {self._wanted()} | {self._verdict(ratios)} |"

    def _wanted(self) -> str:
        if self.reach is None:
            return ""
        return f"{'at most' if self.most else 'at least'} {self.reach:g}"

    def _verdict(self, ratios: list[float]) -> str:
        if self.reach is None:
            return ""
        came = median(ratios)
        reached = came <= self.reach if self.most else came >= self.reach
        return "yes" if reached else "**no**"


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
    return None if visit.growth_bytes is None else visit.growth_bytes / OUTBOX_BYTES


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
        "native, one does not read: growth of the server in outbox bounds (1 MiB)",
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
)


def table(found: Found) -> str:
    """Return the table of the ratios that a run has what it takes for."""
    rows = [aim.row(found) for aim in AIMS if aim.ratios(found)]
    head = ["| what | median (from to) | shall be | is it |", "|:--|--:|--:|:--|"]
    return "\n".join(head + rows) if rows else "No ratio: too few servers."
