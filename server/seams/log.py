"""What the hub asks of the outside, each with the guarantee that it relies on.

Each port has one contract suite in `tests/contracts/`, which every implementation runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ..model import JSON, Position, Principal, Publication

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..errors import ReplyError
    from ..model import Fence


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
