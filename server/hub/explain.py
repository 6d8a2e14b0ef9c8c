"""What a channel costs and who is slow in it, for the person who asks why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model import Position
    from .channel import Channel


@dataclass(frozen=True, slots=True)
class Explanation:
    """One channel on this node, now; the counts are since the channel was opened here.

    `encodes` and `runs` beside `publications` show what a publication costs: it is
    encoded once for each codec in use, and all that went in one run was one entry in
    each outbox, so at most one write. `queued_bytes` are percentiles (50, 90, 99, 100)
    over the subscribers of what waits in their outboxes, for all their channels.
    """

    channel: str
    top: Position | None
    subscribers: Mapping[str, int]
    """How many there are of each codec."""
    joining: int
    listeners: int
    waiting: int
    """Broadcasts that wait for their fan-out."""
    publications: int
    runs: int
    encodes: int
    deliveries: int
    queued_bytes: Mapping[int, int]


def explain(channel: Channel) -> Explanation:
    """Look at a channel."""
    subscriptions = tuple(channel.subscriptions.values())
    sessions = [each.session for each in subscriptions]
    spent = channel.pump.spent
    return Explanation(
        channel.name,
        channel.top,
        Counter(session.codec.name for session in sessions),
        sum(each.held is not None for each in subscriptions),
        len(channel.listeners),
        len(channel.inbox),
        spent.publications,
        spent.runs,
        spent.encodes,
        spent.deliveries,
        _percentiles([session.outbox.held_bytes for session in sessions]),
    )


def _percentiles(values: Sequence[int]) -> Mapping[int, int]:
    ordered = sorted(values) or [0]
    last = len(ordered) - 1
    return {each: ordered[round(last * each / 100)] for each in (50, 90, 99, 100)}
