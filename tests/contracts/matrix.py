"""The matrix of promise and gateway, made from what the suite of gateways has shown.

A pytest plugin (`tests/conftest.py` names it). A test that `shows` a promise runs once
for each gateway to which it applies. `--gateway-matrix` writes the table into
docs/reference/gateways.md; a run in which the whole suite passed fails where the table
there says something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    Test = TypeVar("Test", bound=Callable[..., object])

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "gateways.md"
BEGIN = "<!-- matrix: `make matrix` writes what follows -->"
END = "<!-- end of the matrix -->"

COLUMNS = {
    "native": "native",
    "yjs": "Yjs",
    "sse": "SSE",
    "socketio": "Socket.IO",
    "polling": "Socket.IO, polling",
}


class Promise(StrEnum):
    """What is promised on every gateway, in the words of the matrix."""

    JOIN = "Joining: the past, then what follows; nothing between is lost or doubled"
    ORDER = "One order for all, whoever speaks, by whichever gateway"
    RESUME = "Resuming: what was missed, each once and in order"
    ELSEWHERE = "Leaving by one gateway and resuming by another, with the same position"
    LOST = "What cannot be resumed is told, and begins anew; never a part"
    KEPT = "Acknowledged means kept; before, nobody sees it"
    ONCE = "Unacknowledged at a cut: kept once or not at all; once, if sent again"
    SLOW = "Who does not read is cut at the bound, alone, and comes back to all of it"
    SIGNALS = "Signals give way under pressure, counted; publications never do"
    REFUSED = "What may not be had is refused in the wire's words; nothing leaks"
    LIMITS = "What is too large or too many is refused; others are unharmed"
    POISON = "Poison is refused before anybody sees it; its sender is told"
    PRESENCE = "Presence comes and goes with the connection"
    SILENT = "A peer that has fallen silent ends by the ping timeout"
    DRAIN = "A server that stops tells all to come back"
    BANNED = "Who is banned is told to stay away"


@dataclass(frozen=True, slots=True)
class Claim:
    """One test: its promise, the gateways that it runs on, and why not on others."""

    promise: Promise
    gateways: Sequence[str]
    exempt: Mapping[str, str]
    notes: Mapping[str, str]


@dataclass
class Shown:
    """What a run has shown: cells are (test, gateway)."""

    ran: set[tuple[str, str]] = field(default_factory=set)
    failed: set[tuple[str, str]] = field(default_factory=set)
    sentence: str = ""


CLAIMS: dict[str, Claim] = {}
"""All tests of the suite that were imported, by name."""

_SHOWN = pytest.StashKey[Shown]()


def shows(
    promise: Promise,
    *,
    exempt: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Callable[[Test], Test]:
    """Have a test run on each gateway, as what shows a promise there.

    `exempt` says for which gateways it makes no sense, and why; `notes` what is to be
    known about others. Both stand under the matrix.
    """
    exempt, notes = exempt or {}, notes or {}
    names = [name for name in COLUMNS if name not in exempt]

    def mark(test: Test) -> Test:
        CLAIMS[test.__name__] = Claim(promise, names, exempt, notes)
        run_on_each = pytest.mark.parametrize("gateway", names, indirect=True)
        marked: Test = run_on_each(test)
        return marked

    return mark


# The table


def table() -> str:
    """Return the matrix of all claims, and its footnotes."""
    footnotes: dict[str, int] = {}
    rows = [_row(promise, footnotes) for promise in Promise]
    head = f"| promise | {' | '.join(COLUMNS.values())} |"
    rule = "|---" * (len(COLUMNS) + 1) + "|"
    notes = [f"{number}. {note}" for note, number in footnotes.items()]
    return "\n".join([head, rule, *rows, "", *notes])


def _row(promise: Promise, footnotes: dict[str, int]) -> str:
    claims = [each for each in CLAIMS.values() if each.promise is promise]
    cells = [_cell(name, claims, footnotes) for name in COLUMNS]
    return f"| {promise} | {' | '.join(cells)} |"


def _cell(name: str, claims: Iterable[Claim], footnotes: dict[str, int]) -> str:
    shown = False
    said: dict[str, None] = {}
    for claim in claims:
        shown = shown or name in claim.gateways
        for notes in (claim.exempt, claim.notes):
            if name in notes:
                said[notes[name]] = None
    numbers = [footnotes.setdefault(note, len(footnotes) + 1) for note in said]
    mark = "yes" if shown else "-"
    return f"{mark} ({', '.join(map(str, numbers))})" if numbers else mark


def _written() -> str:
    """Return what the page says."""
    text = PAGE.read_text("utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def _write() -> None:
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", "utf-8")


# The plugin


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--gateway-matrix`."""
    parser.addoption(
        "--gateway-matrix",
        action="store_true",
        help="write the matrix into docs/reference/gateways.md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing shown."""
    config.stash[_SHOWN] = Shown()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what a test has shown."""
    report = yield
    call = getattr(item, "callspec", None)
    name = getattr(item, "originalname", "")
    if name in CLAIMS and call is not None:
        cell = (name, call.params["gateway"])
        shown = item.config.stash[_SHOWN]
        if report.when == "call":
            shown.ran.add(cell)
        if not report.passed:
            shown.failed.add(cell)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the matrix, or compare it, if all of it was shown."""
    shown = session.config.stash[_SHOWN]
    shown.sentence = judge(shown, write=session.config.option.gateway_matrix)
    if shown.sentence and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def judge(shown: Shown, *, write: bool) -> str:
    """Return what is wrong, in a sentence; empty: nothing is."""
    missing = _missing(shown)
    if missing:
        if not write:
            return ""
        return f"The matrix is not written: not shown are {', '.join(missing)}."
    if write:
        _write()
    elif _written() != table():
        return (
            "docs/reference/gateways.md says something else than this run has shown:"
            " make matrix writes it anew."
        )
    return ""


def _missing(shown: Shown) -> list[str]:
    """Return what was not shown: cells of tests, and promises without any."""
    wanted = {(test, each) for test, claim in CLAIMS.items() for each in claim.gateways}
    cells = sorted(wanted - (shown.ran - shown.failed))
    untold = set(Promise) - {claim.promise for claim in CLAIMS.values()}
    names = [f"{test}[{name}]" for test, name in cells]
    return names + sorted(promise.name for promise in untold)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what is wrong with the matrix."""
    sentence = config.stash[_SHOWN].sentence
    if sentence:
        terminalreporter.write_line(sentence, red=True)
