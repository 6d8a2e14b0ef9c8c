"""The nodes together: what each says of itself once a second, seen as one hub.

Every node keeps the others in view, though one at a time tells of it: so the next one
can, from its first second on. Clocks of other hosts are not trusted: a card is as old
as the time since it last changed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from .figures import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TypeAlias

    from ..model import JSON
    from ..runtime.clock import Clock
    from ..seams.backplane import Node

    State: TypeAlias = Literal["live", "silent", "gone"]

SILENT_S: Final = 5.0
"""A node whose card is older hangs, or is cut off: what it said is not so any more."""
GONE_S: Final = 10.0
"""So long is a node shown that has just gone."""
NODES_SHOWN: Final = 20


class Card(msgspec.Struct, frozen=True):
    """What a node says of itself; `beat` is another one each second."""

    beat: int
    host: str
    pid: int
    started_ms: int
    version: str
    figures: Figures


@dataclass(slots=True)
class _Seen:
    card: Card
    heard_s: float
    gone_s: float | None = None

    def state(self, now_s: float) -> State:
        if self.gone_s is not None:
            return "gone"
        return "live" if now_s - self.heard_s <= SILENT_S else "silent"


class Whole:
    """Keeps all nodes in view."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def look(self, nodes: Sequence[Node]) -> None:
        """Look at the nodes that live. Called once a second."""
        now_s = self._clock.monotonic()
        for node in nodes:
            card, seen = _card(node.card), self._seen.get(node.id)
            if card is not None and (seen is None or card.beat != seen.card.beat):
                self._seen[node.id] = _Seen(card, now_s)
        living = {node.id for node in nodes}
        for name, seen in tuple(self._seen.items()):
            if name in living:
                seen.gone_s = None
            elif seen.gone_s is None:
                seen.gone_s = now_s
            elif now_s - seen.gone_s > GONE_S:
                del self._seen[name]

    def tell(self) -> dict[str, JSON]:
        """Return the figures of all nodes that are live, summed, and beside it `nodes`.

        `lag_ms` is the greatest. `nodes` has those too that hang or have just gone, the
        one that started first in front, up to 20 of them.
        """
        now_s = self._clock.monotonic()
        found = sorted(
            self._seen.items(), key=lambda each: (each[1].card.started_ms, each[0])
        )
        live = [seen.card for _, seen in found if seen.state(now_s) == "live"]
        figures: dict[str, JSON] = msgspec.to_builtins(
            together([card.figures for card in live])
        )
        rows = [_row(node, seen.card, seen.state(now_s)) for node, seen in found]
        return {**figures, "nodes": rows[:NODES_SHOWN]}


def together(parts: Sequence[Figures]) -> Figures:
    """Return the figures of several nodes as those of one."""

    def rate(values: Iterable[float]) -> float:
        return round(sum(values), 1)

    return Figures(
        sessions=_sums(part.sessions for part in parts),
        publications_per_s=rate(part.publications_per_s for part in parts),
        deliveries_per_s=rate(part.deliveries_per_s for part in parts),
        signals_per_s=rate(part.signals_per_s for part in parts),
        merged_per_s=rate(part.merged_per_s for part in parts),
        skipped_per_s=rate(part.skipped_per_s for part in parts),
        outbox_bytes=sum(part.outbox_bytes for part in parts),
        channels=sum(part.channels for part in parts),
        lag_ms=max((part.lag_ms for part in parts), default=0.0),
        total=_sums(part.total for part in parts),
    )


def _sums(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for part in parts:
        sums.update(part)
    return dict(sums)


def _card(said: JSON) -> Card | None:
    """Return a node's card; None where it has none yet, or one of another version."""
    try:
        return msgspec.convert(said, Card)
    except msgspec.ValidationError:
        return None


def _row(node: str, card: Card, state: State) -> JSON:
    figures = card.figures
    return {
        "id": node,
        "host": card.host,
        "pid": card.pid,
        "version": card.version,
        "started": card.started_ms,
        "state": state,
        "sessions": sum(figures.sessions.values()),
        "publications_per_s": figures.publications_per_s,
        "deliveries_per_s": figures.deliveries_per_s,
        "outbox_bytes": figures.outbox_bytes,
        "lag_ms": figures.lag_ms,
    }
