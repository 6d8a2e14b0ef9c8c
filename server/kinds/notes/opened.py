"""One open note: its two documents, and how large it may grow.

The *accepted* document is the one against which updates are proved; it may be ahead of
the commit. The *committed* one is what joiners are served from. Both are views of the
log, so that either may be made anew at any time from a state that is the same.

Raw bytes hold what was deleted too. That weight is let go of when it would matter: by a
snapshot at a join, or in memory when the note seems full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .document import NoteDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model import Position

UPDATES_A_SNAPSHOT: Final = 300
"""A join of a note with more updates than this since its last snapshot writes one."""

_SHARE: Final = 8
"""Making a note anew must free this part of its limit, or it is not worth its time."""


class OpenNote:
    """A note in memory, from its stored updates; raises NoteDamaged.

    `at` is the newest update in `committed`, `snapshot_at` the newest in the snapshot
    that was read, `limit_bytes` how large its state may be.
    """

    __slots__ = (
        "_base_bytes",
        "_incompressible",
        "_limit_bytes",
        "accepted",
        "at",
        "committed",
        "snapshot_at",
    )

    def __init__(
        self,
        updates: Sequence[bytes],
        at: Position,
        snapshot_at: int,
        limit_bytes: int,
    ) -> None:
        self.committed = NoteDocument(updates)
        # From the merge: merging many updates is what takes the time.
        self.accepted = NoteDocument([self.committed.raw()])
        self.at = at
        self.snapshot_at = snapshot_at
        self._limit_bytes = limit_bytes
        self._base_bytes = 0
        self._incompressible = False

    def retract(self) -> None:
        """Let the accepted document be what was committed and delivered."""
        self.accepted = NoteDocument([self.committed.raw()])

    def fits(self, update: bytes) -> bool:
        """Say whether an update may be added; one that only deletes always may."""
        if self.accepted.size + len(update) <= self._limit_bytes:
            return True
        return not self.accepted.brings(update) or self.has_room(len(update))

    def has_room(self, added_bytes: int) -> bool:
        """Say whether so many bytes may be added.

        Lets go of what was deleted if that makes the room; takes time linear in the
        note then, at most once for each eighth of the limit that is written.
        """
        if self.accepted.size + added_bytes <= self._limit_bytes:
            return True
        most = self._limit_bytes - self._limit_bytes // _SHARE
        if self._incompressible or self.accepted.encoded_size() + added_bytes > most:
            return False
        self.accepted = NoteDocument([self.accepted.compacted()])
        fits = self.accepted.size + added_bytes <= self._limit_bytes
        self._incompressible = not fits
        return fits

    def wants_snapshot(self) -> bool:
        """Say whether the next join should write a snapshot."""
        updates = self.at.offset - self.snapshot_at
        if updates > UPDATES_A_SNAPSHOT:
            return True
        size = self.committed.size
        grown = size - self._base_bytes > self._limit_bytes // _SHARE
        return updates > 0 and grown and size > self._limit_bytes // 2

    def compact(self) -> bytes:
        """Return the committed state as of `at`, and go on from it.

        The accepted document goes on from it too, unless it is ahead: deletions in
        flight show in no state vector, so that they are compared as well.
        """
        state = self.committed.compacted()
        committed = NoteDocument([state])
        if self.accepted.knows_as_much_as(self.committed):
            self.accepted = NoteDocument([state])
        self.committed = committed
        self.snapshot_at = self.at.offset
        self._base_bytes = committed.size
        return state
