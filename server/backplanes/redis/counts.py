"""What the backplane counts. Plain integers: it adds, the scrape reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Totals since the start."""

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
