"""What carries everything to all nodes, and what a node is told by it.

The contract suite is `tests/contracts/test_backplane.py`, for all implementations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import Disconnect
    from ..model import JSON, Attendance, Broadcast, Fence, Publication, Signal
    from ..runtime.stats import Traffic
    from ..runtime.tasks import Tasks


@dataclass(frozen=True, slots=True)
class NodeRoll:
    """What one living node has said in a channel, up to its change `stamp`.

    One attendance for each of its users with a session there, one signal for each key
    that it retains: perhaps none any more.
    """

    node: str
    stamp: int
    attendances: Sequence[Attendance] = ()
    signals: Sequence[Signal] = ()


@dataclass(frozen=True, slots=True)
class SendAway:
    """An order to all nodes: end the sessions of a user, telling them why."""

    user_id: str
    disconnect: Disconnect


Order: TypeAlias = "SendAway"
"""What one node may ask of all, itself included."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that lives: its id, and what it last said of itself (`describe`)."""

    id: str
    card: JSON = None


class Receiver(Protocol):
    """Who takes what a backplane brings. None of these waits or raises."""

    def deliver(self, broadcast: Broadcast) -> None:
        """Take a publication, signal or attendance of an entered channel."""

    def obey(self, order: Order) -> None:
        """Carry out an order."""

    def cut_off(self, reason: str) -> None:
        """Know that nothing reaches the other nodes, or comes from them, from now."""

    def reunited(self) -> None:
        """Know that it is whole again: what came meanwhile may be lost.

        So at the first connection, and where the others took this node for dead. It
        says its own roll again, reads the others', and compares tops with the log's.
        """

    def lost(self, node: str) -> None:
        """Know that another node is gone: its attendances and signals fall."""


class Backplane(Protocol):
    """What carries publications, signals and attendances to all nodes, this included.

    At most once to each that entered their channel, in the order of the calls; a node
    that misses a publication finds the gap by the offsets and reads the log.
    """

    @property
    def node(self) -> str:
        """This node's id, `n_` and letters and digits; a new one with each start."""

    @property
    def alone(self) -> bool:
        """Whether there can be no other node."""

    @property
    def fault(self) -> str | None:
        """Why this node is cut off from the others; None while it is not."""

    @property
    def counts(self) -> Traffic:
        """What it counts, for the metrics."""

    def attach(self, receiver: Receiver) -> None:
        """Say who takes what arrives. Called once, before all else."""

    async def start(self, tasks: Tasks) -> None:
        """Connect, and go on in `tasks`; they end it. Raises `SettingsError`."""

    async def stop(self) -> None:
        """Send what waits, within a second; leave the others, and close."""

    async def enter(self, channel: str) -> None:
        """Have a channel brought from now on, until `leave`; again is no harm.

        What is published after it returns arrives. Raises `Refusal` (unavailable).
        """

    def leave(self, channel: str) -> None:
        """Have a channel brought no longer."""

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """Send to all nodes that entered the channel, without waiting.

        Attendances and retained signals, which have stamps, are kept for `roll` while
        this node lives, until one without sessions, or `fell`, takes their place.
        Raises `Refusal` (unavailable) where it cannot even be queued.
        """

    async def roll(self, channel: str) -> Sequence[NodeRoll]:
        """Return what each living node has said in a channel. Raises `Refusal`.

        It has at least all that had been brought here before the call.
        """

    def order(self, order: Order) -> None:
        """Send an order to all nodes, this one too. Raises `Refusal` (unavailable)."""

    def describe(self, card: JSON) -> None:
        """Say of this node what `nodes` shows of it; it spreads within seconds."""

    def nodes(self) -> Sequence[Node]:
        """Return the nodes that live, this one too, in the order of their ids."""

    async def hold(self, lease: str) -> Fence | None:
        """Take a named lease, or keep it, for `LEASE_S`; None: another node has it.

        The fence is the same while one node keeps it without a break, and greater for
        each later holder. Raises `Refusal` (unavailable).
        """

    async def release(self, lease: str) -> None:
        """Give up a lease, if it is this node's. Never raises."""


LEASE_S = 4.0
"""How long a lease lasts that its holder does not renew."""
