"""What the hub counts. Plain integers: the hot path adds, the scrape reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stats:
    """Totals since the start, but for `sessions`, which is now."""

    sessions: Counter[str] = field(default_factory=Counter)
    """Open sessions by gateway."""
    opened: Counter[str] = field(default_factory=Counter)
    turned_away: int = 0
    """Sessions that were not opened, because there was no room."""
    closed: Counter[int] = field(default_factory=Counter)
    """Sessions ended by the server, by code."""
    refused: Counter[int] = field(default_factory=Counter)
    """Commands refused, by code."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Publications by kind."""
    signals: int = 0
    deliveries: int = 0
    """Frames put into outboxes by fan-out."""
    encodes: int = 0
    writes: int = 0
    written_bytes: int = 0
    merged: int = 0
    skipped: int = 0
    recovered: int = 0
    """Subscribes that got all they had missed."""
    unrecovered: int = 0
    """Subscribes whose position could not be resumed."""
    duplicates: int = 0
    """Publishes that a key showed to have been kept before."""
    healed: int = 0
    """Publications read from the log because the backplane lost them."""
    overflowed: int = 0
    """Broadcasts dropped because too many waited in a channel of this node."""
    renewed: int = 0
    """Streams ended because the log had lost what was delivered of them."""
    failed_commits: int = 0
    commits: int = 0
    committed: int = 0

    def ended(self) -> int:
        """Return how many sessions have ended."""
        return self.opened.total() - self.sessions.total()

    @property
    def publications(self) -> int:
        """Publications of all kinds."""
        return self.accepted.total()


@dataclass(slots=True)
class Traffic:
    """What a backplane sends and hears: totals since the start."""

    sent: int = 0
    """Broadcasts and orders that Redis took."""
    dropped: int = 0
    """Those that waited when Redis went away, or found no room."""
    heard: int = 0
    """Frames that came by Pub/Sub."""
    undecodable: int = 0
    """Those of them that no node of this version has made."""
    reconnects: int = 0
    """How often this node was cut off and whole again."""
    operations: int = 0
    """Commands sent, the scripts among them."""
