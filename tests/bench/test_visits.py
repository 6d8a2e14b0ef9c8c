"""A server is measured in what it can take part in."""

from __future__ import annotations

from bench.field import FIELD, HUBBUB, JOINED, WS
from bench.found import COMPARED, Scenario
from bench.visits import applicable


def test_only_hubbub_is_measured_in_everything() -> None:
    """Chat, market and the loop's turns are its own."""
    apart = [each for each in Scenario if each not in COMPARED]
    assert applicable(HUBBUB, Scenario) == apart


def test_bare_aiohttp_is_beside_it_in_a_storm() -> None:
    """The yardstick for what a connection costs; others would need to recover."""
    assert applicable(JOINED, Scenario) == [Scenario.STORM]
    assert applicable(WS, Scenario) == []


def test_what_compares_is_not_measured_apart() -> None:
    """Or it would be measured twice."""
    assert not any(applicable(each.word, COMPARED) for each in FIELD)
