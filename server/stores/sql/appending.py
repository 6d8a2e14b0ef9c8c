"""One batch of Appends as one transaction: few statements, whatever its size.

    lock the channels, made where missing; then, under the locks, look up the keys
    decide in memory what becomes of each Append
    insert publications and keys, move the tops, apply the changes

Nothing in it fails for one Append alone, so it needs no savepoints: contents were
encoded before, keys are looked up under the lock, and changes are upserts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from sqlalchemy import bindparam, insert, select, update

from ...seams.log import Appended, Duplicate
from .channels import chunks, lock_channels
from .tables import channel, idempotency, publication, storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from ...content import Encoded
    from ...model import Position, Principal
    from ...seams.log import Append, Change, Draft, Outcome
    from .channels import Stream

    Values: TypeAlias = dict[str, object]

C = TypeVar("C", bound="Change")

# Built once: building a statement costs as much as running it.
_KEYS = select(idempotency).where(
    idempotency.c.scope.in_(bindparam("scopes", expanding=True))
)
_KEEP_PUBLICATIONS = insert(publication)
_KEEP_KEYS = insert(idempotency)
_MOVE_TOP = (
    update(channel)
    .where(channel.c.id == bindparam("moved_id"))
    .values(top=bindparam("moved_top"))
)


class Appliers:
    """What applies each type of change, given all of that type in their order."""

    def __init__(self) -> None:
        self._of: dict[type, Callable[[Connection, Sequence[Change]], None]] = {}

    def add(
        self, kind: type[C], apply: Callable[[Connection, Sequence[C]], None]
    ) -> None:
        """Say what applies changes of one type, inside their transaction."""
        erased = cast("Callable[[Connection, Sequence[Change]], None]", apply)
        self._of[kind] = erased

    def check(self, change: Change) -> None:
        """Raise TypeError for a change that nothing here applies."""
        if type(change) not in self._of:
            raise TypeError(f"this store keeps no {type(change).__name__}")

    def apply(self, connection: Connection, changes: Sequence[Change]) -> None:
        """Apply changes; those of one type in their order.

        The types come in the order in which they were added, so that transactions of
        several nodes lock their rows in one order.
        """
        by_kind: defaultdict[type, list[Change]] = defaultdict(list)
        for change in changes:
            by_kind[type(change)].append(change)
        for kind, apply in self._of.items():
            if kind in by_kind:
                apply(connection, by_kind[kind])


def scope(channel_id: int, key: str, author: Principal | None) -> str:
    """Return what a key is unique in, as text; a key has no spaces (`check_key`)."""
    return f"{channel_id} {key} {storable(author.id) if author is not None else ''}"


class Transaction:
    """What one batch writes; made for one connection, used once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._streams: dict[str, Stream] = {}
        self._known: dict[str, int] = {}
        self._publications: list[Values] = []
        self._keys: list[Values] = []
        self._changes: list[Change] = []
        self._moved: set[str] = set()

    def run(
        self, batch: Sequence[tuple[Append, Encoded]], appliers: Appliers
    ) -> list[Outcome]:
        """Write the batch; return what became of each Append. The caller commits."""
        names = {draft.channel for append, _ in batch for draft in append.drafts}
        self._streams = lock_channels(self._connection, names)
        self._known = self._look_up([append for append, _ in batch])
        outcomes = [self._decide(append, contents) for append, contents in batch]
        self._write(appliers)
        return outcomes

    def _scope(self, first: Draft, key: str) -> str:
        return scope(self._streams[first.channel].id, key, first.author)

    def _look_up(self, appends: Sequence[Append]) -> dict[str, int]:
        wanted = [
            self._scope(append.drafts[0], append.key)
            for append in appends
            if append.key is not None
        ]
        return {
            row.scope: row.offset
            for chunk in chunks(wanted)
            for row in self._connection.execute(_KEYS, {"scopes": chunk})
        }

    def _decide(self, append: Append, contents: Encoded) -> Outcome:
        if append.key is not None:
            first = append.drafts[0]
            used = self._scope(first, append.key)
            stream = self._streams[first.channel]
            if used in self._known:
                return Duplicate(stream.position(self._known[used]))
            self._known[used] = stream.top + 1
            self._keys.append({"scope": used, "offset": stream.top + 1})
        keys = (append.key, *[None] * len(append.drafts))
        positions = tuple(
            self._add(draft, content, key)
            for draft, content, key in zip(append.drafts, contents, keys, strict=False)
        )
        self._changes.extend(append.changes)
        return Appended(positions)

    def _add(self, draft: Draft, content: bytes, key: str | None) -> Position:
        stream = self._streams[draft.channel]
        stream.top += 1
        self._moved.add(draft.channel)
        author = draft.author
        self._publications.append(
            {
                "channel_id": stream.id,
                "offset": stream.top,
                "event": draft.event,
                "content": content,
                "binary": isinstance(draft.content, bytes),
                "author_id": author.id if author is not None else None,
                "author_name": author.name if author is not None else None,
                "time_ms": draft.time_ms,
                "key": key,
            }
        )
        return stream.position(stream.top)

    def _write(self, appliers: Appliers) -> None:
        tops = [
            {"moved_id": self._streams[name].id, "moved_top": self._streams[name].top}
            for name in sorted(self._moved)
        ]
        for statement, rows in (
            (_KEEP_PUBLICATIONS, self._publications),
            (_KEEP_KEYS, self._keys),
            (_MOVE_TOP, tops),
        ):
            if rows:
                self._connection.execute(statement, rows)
        appliers.apply(self._connection, self._changes)
