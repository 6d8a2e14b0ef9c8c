from __future__ import annotations

from server.gateways.recent import KEPT, Recent


class Thing:
    """Something said."""


def test_a_run_is_made_once() -> None:
    """Though many ask for all of it."""
    asked: list[Thing] = []

    def make(thing: Thing) -> int:
        asked.append(thing)
        return len(asked)

    recent = Recent(make)
    run = [Thing() for _ in range(KEPT)]
    first = [recent.of(each) for each in run]
    assert [recent.of(each) for each in run] == first
    assert asked == run


def test_little_is_kept() -> None:
    """The oldest go, and what is made anew takes no other's place."""
    recent = Recent[Thing, Thing](lambda thing: thing)
    things = [Thing() for _ in range(3 * KEPT)]
    assert all(recent.of(each) is each for each in things)
    assert all(recent.of(each) is each for each in things)
    assert len(recent._kept) == KEPT  # noqa: SLF001
