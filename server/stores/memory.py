"""The store that lives in this process: rings of publications, and rows in dicts.

It keeps what its bounds allow, and nothing of it survives the process. A channel gets
a new epoch each time it is made: at its first use, and again after `drop`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ..content import Encoded, check_append, encode_append
from ..errors import Unrecoverable
from ..kinds.chat.rows import RoomTouched
from ..kinds.notes.rows import NoteTouched
from ..model import Position, Publication
from ..seams.log import Appended, Duplicate, Rejected, Slice, Snapshot
from .memory_rows import MemoryChatRows, MemoryNoteRows
from .ring import ENTRY_BYTES, Bounds, Ring, check_recoverable
from .share import fair_level, memory_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..runtime.clock import Clock
    from ..seams.log import Append, Change, Draft, Outcome

MAX_BLANKS = 4_096
"""How many channels without a publication are remembered: their names may be forged."""

TOTAL_BYTES = 128 * 1024 * 1024
"""What all channels together may hold, where each may be anybody's."""
LOOKS = 16
"""The common bound is looked at after each sixteenth of it."""

Apply: TypeAlias = "Callable[[Change], None]"
_Author: TypeAlias = "tuple[str, str]"


def _default_bounds(_channel: str) -> Bounds:
    return Bounds()


@dataclass(slots=True)
class _Stream:
    """One channel: its ring, the keys of what the ring holds, its newest snapshot."""

    ring: Ring
    keys: dict[_Author, int] = field(default_factory=dict)
    snapshot: Snapshot | None = None

    def forget_keys(self, gone: Sequence[Publication]) -> None:
        for publication in gone:
            if publication.key is not None:
                self.keys.pop(_author(publication), None)


def _author(said: Publication | Draft, key: str | None = None) -> _Author:
    author_id = said.author.id if said.author is not None else ""
    found = said.key if isinstance(said, Publication) else key
    return author_id, found or ""


class MemoryLog:
    """A `Log` that keeps the newest publications of each channel, inside its bounds.

    `new_epoch` makes a random epoch (1 to 16 letters and digits). `bounds` says what a
    channel may keep. `apply` has, for each type of change, what applies it. Keys are
    remembered as long as the publication that they belong to. `total_bytes` bounds
    what all channels with a history age hold together: the biggest shrink first.
    """

    def __init__(
        self,
        clock: Clock,
        new_epoch: Callable[[], str],
        bounds: Callable[[str], Bounds] = _default_bounds,
        apply: Mapping[type, Apply] | None = None,
        total_bytes: int = TOTAL_BYTES,
    ) -> None:
        self._clock = clock
        self._new_epoch = new_epoch
        self._bounds = bounds
        self._apply = dict(apply or {})
        self._streams: dict[str, _Stream] = {}
        self._blanks: dict[str, _Stream] = {}
        self._total_bytes = total_bytes
        self._unlooked_bytes = 0

    @property
    def durable(self) -> bool:
        """Nothing survives this process."""
        return False

    @property
    def carries(self) -> bool:
        """It tells nobody."""
        return False

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep a batch; see `seams.log.Log`. Raises TypeError for an unknown change."""
        encoded = []
        for append in batch:
            self._check(append)
            encoded.append(encode_append(append))
        return [
            each if isinstance(each, Rejected) else self._keep(append, each)
            for append, each in zip(batch, encoded, strict=True)
        ]

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """Return what follows a position; see `seams.log.Log`."""
        stream = self._streams.get(channel) or self._blanks.get(channel)
        if stream is None:
            raise Unrecoverable(f"{channel} has no stream yet")
        stream.forget_keys(stream.ring.trim(self._clock.monotonic()))
        return Slice(stream.ring.after(after, limit), stream.ring.top)

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """Return what stands before an offset, or the newest; see `seams.log.Log`."""
        stream = self._stream(channel)
        stream.forget_keys(stream.ring.trim(self._clock.monotonic()))
        return Slice(stream.ring.before(before, limit), stream.ring.top)

    async def top(self, channel: str) -> Position:
        """Return the newest position; a channel without one gets its epoch here."""
        return self._stream(channel).ring.top

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """Return the newest position of each; see `seams.log.Log`."""
        return {channel: self._stream(channel).ring.top for channel in channels}

    async def renew(self, channel: str, epoch: str) -> Position:
        """Forget the stream that `epoch` names; see `seams.log.Log`."""
        if self._stream(channel).ring.top.epoch == epoch:
            self.drop(channel)
        return self._stream(channel).ring.top

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """Keep a state and let go of what it stands for; see `seams.log.Log`.

        One older than the newest is ignored. Raises `Unrecoverable` where `at` is not a
        position of this stream.
        """
        stream = self._stream(channel)
        check_recoverable(at, 0, stream.ring.top)
        if stream.snapshot is None or at.offset >= stream.snapshot.at.offset:
            self._fill(channel)
            stream.snapshot = Snapshot(at, state)
            stream.forget_keys(stream.ring.release(at.offset))

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """Return the newest snapshot; None where there is none."""
        stream = self._streams.get(channel)
        return stream.snapshot if stream is not None else None

    def remember(self, publication: Publication) -> None:
        """Do nothing: what was delivered is here already."""

    def drop(self, channel: str) -> None:
        """Forget the channel: its next use makes a new stream with a new epoch."""
        self._streams.pop(channel, None)
        self._blanks.pop(channel, None)

    def _check(self, append: Append) -> None:
        check_append(append)
        for change in append.changes:
            if type(change) not in self._apply:
                raise TypeError(f"this log keeps no {type(change).__name__}")

    def _keep(self, append: Append, encoded: Encoded) -> Outcome:
        if append.key is not None:
            first = append.drafts[0]
            stream = self._stream(first.channel)
            stream.forget_keys(stream.ring.trim(self._clock.monotonic()))
            offset = stream.keys.get(_author(first, append.key))
            if offset is not None:
                return Duplicate(Position(stream.ring.top.epoch, offset))
        keys = (append.key, *[None] * len(append.drafts))
        positions = tuple(
            self._add(draft, memory_bytes(draft.content, content), key)
            for draft, content, key in zip(append.drafts, encoded, keys, strict=False)
        )
        for change in append.changes:
            self._apply[type(change)](change)
        return Appended(positions)

    def _add(self, draft: Draft, size_bytes: int, key: str | None) -> Position:
        stream = self._fill(draft.channel)
        top = stream.ring.top
        publication = Publication(
            channel=draft.channel,
            position=Position(top.epoch, top.offset + 1),
            event=draft.event,
            content=draft.content,
            author=draft.author,
            time_ms=draft.time_ms,
            key=key,
        )
        if key is not None:
            stream.keys[_author(publication)] = publication.position.offset
        now_s = self._clock.monotonic()
        stream.forget_keys(stream.ring.add(publication, size_bytes, now_s))
        self._look(size_bytes + ENTRY_BYTES)
        return publication.position

    def _look(self, more_bytes: int) -> None:
        """Hold all channels inside the common bound; looked at once in a while."""
        self._unlooked_bytes += more_bytes
        if self._unlooked_bytes < self._total_bytes // LOOKS:
            return
        self._unlooked_bytes = 0
        now_s = self._clock.monotonic()
        passing = [each for each in self._streams.values() if each.ring.is_passing]
        for stream in passing:
            stream.forget_keys(stream.ring.trim(now_s))
        costs = [stream.ring.cost_bytes for stream in passing]
        level = fair_level(costs, self._total_bytes)
        for stream, cost in zip(passing, costs, strict=True):
            if cost > level:
                stream.forget_keys(stream.ring.shrink(level))

    def _stream(self, channel: str) -> _Stream:
        stream = self._streams.get(channel) or self._blanks.get(channel)
        if stream is None:
            stream = _Stream(
                Ring(Position(self._new_epoch(), 0), self._bounds(channel))
            )
            if len(self._blanks) >= MAX_BLANKS:
                self._blanks.pop(next(iter(self._blanks)))
            self._blanks[channel] = stream
        return stream

    def _fill(self, channel: str) -> _Stream:
        stream = self._stream(channel)
        if self._blanks.pop(channel, None) is not None:
            self._streams[channel] = stream
        return stream


class MemoryStore:
    """A log and the rows that its changes keep, all in this process."""

    def __init__(
        self,
        clock: Clock,
        new_epoch: Callable[[], str],
        bounds: Callable[[str], Bounds] = _default_bounds,
    ) -> None:
        self.chat = MemoryChatRows()
        self.notes = MemoryNoteRows()
        apply = {RoomTouched: self.chat.touch, NoteTouched: self.notes.touch}
        self.log = MemoryLog(clock, new_epoch, bounds, apply)
