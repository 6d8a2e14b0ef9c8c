from __future__ import annotations

from collections.abc import Callable
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runtime.wheel import Wheel
from tests.runtime.timers import ManualTimers

SLOT_S = 0.02


@given(st.lists(st.floats(0, 50), max_size=50))
def test_never_early_and_late_by_a_slot_at_most(delays: list[float]) -> None:
    """Whatever the delays, and their order; each once."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    fired: dict[int, float] = {}

    def note(number: int) -> Callable[[], None]:
        def fire() -> None:
            assert number not in fired
            fired[number] = timers.now

        return fire

    for number, delay in enumerate(delays):
        wheel.call_later(delay, note(number))
        assert len(timers.waiting) == 1
    timers.run_until(200.0)
    for number, delay in enumerate(delays):
        late = fired[number] - (100.0 + delay)
        assert -1e-9 <= late <= SLOT_S + 1e-4
    assert timers.waiting == []


def test_a_timer_made_in_a_callback_delays_no_other() -> None:
    """What is set for much later, while others wait, leaves them their time."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    fired: list[str] = []
    wheel.call_later(1.0, lambda: wheel.call_later(50.0, lambda: fired.append("far")))
    wheel.call_later(2.0, lambda: fired.append("near"))
    timers.run_until(103.0)
    assert fired == ["near"]
    timers.run_until(152.0)
    assert fired == ["near", "far"]


def test_a_timer_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Neither of its slot nor of later ones."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    fired: list[int] = []

    def fail() -> None:
        raise ValueError("bug")

    wheel.call_later(1.0, fail)
    wheel.call_later(1.0, lambda: fired.append(1))
    wheel.call_later(5.0, lambda: fired.append(2))
    timers.run_until(110.0)
    assert fired == [1, 2]
    assert "a timer failed" in caplog.text


def nothing() -> None:
    """Do nothing."""


def test_an_earlier_timer_takes_the_place_of_a_later_one() -> None:
    """The wheel has one timer of the loop, for the next slot."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    wheel.call_later(9.0, nothing)
    (far,) = timers.waiting
    wheel.call_later(1.0, nothing)
    (near,) = timers.waiting
    assert near.when < far.when
    assert far.cancelled


def test_a_stopped_wheel_calls_nobody() -> None:
    """All are forgotten; stopping again is nothing."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    fired: list[int] = []
    wheel.call_later(1.0, lambda: fired.append(1))
    wheel.stop()
    wheel.stop()
    timers.run_until(200.0)
    assert fired == []
    assert timers.waiting == []


class Reminded:
    """Something that sets a timer for itself."""

    def __init__(self) -> None:
        self.calls = 0

    def call(self) -> None:
        """Count it."""
        self.calls += 1


def test_what_is_gone_is_not_kept_by_its_timer() -> None:
    """Nor called; what is still there is."""
    timers = ManualTimers()
    wheel = Wheel(timers, SLOT_S)
    here, gone = Reminded(), Reminded()
    watched = ref(gone)
    for each in (here, gone):
        wheel.remind(45.0, each.call)
    del each, gone
    assert watched() is None
    timers.run_until(timers.now + 46.0)
    assert here.calls == 1


def test_only_a_method_can_be_forgotten() -> None:
    """What belongs to nobody would be gone at once."""
    wheel = Wheel(ManualTimers(), SLOT_S)
    with pytest.raises(TypeError):
        wheel.remind(1.0, lambda: None)
