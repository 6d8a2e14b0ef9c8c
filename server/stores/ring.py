"""The arithmetic of positions, and a ring of the newest publications. Pure: no clock.

    ring.add(publication, size_bytes, now_s)     returns what had to leave for it
    ring.after(position, limit)                  what follows, or Unrecoverable
    ring.before(offset, limit)                   what stands before it, if kept
    step(last, arriving)                         what a reader at `last` does with it

A ring never has holes: it holds the publications `floor + 1 ... top`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from ..errors import Unrecoverable

if TYPE_CHECKING:
    from ..model import Position, Publication


ENTRY_BYTES = 400
"""What a publication takes in memory beside its content."""


class Step(StrEnum):
    """What an arriving position is to a reader who has seen all up to another."""

    NEXT = "next"
    """The very next one: take it."""
    SEEN = "seen"
    """Not newer: skip it."""
    GAP = "gap"
    """Some are missing in between: read the log first."""
    ANEW = "anew"
    """Another epoch: the two cannot be compared."""


def step(last: Position, arriving: Position) -> Step:
    """Say what a reader at `last` does with a publication at `arriving`."""
    if arriving.epoch != last.epoch:
        return Step.ANEW
    if arriving.offset <= last.offset:
        return Step.SEEN
    return Step.NEXT if arriving.offset == last.offset + 1 else Step.GAP


def check_recoverable(after: Position, floor: int, top: Position) -> None:
    """Return if everything after `after` is there, in a log that holds (floor, top].

    Raises `Unrecoverable`, whose text says why. The position may come from a client.
    """
    if after.epoch != top.epoch:
        raise Unrecoverable(f"{after} is of another epoch than {top}")
    if after.offset > top.offset:
        raise Unrecoverable(f"{after} is ahead of {top}")
    if after.offset < floor:
        raise Unrecoverable(f"what follows {after} up to offset {floor} is gone")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a ring keeps: the bound that is met first counts. `inf` s is for ever.

    `max_bytes` counts contents as they were encoded; a publication bigger than that is
    not kept at all.
    """

    size: int = 1_000
    age_s: float = 300.0
    max_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    publication: Publication
    size_bytes: int
    added_s: float


class Ring:
    """The newest publications of one channel's stream, inside its bounds.

    `before` is the place before the first publication that will be added: offset 0
    where the ring begins with the stream.
    """

    __slots__ = ("_bounds", "_bytes", "_entries", "_top")

    def __init__(self, before: Position, bounds: Bounds) -> None:
        self._bounds = bounds
        self._bytes = 0
        self._entries: deque[_Entry] = deque()
        self._top = before

    @property
    def top(self) -> Position:
        """The newest position that was added."""
        return self._top

    @property
    def floor(self) -> int:
        """The offset after which everything is still there."""
        return self._top.offset - len(self._entries)

    @property
    def size_bytes(self) -> int:
        """How many bytes of content are kept."""
        return self._bytes

    @property
    def cost_bytes(self) -> int:
        """About how much memory it takes: contents, and what stands around them."""
        return self._bytes + ENTRY_BYTES * len(self._entries)

    @property
    def is_passing(self) -> bool:
        """Whether what it holds goes by age anyway, so that it may go sooner."""
        return self._bounds.age_s != inf

    def add(
        self, publication: Publication, size_bytes: int, now_s: float
    ) -> list[Publication]:
        """Take the next publication; return what left, oldest first.

        Raises ValueError where its position is not the next one.
        """
        if step(self._top, publication.position) is not Step.NEXT:
            raise ValueError(f"{publication.position} does not follow {self._top}")
        self._entries.append(_Entry(publication, size_bytes, now_s))
        self._bytes += size_bytes
        self._top = publication.position
        return self.trim(now_s)

    def trim(self, now_s: float) -> list[Publication]:
        """Let go of what is outside the bounds; return it, oldest first."""
        gone = []
        while self._entries and self._exceeds(now_s):
            gone.append(self._pop())
        return gone

    def release(self, offset: int) -> list[Publication]:
        """Let go of everything up to an offset; return it, oldest first."""
        gone = []
        while self._entries and self.floor < offset:
            gone.append(self._pop())
        return gone

    def shrink(self, cost_bytes: int) -> list[Publication]:
        """Let go of the oldest until it costs no more; return it, oldest first."""
        gone = []
        while self._entries and self.cost_bytes > cost_bytes:
            gone.append(self._pop())
        return gone

    def after(self, position: Position, limit: int) -> tuple[Publication, ...]:
        """Return up to `limit` publications that follow, ascending, or `Unrecoverable`.

        Call `trim` first where age matters.
        """
        check_recoverable(position, self.floor, self._top)
        return self._run(position.offset, position.offset + limit)

    def before(self, offset: int | None, limit: int) -> tuple[Publication, ...]:
        """Return up to `limit` publications before an offset, ascending; None: newest.

        Fewer come back where the ring holds no more.
        """
        end = self._top.offset if offset is None else min(offset - 1, self._top.offset)
        return self._run(max(end - limit, self.floor), end)

    def _run(self, after: int, until: int) -> tuple[Publication, ...]:
        start, stop = after - self.floor, max(until - self.floor, 0)
        entries = islice(self._entries, start, stop)
        return tuple(entry.publication for entry in entries)

    def _exceeds(self, now_s: float) -> bool:
        return (
            len(self._entries) > self._bounds.size
            or self._bytes > self._bounds.max_bytes
            or now_s - self._entries[0].added_s > self._bounds.age_s
        )

    def _pop(self) -> Publication:
        entry = self._entries.popleft()
        self._bytes -= entry.size_bytes
        return entry.publication
