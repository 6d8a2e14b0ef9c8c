"""A timing wheel: many coarse timers, one timer of the loop.

A timer for each session costs a heap entry each; here all that fall into the same slot
share one. Timers are late by up to one slot, never early.
"""

from __future__ import annotations

import logging
from types import MethodType
from typing import TYPE_CHECKING, Protocol
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable


logger = logging.getLogger("hubbub.wheel")


class Timers(Protocol):
    """The part of the event loop that the wheel needs."""

    def time(self) -> float:
        """Return monotonic seconds."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Cancellable:
        """Call back at `when`."""


class Cancellable(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Call it off."""


class Wheel:
    """Calls back after a delay, to the precision of `slot_s` seconds."""

    def __init__(self, timers: Timers, slot_s: float) -> None:
        self._timers = timers
        self._slot_s = slot_s
        self._slots: dict[int, list[Callable[[], None]]] = {}
        self._timer: Cancellable | None = None
        self._next_slot = 0

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call back once, after `delay_s` and before `delay_s + slot_s`.

        It cannot be called off: the callback checks whether it is still wanted.
        """
        slot = int((self._timers.time() + delay_s) / self._slot_s) + 1
        waiting = self._slots.get(slot)
        if waiting is not None:
            waiting.append(callback)
            return
        self._slots[slot] = [callback]
        if self._timer is None or slot < self._next_slot:
            self._arm(slot)

    def remind(self, delay_s: float, method: Callable[[], None]) -> None:
        """Call a bound method back, unless its object is gone by then.

        What has ended is not kept by the timers that it set.
        """
        self.call_later(delay_s, _Reminder(method))

    def stop(self) -> None:
        """Forget all timers."""
        self._slots.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_slot = slot
        self._timer = self._timers.call_at(slot * self._slot_s, self._turn)

    def _turn(self) -> None:
        self._timer = None
        now_slot = int(self._timers.time() / self._slot_s)
        for slot in sorted(slot for slot in self._slots if slot <= now_slot):
            for callback in self._slots.pop(slot):
                _call(callback)
        # Also where a callback has armed it: perhaps for a later slot than others wait.
        if self._slots:
            self._arm(min(self._slots))


class _Reminder:
    """Calls a bound method, unless its object is gone.

    Each session has one; WeakMethod would take seven times as much for it.
    """

    __slots__ = ("_known", "_method")

    def __init__(self, method: Callable[[], None]) -> None:
        if not isinstance(method, MethodType):
            raise TypeError(method)
        self._known = ref(method.__self__)
        self._method = method.__func__

    def __call__(self) -> None:
        found = self._known()
        if found is not None:
            self._method(found)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        # The others of the slot must not miss their time.
        logger.exception("a timer failed")
