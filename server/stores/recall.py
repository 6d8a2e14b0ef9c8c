"""A durable log with its newest publications in memory.

When many come back at once, what they missed is answered from here; the store is asked
only for what is older.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Unrecoverable
from ..model import Position, Publication
from ..seams.log import Appended, Slice
from .ring import Bounds, Ring, Step, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..runtime.clock import Clock
    from ..seams.log import Append, Log, Outcome, Snapshot

KEPT = Bounds(size=500, age_s=float("inf"), max_bytes=512 * 1024)
"""What is remembered of one channel."""


class Recall:
    """Reads from memory what it can; everything else is the log's own."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._rings: dict[str, Ring] = {}

    @property
    def durable(self) -> bool:
        """Whether what was appended survives a power cut."""
        return self._log.durable

    @property
    def carries(self) -> bool:
        """Whether `append` itself tells all nodes."""
        return self._log.carries

    def remember(self, publication: Publication) -> None:
        """Remember a publication that was delivered; a hole starts the memory anew."""
        channel, position = publication.channel, publication.position
        ring = self._rings.get(channel)
        following = Step.ANEW if ring is None else step(ring.top, position)
        if following is Step.SEEN:
            return
        if ring is None or following is not Step.NEXT:
            before = Position(position.epoch, position.offset - 1)
            ring = self._rings[channel] = Ring(before, KEPT)
        ring.add(publication, _size(publication), self._clock.monotonic())

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """See `Log.append`."""
        outcomes = await self._log.append(batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Appended):
                for draft, position in zip(
                    append.drafts, outcome.positions, strict=True
                ):
                    self._compare(draft.channel, position)
        return outcomes

    def _compare(self, channel: str, top: Position) -> None:
        """Forget a stream that the log no longer has, or whose tail it has lost."""
        ring = self._rings.get(channel)
        if ring is not None and not top.reaches(ring.top):
            del self._rings[channel]

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """See `Log.read`."""
        ring = self._rings.get(channel)
        if ring is not None:
            try:
                return Slice(tuple(ring.after(after, limit)), ring.top)
            except Unrecoverable:
                pass
        return await self._log.read(channel, after, limit)

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """See `Log.page`."""
        ring = self._rings.get(channel)
        if ring is not None:
            end = ring.top.offset if before is None else max(before - 1, 0)
            start = max(0, end - max(limit, 0))
            if ring.floor <= start <= end <= ring.top.offset:
                return Slice(ring.before(end + 1, end - start), ring.top)
        return await self._log.page(channel, before, limit)

    async def top(self, channel: str) -> Position:
        """See `Log.top`."""
        return (await self.tops([channel]))[channel]

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """See `Log.tops`."""
        tops = await self._log.tops(channels)
        for channel, top in tops.items():
            self._compare(channel, top)
        return tops

    async def renew(self, channel: str, epoch: str) -> Position:
        """See `Log.renew`."""
        self._rings.pop(channel, None)
        return await self._log.renew(channel, epoch)

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """See `Log.snapshot`."""
        await self._log.snapshot(channel, at, state)
        ring = self._rings.get(channel)
        if ring is not None and ring.top.epoch == at.epoch:
            ring.release(at.offset)

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """See `Log.latest_snapshot`."""
        return await self._log.latest_snapshot(channel)

    def drop(self, channel: str) -> None:
        """Forget what is remembered of a channel."""
        self._rings.pop(channel, None)
        self._log.drop(channel)


def _size(publication: Publication) -> int:
    content = publication.content
    if isinstance(content, bytes | str):
        return len(content) + 200
    if isinstance(content, dict):
        return 200 + sum(
            len(part) for part in content.values() if isinstance(part, str | bytes)
        )
    return 400
