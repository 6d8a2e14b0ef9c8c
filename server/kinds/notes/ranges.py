"""Sets of units, kept as ranges of clocks: what a note knows to be deleted."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from .update import Range


class RangeSet:
    """Clocks of one client as sorted ranges that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Add the clocks from `start` to before `end`, of which there is at least one.

        Costs a binary search, and a move of what lies behind.
        """
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def without(self, start: int, end: int) -> list[Range]:
        """Return the parts of the range that are not in the set, in order."""
        missing: list[Range] = []
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._starts) and self._starts[index] < end:
            if start < self._starts[index]:
                missing.append((start, self._starts[index]))
            start = self._ends[index]
            index += 1
        if start < end:
            missing.append((start, end))
        return missing

    def __iter__(self) -> zip[Range]:
        return zip(self._starts, self._ends, strict=True)
