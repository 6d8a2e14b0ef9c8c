"""What the hub asks of the outside, each with the guarantee that it relies on.

Each port has one contract suite in `tests/contracts/`, which every implementation runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..model import JSON, Attendance, Position, Principal, Publication, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..errors import Disconnect, ReplyError
    from ..model import Broadcast, Fence
    from ..runtime.stats import Traffic
    from ..runtime.tasks import Tasks


class Change(Protocol):
    """A change to a row that a kind keeps: a frozen value, applied by the store.

    A store knows the concrete types of the kinds that it serves; a change of another
    type is a programming error and raises TypeError.
    """

    @property
    def channel(self) -> str:
        """The channel whose event made the change."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A publication that has all but its position."""

    channel: str
    event: str
    content: JSON | bytes
    author: Principal | None
    time_ms: int


@dataclass(frozen=True, slots=True)
class Append:
    """What is committed together, or not at all.

    `key` makes it idempotent for ever for the author and channel of the first draft;
    None means that it is not. `fence` lets it stand only while no later holder of that
    lease has come; None asks nothing.
    """

    drafts: tuple[Draft, ...]
    changes: tuple[Change, ...] = ()
    key: str | None = None
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """The drafts are kept, at these positions (one for each, in their order)."""

    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The key was used before: the first draft's position of then. Nothing was kept."""

    position: Position


@dataclass(frozen=True, slots=True)
class Rejected:
    """A condition that only the database knows does not hold. Nothing was kept."""

    error: ReplyError


Outcome: TypeAlias = "Appended | Duplicate | Rejected"


@dataclass(frozen=True, slots=True)
class Slice:
    """A run of publications without holes, and the channel's top at that time."""

    publications: tuple[Publication, ...]
    top: Position


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A channel's state at a position, in its kind's own encoding."""

    at: Position
    state: bytes


class Log(Protocol):
    """Where publications are kept, at offsets 1, 2, 3... in commit order."""

    @property
    def durable(self) -> bool:
        """Whether what was appended survives a power cut."""

    @property
    def carries(self) -> bool:
        """Whether `append` itself sends what it keeps to all nodes, in its order.

        Such a log looks at the fences of leases; others need not.
        """

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep a batch in one transaction; each Append stands or falls alone inside it.

        When this returns, all that was Appended is kept as `durable` says. When it
        raises, nothing of the batch was kept. The hub calls it from one task only;
        channels are locked in the order of their names.
        """

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """Return up to `limit` publications after a position, ascending.

        Raises `Unrecoverable` if the epoch is another, the position is ahead of the
        top, or what follows it was trimmed or compacted. A channel that nobody wrote to
        has a top with offset 0.
        """

    async def top(self, channel: str) -> Position:
        """Return the newest position; of an unknown channel offset 0 of its epoch."""

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """Return the newest position of each; with none it asks if the log answers."""

    async def renew(self, channel: str, epoch: str) -> Position:
        """End the stream that `epoch` names, where the channel still has it.

        Called on evidence that its tail was lost: old positions are unrecoverable then.
        Returns the top of the stream that the channel has now.
        """

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """Keep a state that stands for everything up to `at`.

        In one transaction: the snapshot is written and what it stands for leaves the
        log (a durable store keeps it aside). Reading before `at` raises
        `Unrecoverable`.
        """

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """Return the newest snapshot; None where there is none."""

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """Return up to `limit` publications before an offset, ascending.

        `before` None means the newest. Fewer come back where the log holds no more.
        """

    def remember(self, publication: Publication) -> None:
        """Note that a publication was delivered here; a log may keep it for readers."""

    def drop(self, channel: str) -> None:
        """Let go of a channel's cache; a memory log forgets the channel (new epoch)."""


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
    """A node that lives: its id, and what it last said of itself (`hub.card`)."""

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
