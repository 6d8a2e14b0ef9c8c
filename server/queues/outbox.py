"""What waits to be written to one session: bounded in bytes, pure.

Rules:
1. Publications and replies keep their order and are never dropped here. If they do not
   fit, even after waiting signals were dropped, `put` says so and the session is
   closed; its client resumes by position.
2. A signal with a key replaces the waiting one of its (channel, key). A signal without
   one waits in order and is the first to go; those with keys go only for what must not
   be lost.
3. What was dropped or merged is counted for each channel, and `take_gaps` tells it.
4. A catch-up (the reply to a subscribe) is exempt from the bound: its own bound is the
   kind's, and the next one waits while those before it take as much as the bound.

Theory of operation: `_line` holds frames in order. `_keyed` holds the newest frame for
each (channel, key); it leaves behind the line, each channel at most once in its flush
interval.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ..model import Gap

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME_OVERHEAD_BYTES = 64
"""What an entry costs beside its bytes, so that a flood of tiny frames is bounded."""


class Entry(NamedTuple):
    """What waits as one: a frame, or several joined. Many outboxes may share it."""

    frame: bytes
    channel: str | None
    cost_bytes: int
    droppable: bool = False
    exempt: bool = False


def entry_of(frames: Sequence[bytes], channel: str | None) -> Entry:
    """Return the entry of frames that must not be lost, and leave together."""
    chunk = b"".join(frames) if len(frames) > 1 else frames[0]
    return Entry(chunk, channel, len(chunk) + FRAME_OVERHEAD_BYTES * len(frames))


_EMPTY: Final[deque[Entry]] = deque(maxlen=0)
"""The line of all who keep up: one of its own would be most of an idle outbox."""


class Outbox:
    """One session's waiting frames. Not for use from several threads."""

    __slots__ = (
        "_droppable_count",
        "_due",
        "_exempt_bytes",
        "_exempt_count",
        "_keyed",
        "_limit_bytes",
        "_line",
        "_merged",
        "_skipped",
        "waiting_bytes",
    )

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._line: deque[Entry] = _EMPTY
        self._keyed: dict[str, dict[str, bytes]] = {}
        self._due: dict[str, float] = {}
        self._skipped: dict[str, int] = {}
        self._merged: dict[str, int] = {}
        self._droppable_count = 0
        self._exempt_count = self._exempt_bytes = 0
        self.waiting_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._line or self._keyed)

    @property
    def catching_up(self) -> bool:
        """Whether a catch-up still waits here."""
        return self._exempt_count > 0

    @property
    def is_full_of_past(self) -> bool:
        """Whether as much of catch-ups waits as may wait of all else."""
        return self._exempt_bytes > self._limit_bytes

    @property
    def held_bytes(self) -> int:
        """What all that waits takes, catch-ups too."""
        return self.waiting_bytes + self._exempt_bytes

    def put(self, frame: bytes, channel: str | None, *, exempt: bool = False) -> bool:
        """Queue what must not be lost; return False where it does not fit."""
        if not exempt:
            return self.put_entry(Entry(frame, channel, _cost(frame)))
        self._exempt_count += 1
        self._exempt_bytes += _cost(frame)
        self._append(Entry(frame, channel, 0, exempt=True))
        return True

    def put_entry(self, entry: Entry) -> bool:
        """Queue what others may have queued too; return False where it does not fit."""
        waiting_bytes = self.waiting_bytes + entry.cost_bytes
        if waiting_bytes > self._limit_bytes:
            if not self._make_room(entry.cost_bytes, keyed=True):
                return False
            waiting_bytes = self.waiting_bytes + entry.cost_bytes
        self.waiting_bytes = waiting_bytes
        self._append(entry)
        return True

    def put_signal(self, frame: bytes, channel: str) -> bool:
        """Queue a signal without a key; return False where it was dropped."""
        if not self._fits(_cost(frame)):
            self._skip(channel)
            return False
        self.waiting_bytes += _cost(frame)
        self._droppable_count += 1
        self._append(Entry(frame, channel, _cost(frame), droppable=True))
        return True

    def put_keyed(self, frame: bytes, channel: str, key: str) -> bool:
        """Queue a signal that replaces the waiting one; False: dropped or merged."""
        before = self._keyed.get(channel, {}).get(key)
        more = _cost(frame) - (0 if before is None else _cost(before))
        if not self._make_room(more, keyed=False):
            self._skip(channel)
            return False
        self.waiting_bytes += more
        self._keyed.setdefault(channel, {})[key] = frame
        if before is not None:
            self._merged[channel] = self._merged.get(channel, 0) + 1
        return before is None

    def take_all(self, room_bytes: int) -> bytes | None:
        """Remove and return all that waits, where all of it may leave now; else None.

        The short way of `take`, for the session that keeps up: there is nothing keyed,
        no catch-up and nothing to be told of gaps.
        """
        line = self._line
        if (
            not line
            or self.waiting_bytes > room_bytes
            or self._keyed
            or self._exempt_count
            or self._skipped
            or self._merged
        ):
            return None
        self.waiting_bytes = self._droppable_count = 0
        self._line = _EMPTY
        if len(line) == 1:
            return line[0].frame
        return b"".join([entry.frame for entry in line])

    def take(
        self, room_bytes: int, now: float, intervals: dict[str, float]
    ) -> list[bytes]:
        """Remove and return frames in order, until `room_bytes` is used up.

        At least one frame leaves if any waits and there is room at all, so that a frame
        larger than the room is not stuck. `intervals` gives each channel's flush
        interval in seconds (missing: 0).
        """
        taken: list[bytes] = []
        while self._line and room_bytes > 0:
            entry = self._line.popleft()
            self._release(entry)
            taken.append(entry.frame)
            room_bytes -= len(entry.frame)
        if not self._line:
            self._line = _EMPTY
            if self._keyed and room_bytes > 0:
                self._take_keyed(taken, room_bytes, now, intervals)
        return taken

    def next_due(self, now: float) -> float | None:
        """Return when the next frame may leave; None where none waits."""
        if self._line:
            return now
        return min((self._due.get(name, now) for name in self._keyed), default=None)

    def take_gaps(self) -> list[Gap]:
        """Return what was dropped and merged since the last call, and start anew."""
        channels = self._skipped.keys() | self._merged.keys()
        gaps = [
            Gap(name, self._skipped.get(name, 0), self._merged.get(name, 0))
            for name in sorted(channels)
        ]
        self._skipped.clear()
        self._merged.clear()
        return gaps

    @property
    def has_gaps(self) -> bool:
        """Whether anything was dropped or merged since the last `take_gaps`."""
        return bool(self._skipped or self._merged)

    def drop_channel(self, channel: str) -> None:
        """Drop what waits for a channel: its subscription ended."""
        kept = deque[Entry]()
        for entry in self._line:
            if entry.channel == channel:
                self._release(entry)
            else:
                kept.append(entry)
        self._line = kept
        for frame in self._keyed.pop(channel, {}).values():
            self.waiting_bytes -= _cost(frame)
        self._due.pop(channel, None)
        self._skipped.pop(channel, None)
        self._merged.pop(channel, None)

    def drop_keyed(self) -> None:
        """Drop the signals with keys, counted: what is left can leave at once."""
        for channel, waiting in self._keyed.items():
            for frame in waiting.values():
                self.waiting_bytes -= _cost(frame)
                self._skip(channel)
        self._keyed.clear()

    def clear(self) -> None:
        """Drop everything: the session ends."""
        self._line = _EMPTY
        self._keyed.clear()
        self._droppable_count = 0
        self._exempt_count = self._exempt_bytes = 0
        self.waiting_bytes = 0

    def _append(self, entry: Entry) -> None:
        if self._line is _EMPTY:
            self._line = deque()
        self._line.append(entry)

    def _fits(self, cost: int) -> bool:
        return self.waiting_bytes + cost <= self._limit_bytes

    def _make_room(self, cost: int, *, keyed: bool) -> bool:
        """Drop signals until the cost fits; those with keys only where `keyed`."""
        if not self._fits(cost) and self._droppable_count:
            self._drop_unkeyed()
        if keyed and not self._fits(cost):
            self.drop_keyed()
        return self._fits(cost)

    def _release(self, entry: Entry) -> None:
        self._droppable_count -= entry.droppable
        if entry.exempt:
            self._exempt_count -= 1
            self._exempt_bytes -= _cost(entry.frame)
        self.waiting_bytes -= entry.cost_bytes

    def _skip(self, channel: str) -> None:
        self._skipped[channel] = self._skipped.get(channel, 0) + 1

    def _drop_unkeyed(self) -> None:
        kept = deque[Entry]()
        for entry in self._line:
            if entry.droppable:
                self._release(entry)
                self._skip(entry.channel or "")
            else:
                kept.append(entry)
        self._line = kept

    def _take_keyed(
        self,
        taken: list[bytes],
        room_bytes: int,
        now: float,
        intervals: dict[str, float],
    ) -> None:
        for channel, waiting in tuple(self._keyed.items()):
            if self._due.get(channel, now) > now:
                continue
            for key, frame in tuple(waiting.items()):
                if room_bytes <= 0:
                    return
                del waiting[key]
                self.waiting_bytes -= _cost(frame)
                taken.append(frame)
                room_bytes -= len(frame)
            del self._keyed[channel]
            self._due[channel] = now + intervals.get(channel, 0.0)


def _cost(frame: bytes) -> int:
    return len(frame) + FRAME_OVERHEAD_BYTES
