"""The guard against edits that cut a character in two.

Yjs counts UTF-16 code units, so a client can delete, or insert into, one half of a
character outside the Basic Multilingual Plane. Yjs then shows U+FFFD for both halves;
Yrs, which keeps UTF-8, moves the cut and from there on reads the note differently
(y-crdt issue 399). Such an edit is refused. Editors do not make it: it takes an index
that no cursor can reach.

A cut stands before a unit. It is harmless except before the low half of a pair:
- a deleted range cuts before its first unit and after its last;
- an insertion cuts after its left neighbour and before its right one;
- a struct of which the front is known cuts where the known part ends.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from .update import ID, Range, Struct, Update

_LAST_OF_PLANE_0 = "\uffff"


class SurrogateGuard:
    """Remembers the low half of every pair ever written in a note, 8 bytes each."""

    __slots__ = ("_low",)

    def __init__(self) -> None:
        self._low: dict[int, array[int]] = {}

    def splits(
        self,
        update: Update,
        new_deletions: Mapping[int, Sequence[Range]],
        clocks: Mapping[int, int],
    ) -> bool:
        """Say whether an update cuts a pair, known or its own; changes nothing.

        `clocks` is the state vector without the update, and `new_deletions` the part of
        its delete set that is not deleted yet. What the update repeats beside them is
        not looked at, because it is not applied again.
        """
        own: dict[int, set[int]] = {}
        for client, low in _new_pairs(update, clocks):
            own.setdefault(client, set()).update(low)
        return any(
            clock in own.get(client, ()) or self._knows(client, clock)
            for client, clock in _cuts(update, new_deletions, clocks)
        )

    def absorb(self, update: Update, clocks: Mapping[int, int]) -> None:
        """Remember the pairs of an update; `clocks` is the state vector without it.

        Updates must come in the order in which they were applied.
        """
        for client, low in _new_pairs(update, clocks):
            self._low.setdefault(client, array("Q")).extend(low)

    def _knows(self, client: int, clock: int) -> bool:
        # A client's clocks only grow, so that its array is sorted by itself.
        low = self._low.get(client)
        if low is None:
            return False
        index = bisect_left(low, clock)
        return index < len(low) and low[index] == clock


def _new_structs(
    update: Update, clocks: Mapping[int, int]
) -> Iterator[tuple[int, Struct]]:
    for client, block in update.blocks.items():
        known = clocks.get(client, 0)
        for struct in block.structs:
            if struct.end > known:
                yield client, struct


def _new_pairs(
    update: Update, clocks: Mapping[int, int]
) -> Iterator[tuple[int, list[int]]]:
    for client, struct in _new_structs(update, clocks):
        known = clocks.get(client, 0)
        low = [clock for clock in _low_halves(struct) if clock >= known]
        if low:
            yield client, low


def _low_halves(struct: Struct) -> list[int]:
    if struct.text.isascii() or max(struct.text) <= _LAST_OF_PLANE_0:
        return []
    low: list[int] = []
    clock = struct.clock
    for character in struct.text:
        clock += 1
        if character > _LAST_OF_PLANE_0:
            low.append(clock)
            clock += 1
    return low


def _cuts(
    update: Update,
    new_deletions: Mapping[int, Sequence[Range]],
    clocks: Mapping[int, int],
) -> Iterator[ID]:
    for client, ranges in new_deletions.items():
        for start, end in ranges:
            yield client, start
            yield client, end
    for client, struct in _new_structs(update, clocks):
        if struct.left is not None:
            yield struct.left[0], struct.left[1] + 1
        if struct.right is not None:
            yield struct.right
        known = clocks.get(client, 0)
        if struct.clock < known:
            yield client, known
