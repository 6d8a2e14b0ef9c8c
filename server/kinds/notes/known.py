"""What a note has already: whether an update is new to it, known, or ahead of it.

A Yjs document accepts an update that is ahead of it and keeps it aside, unseen and in
no state vector, until what lies between arrives. Whoever snapshots meanwhile loses it,
and whoever acknowledges it lies. So a note decides before it applies, by the same walk
as Yjs' integrateStructs, and takes an update whole or not at all.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum, auto
from typing import Final

from .content import Content
from .ranges import RangeSet
from .update import ID, Range, Struct, Update, UpdateError

_NOTHING: Final = RangeSet()
_COLLECTED: Final = (Content.GC, Content.DELETED)


class Standing(Enum):
    """How an update stands to what a note knows."""

    NEW = auto()
    """It applies, and nothing in its blocks is known yet: it can be logged as it is."""

    PARTIAL = auto()
    """It applies, and repeats structs or deletions that are known."""

    DUPLICATE = auto()
    """Everything in it is known."""

    MISSING = auto()
    """It refers to what is not known: not applicable yet, or never."""


class Known:
    """The clocks and deletions that the updates absorbed so far amount to."""

    __slots__ = ("_collected", "_deleted", "_types", "clocks")

    def __init__(self) -> None:
        self.clocks: dict[int, int] = {}
        """For each client the clock of its next unit: the state vector."""
        self._deleted: dict[int, RangeSet] = {}
        self._collected: dict[int, RangeSet] = {}
        self._types: set[ID] = set()

    def judge(self, update: Update) -> Standing:
        """Say how an update stands; changes nothing.

        Takes time linear in its structs. Raises UpdateError for what is never right: a
        struct that refers to its own client's future (Yjs throws), or one that stands
        in something else than a shared type (pycrdt takes it, and panics when it loads
        the note again).
        """
        after = _Walk(self.clocks, update).walk()
        if after is None or not _contained(update.deletions, after, self.clocks):
            return Standing.MISSING
        new = self.new_deletions(update)
        if not after and not new:
            return Standing.DUPLICATE
        self._check_parents(update)
        repeats = new != update.deletions or any(
            block.clock < self.clocks.get(client, 0)
            or any(struct.content is Content.SKIP for struct in block.structs)
            for client, block in update.blocks.items()
        )
        return Standing.PARTIAL if repeats else Standing.NEW

    def new_deletions(self, update: Update) -> dict[int, tuple[Range, ...]]:
        """Return the parts of an update's delete set that are not known yet."""
        new: dict[int, tuple[Range, ...]] = {}
        for client, ranges in update.deletions.items():
            deleted = self._deleted.get(client, _NOTHING)
            missing = [part for each in ranges for part in deleted.without(*each)]
            if missing:
                new[client] = tuple(missing)
        return new

    def absorb(self, update: Update) -> None:
        """Count an update in that `judge` found NEW or PARTIAL and that was applied."""
        for client, block in update.blocks.items():
            if block.end > self.clocks.get(client, 0):
                self.clocks[client] = block.end
            for struct in block.structs:
                if struct.content is Content.TYPE:
                    self._types.add((client, struct.clock))
                elif struct.content in _COLLECTED:
                    _of(self._deleted, client).add(struct.clock, struct.end)
                    _of(self._collected, client).add(struct.clock, struct.end)
        for client, ranges in update.deletions.items():
            deleted = _of(self._deleted, client)
            for start, end in ranges:
                deleted.add(start, end)

    def agrees_with(self, other: Known) -> bool:
        """Say whether both know the same units and the same deletions."""
        if self.clocks != other.clocks:
            return False
        return _listed(self._deleted) == _listed(other._deleted)

    def _check_parents(self, update: Update) -> None:
        for client, block in update.blocks.items():
            known = self.clocks.get(client, 0)
            for struct in block.structs:
                parent = struct.parent
                if parent is None or struct.end <= known:
                    continue
                if not self._may_hold(parent, update):
                    raise UpdateError("a struct stands in something that holds nothing")

    def _may_hold(self, unit: ID, update: Update) -> bool:
        """Say whether a unit is a shared type, or may have been before collection."""
        client, clock = unit
        if clock < self.clocks.get(client, 0):
            collected = self._collected.get(client, _NOTHING)
            return unit in self._types or not collected.without(clock, clock + 1)
        structs = update.blocks[client].structs
        index = bisect_right(structs, clock, key=lambda struct: struct.clock) - 1
        content = structs[index].content
        return content is Content.TYPE or content in _COLLECTED


def _of(ranges: dict[int, RangeSet], client: int) -> RangeSet:
    found = ranges.get(client)
    if found is None:
        found = ranges[client] = RangeSet()
    return found


def _listed(ranges: dict[int, RangeSet]) -> dict[int, list[Range]]:
    return {client: list(held) for client, held in ranges.items()}


def _contained(
    deletions: dict[int, tuple[Range, ...]],
    after: dict[int, int],
    clocks: dict[int, int],
) -> bool:
    return all(
        end <= after.get(client, clocks.get(client, 0))
        for client, ranges in deletions.items()
        for _, end in ranges
    )


class _Walk:
    """Yjs' integration without the integrating: only clocks move.

    A client's structs go in order. One that needs a unit of another client makes the
    walk continue there until that unit is reached, then comes back. A client that is
    needed while it waits itself closes a circle, which nobody can apply.
    """

    __slots__ = ("_after", "_clocks", "_next", "_update")

    def __init__(self, clocks: dict[int, int], update: Update) -> None:
        self._clocks = clocks
        self._update = update
        self._after: dict[int, int] = {}
        self._next = dict.fromkeys(update.blocks, 0)

    def walk(self) -> dict[int, int] | None:
        """Return the clocks that moved, each with where to; None if it cannot end."""
        for client in self._update.blocks:
            if not self._follow(client):
                return None
        return self._after

    def _follow(self, client: int) -> bool:
        waiting: dict[int, int | None] = {client: None}
        while waiting:
            client, goal = waiting.popitem()
            need = self._advance(client, goal)
            if need is None:
                if goal is not None and self._clock(client) <= goal:
                    return False
                continue
            waiting[client] = goal
            if need[0] in waiting or need[0] not in self._next:
                return False
            waiting[need[0]] = need[1]
        return True

    def _advance(self, client: int, goal: int | None) -> ID | None:
        """Go on until `goal` (None: the end) is passed; return the unit that lacks."""
        structs = self._update.blocks[client].structs
        have = self._clock(client)
        for index in range(self._next[client], len(structs)):
            if goal is not None and have > goal:
                break
            struct = structs[index]
            self._next[client] = index
            if struct.content is not Content.SKIP and struct.end > have:
                need = self._need(client, struct, have)
                if need is not None:
                    return need
                have = self._after[client] = struct.end
            self._next[client] = index + 1
        return None

    def _need(self, client: int, struct: Struct, have: int) -> ID | None:
        if struct.clock > have:
            return client, have
        for unit in (struct.left, struct.right, struct.parent):
            if unit is None:
                continue
            if unit[0] == client and unit[1] >= struct.clock:
                raise UpdateError("a struct refers to itself or to what follows it")
            if unit[1] >= self._clock(unit[0]):
                return unit
        return None

    def _clock(self, client: int) -> int:
        return self._after.get(client, self._clocks.get(client, 0))
