"""How channels share memory."""

from __future__ import annotations

import pytest

from server.stores.share import fair_level, memory_bytes


def test_who_fits_gives_nothing() -> None:
    """The bound is felt only where it is reached."""
    assert fair_level([10, 20, 30], 60) >= 30
    assert fair_level([], 60) == 60


@pytest.mark.parametrize("costs", [[1, 1, 100], [50, 50, 50], [0, 61], [9] * 40])
def test_the_biggest_give_and_the_total_holds(costs: list[int]) -> None:
    """Small channels keep all; what is kept is inside the bound."""
    level = fair_level(costs, 60)
    assert sum(min(cost, level) for cost in costs) <= 60
    assert all(cost <= level for cost in costs if cost * len(costs) <= 60)


def test_many_small_values_count_as_what_they_take() -> None:
    """A list of empty lists takes far more than its text; a long text does not."""
    lists = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert memory_bytes([[]], lists) > 20 * len(lists)
    assert memory_bytes("x", b"x" * 1000) == 1000
    assert memory_bytes(b"[[[[", b"[[[[") == 4
