from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from server.runtime.garbage import ENDED, FULL_AFTER, LOOK_S, Garbage
from server.runtime.wheel import Wheel
from tests.runtime.timers import ManualTimers


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


class Count:
    """How many sessions have ended."""

    ended = 0


@pytest.fixture
def timers() -> ManualTimers:
    """Time that is moved by hand."""
    return ManualTimers()


@pytest.fixture
def count() -> Count:
    """None yet."""
    return Count()


@pytest.fixture
def tuned(timers: ManualTimers, count: Count) -> Iterator[None]:
    """A process that is tuned."""
    with Garbage(Wheel(timers, 0.02), lambda: count.ended).tuned():
        yield


def old_garbage() -> weakref.ref[Ring]:
    """A ring that has outlived a full collection, and then ended."""
    ring = Ring()
    gc.collect()
    return weakref.ref(ring)


def test_what_lives_is_looked_at_once(tuned: None) -> None:
    """What survives a full collection is looked at by none that follows."""
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    live = [Ring() for _ in range(1_000)]
    gc.collect()
    assert gc.get_freeze_count() >= frozen + len(live)
    assert len(gc.get_objects()) < 1_000


def test_young_garbage_is_collected_as_ever(tuned: None) -> None:
    """Nothing of it waits for the rare look at everything."""
    known = weakref.ref(Ring())
    gc.collect()
    assert known() is None


def test_old_garbage_goes_when_enough_has_ended(
    tuned: None, timers: ManualTimers, count: Count
) -> None:
    """Within the interval; while little has ended, nothing is looked at."""
    known = old_garbage()
    count.ended = ENDED - 1
    timers.run_until(timers.time() + LOOK_S + 1)
    assert known() is not None
    count.ended = ENDED
    timers.run_until(timers.time() + LOOK_S + 1)
    assert known() is None
    later = old_garbage()
    timers.run_until(timers.time() + LOOK_S + 1)
    assert later() is not None, "it counts anew"
    count.ended = 2 * ENDED
    timers.run_until(timers.time() + LOOK_S + 1)
    assert later() is None


def test_afterwards_all_is_as_it_was(timers: ManualTimers) -> None:
    """The collector is everybody's."""
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    with Garbage(Wheel(timers, 0.02), lambda: 0).tuned():
        assert gc.get_threshold()[2] == FULL_AFTER
    assert gc.get_threshold() == before
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == 0
