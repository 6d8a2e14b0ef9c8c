"""The matrix itself: what it says, when it is written, and when it is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contracts import matrix
from tests.contracts.gateways.all import GATEWAYS
from tests.contracts.matrix import COLUMNS, Claim, Promise, Shown

if TYPE_CHECKING:
    from pathlib import Path

ALL = tuple(COLUMNS)
NO_SSE = [name for name in ALL if name != "sse"]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of its own; the suite is one test for each promise."""
    claims = {promise.name: Claim(promise, ALL, {}, {}) for promise in Promise}
    claims["SILENT"] = Claim(Promise.SILENT, NO_SSE, {"sse": "It says nothing."}, {})
    claims["also silent"] = Claim(
        Promise.SILENT, NO_SSE, {"sse": "It says nothing."}, {}
    )
    claims["ORDER"] = Claim(Promise.ORDER, ALL, {}, {"yjs": "By a vector."})
    monkeypatch.setattr(matrix, "CLAIMS", claims)
    file = tmp_path / "gateways.md"
    file.write_text(f"before\n{matrix.BEGIN}\nOUTDATED\n{matrix.END}\nafter\n", "utf-8")
    monkeypatch.setattr(matrix, "PAGE", file)
    return file


def whole() -> Shown:
    """Return a run in which everything passed."""
    cells = {
        (test, name) for test, each in matrix.CLAIMS.items() for name in each.gateways
    }
    return Shown(ran=cells)


def row(promise: Promise) -> list[str]:
    """Return the cells of a row."""
    lines = matrix.table().splitlines()
    found = next(line for line in lines if line.startswith(f"| {promise} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def test_the_columns_are_the_gateways() -> None:
    """Each with its driver, and none besides."""
    assert list(GATEWAYS) == list(COLUMNS)


def test_a_cell_says_what_was_shown(page: Path) -> None:
    """A dash where nothing could be, and numbers of notes, each note once."""
    assert row(Promise.JOIN) == ["yes"] * len(ALL)
    assert row(Promise.ORDER)[ALL.index("yjs")] == "yes (1)"
    assert row(Promise.SILENT)[ALL.index("sse")] == "- (2)"
    notes = matrix.table().split("\n\n")[1].splitlines()
    assert notes == ["1. By a vector.", "2. It says nothing."]


def test_it_is_written_where_all_was_shown(page: Path) -> None:
    """What stands around it stays; the next run has nothing to say."""
    assert matrix.judge(whole(), write=True) == ""
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{matrix.BEGIN}\n\n| promise |")
    assert text.endswith(f"{matrix.END}\nafter\n")
    assert "OUTDATED" not in text
    assert matrix.judge(whole(), write=False) == ""


def test_a_page_that_says_something_else_fails_a_whole_run(page: Path) -> None:
    """With a sentence that says what to do."""
    assert "make matrix" in matrix.judge(whole(), write=False)


@pytest.mark.parametrize("failing", [True, False], ids=["failed", "not run"])
def test_a_part_of_it_says_nothing_and_is_not_written(
    page: Path, *, failing: bool
) -> None:
    """Where it was to be written, it is told what is missing."""
    shown, cell = whole(), ("JOIN", "yjs")
    if failing:
        shown.failed.add(cell)
    else:
        shown.ran.discard(cell)
    assert matrix.judge(shown, write=False) == ""
    assert "JOIN[yjs]" in matrix.judge(shown, write=True)
    assert "OUTDATED" in page.read_text("utf-8")


def test_a_promise_without_a_test_is_not_whole(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when only one file of the suite was read."""
    del matrix.CLAIMS["KEPT"]
    assert matrix.judge(whole(), write=False) == ""
    assert "KEPT" in matrix.judge(whole(), write=True)
    assert "OUTDATED" in page.read_text("utf-8")
