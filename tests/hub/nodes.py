"""Several hubs on one log, and the network between them, which a test can disturb."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.backplanes.local import LocalBackplane
from server.errors import UNAVAILABLE, Refusal
from server.hub.hub import Hub
from server.kinds.open import OpenKind
from server.model import Attendance, Fence, Publication, Signal
from server.runtime.clock import random_id
from server.seams.backplane import Node, NodeRoll
from server.seams.kind import Keep, Policy
from server.stores.memory import MemoryStore
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.hub.logs import FaultyLog
from tests.hub.stage import ANN, Guest
from tests.hub.wires import FakeWire, RecordingCodec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from server.model import JSON, Principal
    from server.runtime.tasks import Tasks
    from server.seams.backplane import Order, Receiver
    from server.seams.log import Log


@dataclass
class Network:
    """What connects the nodes: it delivers at once, in one order, or loses."""

    nodes: dict[str, NodeBackplane] = field(default_factory=dict)
    loses: Callable[[str, object], bool] = lambda _node, _broadcast: False
    """Whether what is sent does not reach a node."""
    rolls: dict[str, dict[str, NodeRoll]] = field(default_factory=dict)
    leases: dict[str, tuple[str, int]] = field(default_factory=dict)

    def send(self, broadcast: Publication | Signal | Attendance) -> None:
        """Bring it to every node that entered its channel."""
        self._keep(broadcast)
        for node in tuple(self.nodes.values()):
            if broadcast.channel in node.entered and not self.loses(
                node.node, broadcast
            ):
                node.receiver.deliver(broadcast)

    def _keep(self, broadcast: Publication | Signal | Attendance) -> None:
        if isinstance(broadcast, Publication) or not broadcast.stamp:
            return
        node = broadcast.node or ""
        rolls = self.rolls.setdefault(broadcast.channel, {})
        roll = rolls.get(node, NodeRoll(node, 0))
        people = {each.user.id: each for each in roll.attendances}
        signals = {each.key: each for each in roll.signals}
        if isinstance(broadcast, Attendance):
            people[broadcast.user.id] = broadcast
        else:
            signals[broadcast.key] = broadcast
        rolls[node] = NodeRoll(
            node,
            broadcast.stamp,
            [each for each in people.values() if each.sessions],
            [each for each in signals.values() if not each.fell],
        )

    def kill(self, node: str) -> None:
        """End a node without a farewell; the others hear of it."""
        del self.nodes[node]
        for lease in [name for name, (who, _) in self.leases.items() if who == node]:
            self.leases[lease] = ("", self.leases[lease][1])
        for other in self.nodes.values():
            other.receiver.lost(node)


class NodeBackplane(LocalBackplane):
    """One node's place in the network."""

    def __init__(self, network: Network, node: str) -> None:
        super().__init__(node)
        self.network = network
        self.alone = False
        self.entered: set[str] = set()
        self.card: JSON = None
        self.receiver: Receiver

    def attach(self, receiver: Receiver) -> None:
        """See `Backplane.attach`."""
        self.receiver = receiver

    async def start(self, tasks: Tasks) -> None:
        """See `Backplane.start`."""
        self.network.nodes[self.node] = self

    async def enter(self, channel: str) -> None:
        """See `Backplane.enter`."""
        self._check()
        self.entered.add(channel)

    def leave(self, channel: str) -> None:
        """See `Backplane.leave`."""
        self.entered.discard(channel)

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """See `Backplane.publish`."""
        self._check()
        self.network.send(broadcast)

    async def roll(self, channel: str) -> Sequence[NodeRoll]:
        """See `Backplane.roll`."""
        self._check()
        rolls = self.network.rolls.get(channel, {})
        return [roll for node, roll in rolls.items() if node in self.network.nodes]

    def order(self, order: Order) -> None:
        """See `Backplane.order`."""
        self._check()
        for node in self.network.nodes.values():
            node.receiver.obey(order)

    def describe(self, card: JSON) -> None:
        """See `Backplane.describe`."""
        self.card = card

    def nodes(self) -> Sequence[Node]:
        """See `Backplane.nodes`."""
        found = self.network.nodes
        return [Node(each, found[each].card) for each in sorted(found)]

    async def hold(self, lease: str) -> Fence | None:
        """See `Backplane.hold`."""
        self._check()
        holder, number = self.network.leases.get(lease, ("", 0))
        if holder not in ("", self.node):
            return None
        if holder != self.node:
            number += 1
        self.network.leases[lease] = (self.node, number)
        return Fence(lease, number)

    async def release(self, lease: str) -> None:
        """See `Backplane.release`."""
        holder, number = self.network.leases.get(lease, ("", 0))
        if holder == self.node:
            self.network.leases[lease] = ("", number)

    def cut(self) -> None:
        """Cut this node off."""
        self.fault = "cut off by the test"
        del self.network.nodes[self.node]
        self.receiver.cut_off(self.fault)

    def mend(self) -> None:
        """Bring it back."""
        self.fault = None
        self.network.nodes[self.node] = self
        self.receiver.reunited()

    def _check(self) -> None:
        if self.fault is not None:
            raise Refusal(UNAVAILABLE)


@dataclass(frozen=True)
class NodeStage:
    """One node: its hub, its place in the network, its view of the log."""

    hub: Hub
    backplane: NodeBackplane
    log: FaultyLog

    def guest(self, who: Principal = ANN) -> Guest:
        """Open a session."""
        words = RecordingCodec()
        wire = FakeWire(words, 1 << 20)
        return Guest(self.hub.open_session(who, "test", words, wire), wire, words)

    async def say(self, content: JSON, channel: str) -> None:
        """Publish."""
        await self.hub.publish(channel, content)


@asynccontextmanager
async def raise_nodes(count: int, *also_open: str) -> AsyncIterator[list[NodeStage]]:
    """Start hubs `n_1`, `n_2`... on one log, with the kinds `open` and `own`.

    `own` is kept by each node for itself. `also_open` are more kinds like `open`.
    """
    clock, network = ManualClock(), Network()
    epochs = iter(f"e{number}" for number in range(1, 1_000_000))
    kept = Bounds(size=1_000_000, age_s=float("inf"), max_bytes=1 << 30)
    store = MemoryStore(clock, lambda: next(epochs), lambda _: kept)
    async with AsyncExitStack() as stack:
        nodes = []
        for number in range(1, count + 1):
            backplane = NodeBackplane(network, f"n_{number}")
            own = MemoryStore(clock, lambda: next(epochs), lambda _: kept)
            log = FaultyLog(store.log)
            hub = Hub(
                {
                    **{name: OpenKind(clock) for name in ("open", *also_open)},
                    "own": OpenKind(clock, Policy(keep=Keep.MEMORY)),
                },
                backplane,
                clock,
                random_id,
            )
            logs: dict[Keep, Log] = {
                Keep.SHARED: log,
                Keep.DURABLE: log,
                Keep.MEMORY: own.log,
            }
            await hub.start(logs)
            stack.push_async_callback(hub.stop)
            nodes.append(NodeStage(hub, backplane, log))
        yield nodes
