"""Leases: one holder at a time, and fences that tell a later one from an earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model import Fence
from ...seams.backplane import LEASE_S
from .lane import call
from .scripts import HOLD, RELEASE

if TYPE_CHECKING:
    from .lane import Lane
    from .names import Names


class Leases:
    """The leases of one node."""

    def __init__(self, lane: Lane, names: Names, node: str) -> None:
        self._lane = lane
        self._names = names
        self._node = node

    async def hold(self, lease: str) -> Fence | None:
        """Take a lease, or keep it; None: another node has it. Raises `Away`."""
        keys, life_ms = self._names.lease(lease), int(LEASE_S * 1_000)
        (fence,) = await self._lane.get([call(HOLD, keys, self._node, life_ms)])
        return Fence(lease, fence) if isinstance(fence, int) else None

    async def release(self, lease: str) -> None:
        """Give up a lease, if this node has it. Raises `Away`."""
        holder, _ = self._names.lease(lease)
        await self._lane.get([call(RELEASE, [holder], self._node)])
