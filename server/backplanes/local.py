"""The backplane of one process: a direct call, and nobody else to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Fence
from ..runtime.stats import Traffic
from ..seams.backplane import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import JSON, Attendance, Publication, Signal
    from ..runtime.tasks import Tasks
    from ..seams.backplane import NodeRoll, Order, Receiver


class LocalBackplane:
    """Delivers at once, to this node; `node` is its id."""

    def __init__(self, node: str = "n_only") -> None:
        self._receiver: Receiver | None = None
        self._card: JSON = None
        self._fences: dict[str, int] = {}
        self._held: set[str] = set()
        self.node = node
        self.alone = True
        self.fault: str | None = None
        self.counts = Traffic()
        """Nothing: nothing is sent anywhere."""

    def attach(self, receiver: Receiver) -> None:
        """See `Backplane.attach`."""
        self._receiver = receiver

    async def start(self, tasks: Tasks) -> None:
        """Have nothing to connect."""

    async def stop(self) -> None:
        """Have nothing to close."""

    async def enter(self, channel: str) -> None:
        """Bring every channel anyway."""

    def leave(self, channel: str) -> None:
        """Bring it all the same: nobody listens."""

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """See `Backplane.publish`."""
        if self._receiver is not None:
            self._receiver.deliver(broadcast)

    async def roll(self, channel: str) -> Sequence[NodeRoll]:
        """Know of nobody but this node, which knows it better."""
        return ()

    def order(self, order: Order) -> None:
        """See `Backplane.order`."""
        if self._receiver is not None:
            self._receiver.obey(order)

    def describe(self, card: JSON) -> None:
        """See `Backplane.describe`."""
        self._card = card

    def nodes(self) -> Sequence[Node]:
        """Return this one."""
        return (Node(self.node, self._card),)

    async def hold(self, lease: str) -> Fence | None:
        """Grant it: there is no other."""
        if lease not in self._held:
            self._held.add(lease)
            self._fences[lease] = self._fences.get(lease, 0) + 1
        return Fence(lease, self._fences[lease])

    async def release(self, lease: str) -> None:
        """See `Backplane.release`."""
        self._held.discard(lease)
