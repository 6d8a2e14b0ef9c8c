"""What was encoded last: codecs that differ in a little share the rest. Pure.

A fan-out asks each codec for the same publications, a run of them at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Said = TypeVar("Said")
Made = TypeVar("Made")

KEPT: Final = 64
"""More than most runs have."""


class Recent(Generic[Said, Made]):
    """Makes something of what is said, once for all who ask in a row."""

    def __init__(self, make: Callable[[Said], Made]) -> None:
        self._make = make
        self._kept: dict[int, tuple[Said, Made]] = {}
        """By identity; what was said is kept beside it, so that it stays its own."""

    def of(self, said: Said) -> Made:
        """Return what is made of it."""
        known = self._kept.get(id(said))
        if known is not None:
            return known[1]
        made = self._make(said)
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[id(said)] = (said, made)
        return made
