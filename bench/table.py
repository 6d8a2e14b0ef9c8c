"""What a run found, as Markdown: one row for each server. A cell is a median. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final, TypeAlias

from .field import Contender
from .found import Case, Run, Scenario, Visit

Found: TypeAlias = Mapping[str, Sequence[Visit]]
"""The visits to each server, by its word; one number is one round in all of them."""

_NONE: Final = "-"
_COLUMNS: Final = (
    "server",
    "W=1: deliveries per s of CPU",
    "W=16: the same",
    "W=16: deliveries/s",
    "W=1: p50 / p99 / max, ms",
    "W=16: p50 / p99 / max, ms",
    "memory a connection, KB",
    "CPU to let one in, µs",
    "1,000 rooms of 10: deliveries per s of CPU",
    "one does not read: p99 x",
    "and memory, MB",
    "core used, server / generator, W=1; W=16",
)


def servers(field: Sequence[Contender], found: Found) -> str:
    """Return the table of all servers."""
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|:--|{'--:|' * (len(_COLUMNS) - 1)}"]
    lines += [
        f"| {' | '.join((each.title, *_cells(found[each.word])))} |"
        for each in field
        if found.get(each.word)
    ]
    return "\n".join(lines)


def remarks(field: Sequence[Contender], found: Found) -> str:
    """Return what is to be known of the figures, and what could not be measured."""
    lines = [
        f"- {each.title}, {scenario.value}: {note}"
        for each in field
        for visit in found.get(each.word, ())[:1]
        for scenario, note in visit.notes.items()
    ]
    faults = [
        f"- {each.title}, {scenario.value}: {fault}"
        for each in field
        for scenario, fault in _faults(found.get(each.word, ())).items()
    ]
    if faults:
        lines += [*([""] if lines else []), "Not measured:", "", *faults]
    return "\n".join(lines)


def _faults(visits: Sequence[Visit]) -> dict[Scenario, str]:
    return {
        scenario: fault for visit in visits for scenario, fault in visit.faults.items()
    }


def _cells(visits: Sequence[Visit]) -> Iterable[str]:
    one, many = _runs(visits, Case.ONE), _runs(visits, Case.SIXTEEN)
    yield _rate(one)
    yield _rate(many)
    yield _of((run.per_s for run in many), "{:,.0f}")
    yield _latency(one)
    yield _latency(many)
    yield _of((visit.memory_bytes for visit in visits), "{:.1f}", 1 / 1024)
    yield _of((visit.joining_s for visit in visits), "{:,.0f}", 1e6)
    yield _rate(_runs(visits, Case.ROOMS))
    yield _of((visit.slowed for visit in visits), "{:.2f}")
    yield _of((visit.growth_bytes for visit in visits), "{:.1f}", 1 / 1024**2)
    yield f"{_shares(one)}; {_shares(many)}" if one else _NONE


def _runs(visits: Sequence[Visit], case: Case) -> list[Run]:
    return [visit.runs[case] for visit in visits if case in visit.runs]


def _of(values: Iterable[float | None], form: str, scale: float = 1.0) -> str:
    known = [value for value in values if value is not None]
    return form.format(median(known) * scale) if known else _NONE


def _rate(runs: Sequence[Run]) -> str:
    rates = sorted(run.per_cpu_s / 1000 for run in runs)
    middle = _of((run.per_cpu_s for run in runs), "{:,.0f}")
    if not rates or rates[0] == rates[-1]:
        return middle
    return f"{middle} ({rates[0]:,.0f}-{rates[-1]:,.0f} k)"


def _latency(runs: Sequence[Run]) -> str:
    if not runs:
        return _NONE
    heard = [run.heard for run in runs]
    return " / ".join(
        (
            _of((each.p50_s for each in heard), "{:.1f}", 1e3),
            _of((each.p99_s for each in heard), "{:.1f}", 1e3),
            _of((each.max_s for each in heard), "{:.1f}", 1e3),
        )
    )


def _shares(runs: Sequence[Run]) -> str:
    server = _of((run.server_share for run in runs), "{:.0%}")
    return f"{server} / {_of((run.generator_share for run in runs), '{:.0%}')}"
