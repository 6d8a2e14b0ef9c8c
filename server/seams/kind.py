"""What a kind is: a policy and a few hooks. A use case's rules live behind this."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from ..errors import Unrecoverable
from ..model import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import ReplyError
    from ..model import (
        JSON,
        Action,
        Difference,
        Event,
        Principal,
        Publication,
        Signal,
        Since,
    )
    from .log import Change, Log


READ_PUBLICATIONS = 500
"""How many publications a joiner's past is read in at a time."""

WEIGHT_BYTES = 200
"""What a publication weighs beside its content: names, position, author."""

_encode = msgspec.json.Encoder().encode


class Keep(StrEnum):
    """Where a kind's publications are kept, and so what survives."""

    MEMORY = "memory"
    """This process only, and its own sessions: other nodes have another channel."""
    SHARED = "shared"
    """The memory of all nodes, or of the only one: they see one stream. It is gone
    with it; joiners see a new epoch."""
    DURABLE = "durable"
    """The store, with fsync: an acknowledgement means that it is on disk."""


class Content(StrEnum):
    """What a kind's publications carry."""

    JSON = "json"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Policy:
    """A kind's constants.

    `history_size` (publications) and `history_age_s` bound what a memory log keeps; a
    durable log keeps everything until a snapshot replaces it. `stateful` says that what
    is accepted depends on what was accepted before. `recent` is how many of the newest
    publications a joiner without a position gets. `flush_interval_s` is the least time
    between two flushes of keyed signals to one session; 0 means each turn of the loop.
    `state_limit_bytes` bounds one catch-up.
    """

    keep: Keep = Keep.SHARED
    content: Content = Content.JSON
    history_size: int = 1_000
    history_age_s: float = 300.0
    stateful: bool = False
    recent: int = 0
    recover_limit: int = 5_000
    flush_interval_s: float = 0.0
    state_limit_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Say:
    """A publication that is to follow, before it has a position."""

    channel: str
    event: str
    content: JSON | bytes


@dataclass(frozen=True, slots=True)
class Follows:
    """What follows from an accepted event, all of it or nothing.

    `says` and `changes` go to the log in one transaction; `signals` leave at once.
    """

    says: Sequence[Say] = ()
    signals: Sequence[Signal] = ()
    changes: Sequence[Change] = ()


class Nothing(StrEnum):
    """An event from which nothing follows."""

    DUPLICATE = "duplicate"
    """Known already: acknowledge it once everything before it is kept."""
    NOT_YET = "not yet"
    """Something that it builds on is missing: do not acknowledge."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the kind does not take, and why."""

    error: ReplyError


Accepted: TypeAlias = "Follows | Nothing | Refused"


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What a joiner gets: state + events after `at` = the channel's state.

    `recovered`: `publications` is everything after the joiner's position. Otherwise it
    is the newest few, or `state` says all (`state` None: there is none to say).
    """

    at: Position
    recovered: bool
    publications: Sequence[Publication] = field(default=())
    state: JSON | Difference = None


class Kind(Protocol):
    """One use case's rules. Owns no I/O: it reads through the log and its read port."""

    @property
    def policy(self) -> Policy:
        """The kind's constants; read once for each channel that is opened."""

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Return if `who` may do this; else raise `Refusal`.

        Absent and forbidden are both PERMISSION_DENIED, so that nobody can tell them
        apart; a name that can never be is UNKNOWN_CHANNEL.
        """

    async def load(self, channel: str, log: Log) -> Position:
        """Read what `accept` needs to judge; return the position read up to.

        Called before the first accept or fold, and again after `retract` or `forget`.
        Kinds without state return `await log.top(channel)`.
        """

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Judge one event against the accepted state (it may be ahead of the commit).

        Runs one at a time for a channel and never awaits.
        """

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """Answer a joiner from the history, the log, a snapshot or a state vector."""

    def fold(self, publication: Publication) -> Publication:
        """Take a committed publication into the state, in order, before the fan-out.

        Runs on every node. Returns the publication that is fanned out: the same one,
        or the same with `shown` filled in.
        """

    def retract(self, channel: str) -> None:
        """Drop what was accepted and is not kept: an append failed or was a duplicate.

        What was folded stays right, for subscribers are told by it. `load` follows
        before the next `accept`.
        """

    def forget(self, channel: str) -> None:
        """Drop the channel's state: it is unloaded, or its stream is a new one."""


async def from_history(policy: Policy, channel: str, since: Since, log: Log) -> CatchUp:
    """Answer a joiner from the log alone, as kinds without a state do.

    All that was missed, or, where that cannot be had or is more than the policy allows
    at once, the newest `policy.recent`.
    """
    if isinstance(since, Position):
        missed = await _missed(policy, channel, since, log)
        if missed is not None:
            at = missed[-1].position if missed else since
            return CatchUp(at, recovered=True, publications=missed)
    if policy.recent == 0:
        return CatchUp(await log.top(channel), recovered=False)
    newest = await log.page(channel, None, policy.recent)
    at = newest.publications[-1].position if newest.publications else newest.top
    return CatchUp(at, recovered=False, publications=newest.publications)


async def _missed(
    policy: Policy, channel: str, since: Position, log: Log
) -> tuple[Publication, ...] | None:
    """Return everything after a position; None where it cannot be had whole."""
    missed: list[Publication] = []
    room_bytes = policy.state_limit_bytes
    while True:
        try:
            page = await log.read(channel, since, READ_PUBLICATIONS)
        except Unrecoverable:
            return None
        for publication in page.publications:
            room_bytes -= weigh(publication)
            since = publication.position
        missed += page.publications
        if room_bytes < 0 or len(missed) > policy.recover_limit:
            return None
        if since.offset >= page.top.offset:
            return tuple(missed)


def weigh(publication: Publication) -> int:
    """Return about how many bytes a publication takes in a frame."""
    content = publication.content
    return WEIGHT_BYTES + (
        len(content) if isinstance(content, bytes) else len(_encode(content))
    )
