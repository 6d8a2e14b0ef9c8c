from __future__ import annotations

from server.runtime.stats import Stats


def test_publications_are_those_of_all_kinds() -> None:
    """The sum over the kinds."""
    stats = Stats()
    stats.accepted["chat"] += 2
    stats.accepted["open"] += 3
    assert stats.publications == 5
