"""A log that can be slow, away, or short of what it had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from server.model import Position, Publication
    from server.seams.log import Append, Log, Outcome, Slice, Snapshot


class FaultyLog:
    """Passes on to another log, when and if the test says so."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.append_gate = asyncio.Event()
        self.append_gate.set()
        self.read_gate = asyncio.Event()
        self.read_gate.set()
        self.append_fault: Exception | None = None
        self.read_fault: Exception | None = None
        self.batches: list[int] = []
        """How many appends each transaction had."""
        self.reads = 0
        self.durable = False
        self.carries = False

    def let_go(self) -> None:
        """Hold nothing back any more."""
        self.append_gate.set()
        self.read_gate.set()

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """See `Log.append`."""
        self.batches.append(len(batch))
        await self.append_gate.wait()
        if self.append_fault is not None:
            raise self.append_fault
        return await self._log.append(batch)

    async def _reading(self) -> None:
        self.reads += 1
        await self.read_gate.wait()
        if self.read_fault is not None:
            raise self.read_fault

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """See `Log.read`."""
        await self._reading()
        return await self._log.read(channel, after, limit)

    async def top(self, channel: str) -> Position:
        """See `Log.top`."""
        await self._reading()
        return await self._log.top(channel)

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """See `Log.page`."""
        await self._reading()
        return await self._log.page(channel, before, limit)

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """See `Log.tops`."""
        await self._reading()
        return await self._log.tops(channels)

    async def renew(self, channel: str, epoch: str) -> Position:
        """See `Log.renew`."""
        return await self._log.renew(channel, epoch)

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """See `Log.snapshot`."""
        await self._log.snapshot(channel, at, state)

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """See `Log.latest_snapshot`."""
        return await self._log.latest_snapshot(channel)

    def remember(self, publication: Publication) -> None:
        """See `Log.remember`."""
        self._log.remember(publication)

    def drop(self, channel: str) -> None:
        """See `Log.drop`."""
        self._log.drop(channel)
