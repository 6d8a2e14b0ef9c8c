"""What an edit did to a text, in code points, for those who do not speak Yjs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Change: TypeAlias = tuple[int, int, str]
"""At this code point so many were deleted and this text was inserted.

The changes of one edit stand in ascending order and count in the text before the edit:
whoever applies them goes from the last to the first.
"""


def apply_changes(before: str, changes: Sequence[Change]) -> str:
    """Return the text after the changes."""
    parts: list[str] = []
    position = 0
    for at, deleted, inserted in changes:
        parts += (before[position:at], inserted)
        position = at + deleted
    parts.append(before[position:])
    return "".join(parts)


def read_delta(
    delta: Sequence[Mapping[str, object]], before: str, after: str
) -> tuple[Change, ...]:
    """Turn pycrdt's delta of a text into changes.

    pycrdt counts UTF-8 bytes, and embedded objects as one. A delta that does not lead
    from `before` to `after` gives way to one change that spans all differences.
    """
    try:
        changes = _read_delta(delta, before.encode())
    except UnicodeDecodeError:
        return changes_between(before, after)
    if apply_changes(before, changes) != after:
        return changes_between(before, after)
    return changes


def changes_between(before: str, after: str) -> tuple[Change, ...]:
    """Return the one change that spans all differences, or none."""
    if before == after:
        return ()
    start, shorter = 0, min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    tail = 0
    while tail < shorter - start and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    end = len(before) - tail
    return ((start, end - start, after[start : len(after) - tail]),)


def _read_delta(
    delta: Sequence[Mapping[str, object]], before: bytes
) -> tuple[Change, ...]:
    changes: list[Change] = []
    byte = at = 0
    for step in delta:
        inserted, deleted, kept = (
            step.get("insert"),
            step.get("delete"),
            step.get("retain"),
        )
        if isinstance(inserted, str):
            _join(changes, (at, 0, inserted))
        elif isinstance(deleted, int):
            length = len(before[byte : byte + deleted].decode())
            _join(changes, (at, length, ""))
            byte += deleted
            at += length
        elif isinstance(kept, int):
            at += len(before[byte : byte + kept].decode())
            byte += kept
    return tuple(changes)


def _join(changes: list[Change], change: Change) -> None:
    """Add a change, as a part of the last one if it begins where that ends."""
    if changes and sum(changes[-1][:2]) == change[0]:
        at, deleted, inserted = changes.pop()
        change = (at, deleted + change[1], inserted + change[2])
    changes.append(change)
