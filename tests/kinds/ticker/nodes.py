"""Several nodes with a ticker each, one log and one backplane; a test disturbs all.

Time stands still but for the metronomes, and leases for the pacers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from server.backplanes.local import LocalBackplane
from server.errors import UNAVAILABLE, Refusal
from server.hub.hub import Hub
from server.kinds.ticker.kind import TickerKind
from server.kinds.ticker.leader import LEASE
from server.kinds.ticker.symbols import SYMBOLS, Symbol
from server.kinds.ticker.tape import TAPE, Strip, decode
from server.model import Fence, Position, Publication
from server.seams.backplane import Node
from server.seams.kind import Keep
from server.seams.log import Appended, Rejected
from server.stores.memory import MemoryLog
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.kinds.ticker.exchange import PAST_S, START_MS, Metronome, Reader

if TYPE_CHECKING:
    from server.kinds.ticker.floor import Floor
    from server.model import Attendance, Signal
    from server.seams.log import Append, Outcome

SEED = "test"
TURNS = 60
"""Turns of the loop in which everything that was said has come everywhere."""


class Pacer:
    """The hub's pauses: they last until the test says so."""

    def __init__(self) -> None:
        self._turn = asyncio.Event()

    async def pause(self, _seconds: float) -> None:
        """Wait for the test."""
        await self._turn.wait()

    def turn(self) -> None:
        """End the pauses of now."""
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


class PacedHub(Hub):
    """A hub whose pauses last until the test says so."""

    pacer: Pacer

    async def pause(self, seconds: float) -> None:
        """See `Hub.pause`."""
        await self.pacer.pause(seconds)


class Bus:
    """What connects the nodes: it brings everything at once, and grants the leases."""

    def __init__(self) -> None:
        self.backplanes: list[BusBackplane] = []
        self.holders: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        self.brought: list[Publication] = []
        self.signals: list[Signal] = []

    def bring(self, publication: Publication) -> None:
        """Bring what the log has kept to all nodes."""
        self.brought.append(publication)
        for backplane in self.backplanes:
            backplane.hear(publication)

    def strips(self) -> list[Strip]:
        """Return all that was ever on the tape."""
        return [decode(each.content) for each in self.brought if each.channel == TAPE]


class BusBackplane(LocalBackplane):
    """One node's end of the bus; what comes while it is `deaf` is lost."""

    def __init__(self, bus: Bus, node: str) -> None:
        super().__init__(node)
        self._bus = bus
        self.alive = True
        self.deaf = False
        bus.backplanes.append(self)

    def hear(self, publication: Publication) -> None:
        """Take what is brought."""
        if self.alive and not self.deaf:
            super().publish(publication)

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """Take what stays on this node: the log carries publications itself."""
        assert not isinstance(broadcast, Publication)
        super().publish(broadcast)

    def nodes(self) -> Sequence[Node]:
        """Return those that live."""
        return [Node(each.node) for each in self._bus.backplanes if each.alive]

    async def hold(self, lease: str) -> Fence | None:
        """Grant a lease to the first who asks, with a fence that grows."""
        if self.fault is not None:
            raise Refusal(UNAVAILABLE)
        bus = self._bus
        holder = bus.holders.get(lease)
        if holder is None:
            bus.holders[lease] = self.node
            bus.numbers[lease] = bus.numbers.get(lease, 0) + 1
        elif holder != self.node:
            return None
        return Fence(lease, bus.numbers[lease])

    async def release(self, lease: str) -> None:
        """Give it up; who is dead or cut off cannot."""
        reachable = self.alive and self.fault is None
        if reachable and self._bus.holders.get(lease) == self.node:
            del self._bus.holders[lease]


class SharedLog(MemoryLog):
    """One log for all nodes that carries, and looks at fences."""

    def __init__(self, bus: Bus, clock: ManualClock) -> None:
        epochs = count()

        def bounds(_channel: str) -> Bounds:
            policy = TickerKind.policy
            return Bounds(policy.history_size, policy.history_age_s)

        super().__init__(clock, lambda: f"e{next(epochs)}", bounds)
        self._bus = bus
        self._fences: dict[str, int] = {}
        self.refused: list[Append] = []

    @property
    def carries(self) -> bool:
        """What is kept is brought to all nodes, in its order."""
        return True

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep what no later leader's fence stands before."""
        outcomes: list[Outcome] = []
        for append in batch:
            if self._is_fenced(append):
                self.refused.append(append)
                outcomes.append(Rejected(UNAVAILABLE.because("another leads")))
                continue
            (outcome,) = await super().append([append])
            outcomes.append(outcome)
            if isinstance(outcome, Appended):
                self._bring(append, outcome.positions)
        return outcomes

    def _is_fenced(self, append: Append) -> bool:
        fence = append.fence
        if fence is None:
            return False
        channel = append.drafts[0].channel
        newest = self._fences.get(channel, 0)
        self._fences[channel] = max(newest, fence.number)
        return fence.number < newest

    def _bring(self, append: Append, positions: Sequence[Position]) -> None:
        for draft, position in zip(append.drafts, positions, strict=True):
            self._bus.bring(
                Publication(
                    channel=draft.channel,
                    position=position,
                    event=draft.event,
                    content=draft.content,
                    author=None,
                    time_ms=draft.time_ms,
                    key=append.key,
                )
            )


@dataclass(slots=True)
class TickerNode:
    """One node, and what moves its time."""

    hub: PacedHub
    kind: TickerKind
    backplane: BusBackplane
    metronome: Metronome
    pacer: Pacer

    @property
    def floor(self) -> Floor:
        """The market as this node knows it."""
        floor = self.kind.floor
        assert floor is not None
        return floor

    def reader(self) -> Reader:
        """Return somebody here who has joined nothing yet."""
        return Reader(self.hub)

    def start(self) -> None:
        """Let its market run, without the pause after a start."""
        self.kind.board()
        self.hub.tasks.spawn(self.kind.run(self.hub), "market")


@dataclass(slots=True)
class Cluster:
    """The nodes, and what they share."""

    bus: Bus
    clock: ManualClock
    log: SharedLog
    symbols: Sequence[Symbol]
    nodes: list[TickerNode] = field(default_factory=list)

    @property
    def leader(self) -> TickerNode:
        """The node that has the lease."""
        name = self.bus.holders[LEASE]
        return next(each for each in self.nodes if each.hub.node == name)

    async def node(self, seed: str = SEED) -> TickerNode:
        """Add a node whose market does not run yet."""
        metronome, pacer = Metronome(self.clock), Pacer()
        kind = TickerKind(
            self.clock,
            seed,
            10.0,
            past_s=PAST_S,
            symbols=self.symbols,
            sleep=metronome.sleep,
        )
        backplane = BusBackplane(self.bus, f"n_{len(self.bus.backplanes)}")
        ids = count()
        hub = PacedHub(
            {"ticker": kind},
            backplane,
            self.clock,
            lambda prefix: f"{prefix}{next(ids)}",
        )
        hub.pacer = pacer
        await hub.start(dict.fromkeys(Keep, self.log))
        node = TickerNode(hub, kind, backplane, metronome, pacer)
        self.nodes.append(node)
        return node

    async def join(self) -> TickerNode:
        """Add a node, and let it come to know the market."""
        node = await self.node()
        node.start()
        await self.settle()
        return node

    async def tick(self, times: int = 1) -> None:
        """Let the leader work so often, and all nodes hear of it."""
        for _ in range(times):
            await self.leader.metronome.tick()
            await self.settle()

    async def settle(self) -> None:
        """Let everything come everywhere that was said."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def kill(self, node: TickerNode) -> None:
        """End a node as by a power cut: its lease stays until it runs out."""
        node.backplane.alive = False
        await node.hub.stop()
        self.nodes.remove(node)

    def expire(self) -> None:
        """Let the lease of the market run out."""
        del self.bus.holders[LEASE]

    async def take_over(self, node: TickerNode) -> None:
        """Let the lease run out, and a node be the next who asks for it."""
        self.expire()
        node.pacer.turn()
        await node.metronome.settle()
        await self.settle()
        assert self.leader is node

    async def lose(self, channel: str = TAPE) -> None:
        """Lose all that the log has of a channel: its stream is a new one."""
        await self.log.renew(channel, (await self.log.top(channel)).epoch)


@asynccontextmanager
async def a_cluster(
    nodes: int = 3, *, symbols: Sequence[Symbol] = SYMBOLS[:3]
) -> AsyncIterator[Cluster]:
    """Run so many nodes; the first one leads, and has told once."""
    bus, clock = Bus(), ManualClock(START_MS)
    cluster = Cluster(bus, clock, SharedLog(bus, clock), symbols)
    try:
        if nodes:
            first = await cluster.node()
            first.start()
            await first.metronome.settle()
            await cluster.tick()
        for _ in range(nodes - 1):
            await cluster.join()
        yield cluster
    finally:
        for node in tuple(cluster.nodes):
            await node.hub.stop()
