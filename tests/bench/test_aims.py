"""Ratios are taken within a round, and their median is judged."""

from __future__ import annotations

from operator import sub

from bench.aims import AIMS, Aim, memory_kb, rate, table
from bench.found import Case, Run, Stall, Storm, Visit
from bench.generator import Heard


def visit(per_cpu_s: float, memory_bytes: float | None = None) -> Visit:
    """A visit that found so many deliveries for a second of CPU with W = 1."""
    heard = Heard(1, 1_000, 1.0, 0.5, 0.001, 0.002, 0.003)
    run = Run(heard, 1_000 / per_cpu_s)
    return Visit({Case.ONE: run}, memory_bytes=memory_bytes)


def test_a_ratio_is_of_one_round() -> None:
    """A round in which the machine was busy does not count against one of them."""
    found = {
        "a": [visit(100), visit(10), visit(90)],
        "b": [visit(100), visit(10), visit(90)],
    }
    aim = Aim("it", rate(Case.ONE), "a", "b", 0.9)
    assert [round(each, 6) for each in aim.ratios(found)] == [1, 1, 1]
    assert aim.row(found) == "| it | 1.00 (1.00 to 1.00) | at least 0.9 | yes |"


def test_the_median_is_judged() -> None:
    """Not the best round."""
    found = {"a": [visit(50), visit(50), visit(99)], "b": [visit(100)] * 3}
    aim = Aim("it", rate(Case.ONE), "a", "b", 0.9)
    assert aim.row(found).endswith("| at least 0.9 | **no** |")


def test_some_shall_be_at_most() -> None:
    """As memory, which is a difference."""
    found = {"a": [visit(1, 20 * 1024)], "b": [visit(1, 15 * 1024)]}
    aim = Aim("it", memory_kb, "a", "b", 4, most=True, how=sub)
    assert aim.row(found) == "| it | 5.00 (5.00 to 5.00) | at most 4 | **no** |"


def test_what_was_not_measured_has_no_row() -> None:
    """A rival that this machine has not leaves its ratios out."""
    found = {"hubbub": [visit(100)], "joined": [visit(100)], "ws": [Visit()]}
    rows = table(found).splitlines()[2:]
    assert len(rows) == 1
    assert rows[0].startswith("| native, W=1, over joined | 1.00")


def test_a_scenario_of_its_own_has_its_rows() -> None:
    """Each with what it shall be, and whether it is."""
    stall = Stall(10_000, 50, 0.002, 0.0075, 0.003, 0.001, 0.004)
    storm = Storm(10_000, 7.5, 5.0, 0)
    rows = table({"hubbub": [Visit(storm=storm, stalls={Case.ONE: stall})]})
    wanted = "| storm: the server's CPU for each who returns, ms | 0.50 (0.50 to 0.50)"
    assert f"{wanted} | at most 0.6 | yes |" in rows
    wanted = "| stall, W=1: longest turn, ms | 7.50 (7.50 to 7.50)"
    assert f"{wanted} | at most 5 | **no** |" in rows


def test_large_figures_have_no_decimals() -> None:
    """Nobody counts halves of a message."""
    aim = Aim("it", lambda visit: visit.joining_s, "a", None)
    found = {"a": [Visit(joining_s=4321.5)]}
    assert aim.row(found) == "| it | 4,322 (4,322 to 4,322) |  |  |"


def test_no_two_aims_are_called_the_same() -> None:
    """Or a reader could not tell them apart."""
    assert len({aim.what for aim in AIMS}) == len(AIMS)
