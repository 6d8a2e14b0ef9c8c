"""One row for each server, and what is missing is said."""

from __future__ import annotations

from bench.field import FIELD, chosen
from bench.found import Case, Run, Scenario, Visit
from bench.generator import Heard
from bench.table import remarks, servers


def run(per_cpu_s: float, p99_s: float = 0.002) -> Run:
    """A run of one second."""
    heard = Heard(10, 10_000, 1.0, 0.25, 0.001, p99_s, 0.003)
    return Run(heard, 10_000 / per_cpu_s)


def cells(visits: list[Visit]) -> list[str]:
    """The row of a server, without its name."""
    (row,) = servers(FIELD, {"c": visits}).splitlines()[2:3]
    return [cell.strip() for cell in row.split("|")[2:-1]]


def test_a_cell_is_the_median_of_the_visits() -> None:
    """With the least and the greatest beside it."""
    found = [Visit({Case.ONE: run(rate)}) for rate in (50_000, 40_000, 90_000)]
    assert cells(found)[0] == "50,000 (40-90 k)"


def test_what_was_not_measured_is_a_dash() -> None:
    """It is not nought."""
    assert set(cells([Visit()])) == {"-"}


def test_a_slow_one_is_told_by_what_it_did_to_the_others() -> None:
    """Their p99 with it, over their p99 without it."""
    runs = {Case.CALM: run(1, p99_s=0.002), Case.SLOW: run(1, p99_s=0.003)}
    assert cells([Visit(runs, growth_bytes=3 * 1024 * 1024)])[8:10] == ["1.50", "3.0"]


def test_why_something_is_missing_stands_below() -> None:
    """In the words of the server, or of what could not be installed."""
    said = remarks(FIELD, {"ws": [Visit(faults={Scenario.ROOMS: "no Node"})]})
    assert said == "Not measured:\n\n- `ws` (Node), rooms: no Node"


def test_what_a_reader_should_know_stands_below() -> None:
    """Once, whatever the number of rounds."""
    visit = Visit(notes={Scenario.CHAT: "the database was on ext4"})
    said = remarks(FIELD, {"c": [visit, visit]})
    assert said == "- plain epoll server in C, chat: the database was on ext4"


def test_servers_are_chosen_by_their_words() -> None:
    """In the order of the table, whatever the order of the words."""
    assert [each.word for each in chosen("joined,hubbub")] == ["hubbub", "joined"]
    assert chosen("") == FIELD
