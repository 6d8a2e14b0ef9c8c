"""An outbox and its wire: what is queued for one peer, and when it leaves.

Rules:
1. What is told leaves through the outbox, in order, by the flusher.
2. Who reads one channel alone, and for whom nothing waits, is written to directly by
   the fan-out: the way through the outbox costs as much as the write.
3. What was dropped or merged is told, and counted.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from ..errors import SLOW
from .outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import Disconnect
    from ..model import Gap
    from ..runtime.stats import Stats
    from ..seams.wire import Codec, Wire
    from .flusher import Flusher
    from .outbox import Entry

GAP_INTERVAL_S = 1.0
"""A peer is told of what it missed at most this often."""


CATCH_UP_S = 60.0
"""How long a peer may take to read what it was told of the past."""


class Direct(Protocol):
    """A subscription, as far as it is written to directly: while `direct` is a wire."""

    codec: Codec
    direct: Wire | None


class Writer(ABC):
    """The writing half of a session."""

    __slots__ = (
        "_caught_up",
        "_codec",
        "_direct",
        "_flusher",
        "_next_gap",
        "_stats",
        "closed",
        "id",
        "intervals",
        "outbox",
        "wire",
    )

    def __init__(
        self,
        writer_id: str,
        codec: Codec,
        wire: Wire,
        flusher: Flusher,
        *,
        stats: Stats,
        limit_bytes: int,
    ) -> None:
        self.id = writer_id
        self.wire = wire
        self.outbox = Outbox(limit_bytes)
        self.intervals: dict[str, float] = {}
        self.closed = False
        self._codec = codec
        self._flusher = flusher
        self._stats = stats
        self._direct: Direct | None = None
        self._caught_up: asyncio.Future[None] | None = None
        self._next_gap = 0.0

    # What a session adds

    @abstractmethod
    def close(self, disconnect: Disconnect) -> None:
        """End it from this side."""

    @abstractmethod
    def only_reader(self) -> Direct | None:
        """Return its only subscription, if it has one and that is live."""

    @abstractmethod
    def is_to_be_told(self) -> bool:
        """Whether what waits is still to be written, though it is closed."""

    @abstractmethod
    def drained(self) -> None:
        """Know that nothing waits any more. Perhaps called again."""

    # Its words

    @property
    def codec(self) -> Codec:
        """Its wire's words from now on; what waits already was said in others."""
        return self._codec

    @codec.setter
    def codec(self, codec: Codec) -> None:
        self._codec = codec
        self.settle()

    # The direct way

    def settle(self) -> None:
        """Have publications written directly, if nothing can stand before them.

        To be asked anew when its subscriptions or its words have changed.
        """
        self.go_round()
        if self.closed or self.outbox:
            return
        reader = self.only_reader()
        if reader is not None:
            reader.codec = self._codec
            reader.direct = self.wire
            self._direct = reader

    def go_round(self) -> None:
        """Have everything go through the outbox from now on: something waits there."""
        if self._direct is not None:
            self._direct.direct = None
            self._direct = None

    # What is queued

    def push(self, frame: bytes, channel: str | None, *, exempt: bool = False) -> None:
        """Queue a frame that must not be lost; too much of it ends the session."""
        if self.closed:
            return
        if self.outbox.put(frame, channel, exempt=exempt):
            self.go_round()
            self._flusher.mark(self)
        else:
            self.close(SLOW)

    def takes(self, entry: Entry) -> bool:
        """Queue what others are given too, without a flush; return whether it did.

        The short way of `push`: whoever calls it marks all its sessions together.
        """
        if self.closed:
            return False
        if self.outbox.put_entry(entry):
            self.go_round()
            return True
        self.close(SLOW)
        return False

    def push_signal(self, frame: bytes, channel: str, key: str | None) -> None:
        """Queue a frame that may be merged or dropped."""
        if self.closed:
            return
        if key is None:
            queued = self.outbox.put_signal(frame, channel)
        else:
            queued = self.outbox.put_keyed(frame, channel, key)
        if queued:
            self.go_round()
            self._flusher.mark(self)

    async def caught_up(self) -> None:
        """Wait until no catch-up waits in the outbox; a slow peer's session ends."""
        await self._until(lambda: not self.outbox.catching_up)

    async def room_for_past(self) -> None:
        """Wait until a catch-up may be queued; a slow peer's session ends."""
        await self._until(lambda: not self.outbox.is_full_of_past)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, or the session has ended.

        Not for ever: nobody else misses a peer for whom its own command waits.
        """
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while not is_so() and not self.closed:
                    if self._caught_up is None or self._caught_up.done():
                        self._caught_up = asyncio.get_running_loop().create_future()
                    await self._caught_up
        except TimeoutError:
            self.close(SLOW)

    # What leaves

    def flush(self, now: float) -> float | None:
        """Write what fits; called by the flusher, once in a turn of the loop.

        Returns when there is more to write; None: nothing waits.
        """
        if self.closed and not self.is_to_be_told():
            return None
        room = self.wire.room()
        if room <= 0:
            return self._due(now)
        chunk = self.outbox.take_all(room)
        if chunk is None:
            self._flush_some(room, now)
        else:
            self._write(chunk)
        if not self.outbox:
            self.settle()
            self.drained()
        return self._due(now)

    def _write(self, chunk: bytes) -> None:
        self.wire.write(chunk)
        self._stats.writes += 1
        self._stats.written_bytes += len(chunk)

    def _flush_some(self, room: int, now: float) -> None:
        frames = self.outbox.take(room, now, self.intervals)
        if self.outbox.has_gaps and now >= self._next_gap:
            self._next_gap = now + GAP_INTERVAL_S
            frames += filter(None, map(self._codec.encode, self.counted_gaps()))
        if frames:
            self._write(b"".join(frames))
        self.wake()

    def _due(self, now: float) -> float | None:
        due = self.outbox.next_due(now)
        if not self.outbox.has_gaps:
            return due
        return self._next_gap if due is None else min(due, self._next_gap)

    def counted_gaps(self) -> list[Gap]:
        """Return what was dropped or merged since the last time; count it."""
        gaps = self.outbox.take_gaps()
        for gap in gaps:
            self._stats.merged += gap.merged
            self._stats.skipped += gap.skipped
        return gaps

    def wake(self) -> None:
        """Let who waits for the outbox look at it again."""
        if self._caught_up is not None and not self._caught_up.done():
            self._caught_up.set_result(None)
        self._caught_up = None
