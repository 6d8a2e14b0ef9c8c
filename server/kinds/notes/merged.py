"""A note's state as raw bytes: what joiners are served, and what a snapshot holds.

The bytes of the updates are merged, never a document's own encoding: that leaves out
what is pending, and loses characters where an edit cut one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pycrdt

from .guarded import guarded
from .update import EMPTY_STATE_VECTOR, EMPTY_UPDATE, check_state_vector

_TAIL_LENGTH: Final = 64
"""pycrdt's merge is quadratic in the count of updates, so that they go in by this."""


class Merged:
    """The updates of a note, in the order of the log, merged as far as it pays.

    The newest stand in a tail. A full tail becomes a part, and a part that has grown to
    half of the one before joins it, so that each byte is merged a logarithmic number of
    times and n updates never lie in more than a few dozen pieces.
    """

    __slots__ = ("_parts", "_tail", "size")

    def __init__(self, updates: Iterable[bytes] = ()) -> None:
        self._parts: list[bytes] = []
        self._tail: list[bytes] = []
        self.size = 0
        """Bytes of all pieces: no less than `len(merged())` up to a few bytes."""
        for update in updates:
            self.append(update)

    def append(self, update: bytes) -> None:
        """Add an update that `NoteDocument.apply` proved; raises UpdateError."""
        self._tail.append(update)
        self.size += len(update)
        if len(self._tail) >= _TAIL_LENGTH:
            self._fold_tail()

    def merged(self) -> bytes:
        """Return the whole state as one update; costs nothing if called again."""
        self._parts = [_merge(*self._parts, *self._tail)]
        self._tail = []
        self.size = len(self._parts[0])
        return self._parts[0]

    def diff(self, state_vector: bytes) -> bytes:
        """Return what a client with this state vector lacks, with all deletions.

        Raises UpdateError for a state vector that may not be trusted.
        """
        check_state_vector(state_vector)
        state = self.merged()
        if state_vector == EMPTY_STATE_VECTOR:
            return state
        with guarded("a state vector cannot be answered"):
            return pycrdt.get_update(state, state_vector)

    def _fold_tail(self) -> None:
        part = _merge(*self._tail)
        self._tail = []
        while self._parts and len(self._parts[-1]) <= 2 * len(part):
            part = _merge(self._parts.pop(), part)
        self._parts.append(part)
        self.size = sum(map(len, self._parts))


def _merge(*updates: bytes) -> bytes:
    if len(updates) <= 1:
        return updates[0] if updates else EMPTY_UPDATE
    with guarded("updates cannot be merged"):
        return pycrdt.merge_updates(*updates)
