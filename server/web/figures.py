"""What the hub does, in figures: once a second to everybody who looks at `hub:stats`.

Looking must not change what is seen. So everything that is told here is left out of the
figures again: `Reporter` counts its own publications and signals, and one delivery for
each subscriber that they went to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import SLOW
from ..model import SERVER, Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from ..hub.hub import Hub
    from ..model import JSON
    from ..runtime.clock import Clock

    Sleep: TypeAlias = Callable[[float], Awaitable[None]]

STATS: Final = "hub:stats"
ACTIVITY: Final = "hub:activity"

TICKS_A_SECOND: Final = 10
LOST_S: Final = 1.0
"""Further behind than this, lost time is let go instead of caught up with."""


class Reporter:
    """Tells of the hub on its own channels, and counts that, to leave it out."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.publications = 0
        self.signals = 0
        self.deliveries = 0

    async def publish(self, channel: str, content: JSON) -> None:
        """Publish to subscribers, later ones too. Raises `Refusal`."""
        self.publications += 1
        self.deliveries += self._listeners(channel)
        await self._hub.publish(channel, content, event=channel.partition(":")[2])

    def show(self, channel: str, content: JSON) -> None:
        """Send what replaces all that was shown before, and is retained for joiners."""
        name = channel.partition(":")[2]
        self.signals += 1
        self.deliveries += self._listeners(channel)
        now_ms = self._hub.clock.now_ms()
        self._hub.send_signal(
            Signal(channel, name, content, None, now_ms, key=name, retained=True)
        )

    async def keep_open(self, channel: str) -> None:
        """Keep a channel, with what it retains, from being swept as unused."""
        await self._hub.history(SERVER, channel, limit=1)

    def _listeners(self, channel: str) -> int:
        found = self._hub.channels.get(channel)
        return 0 if found is None else len(found.subscriptions)


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted since the start, without the reports, at a monotonic time."""

    at_s: float
    publications: int
    deliveries: int
    signals: int
    merged: int
    skipped: int


class Meter:
    """Turns totals into rates, by the time that passed between two readings."""

    def __init__(self, hub: Hub, clock: Clock, reporter: Reporter) -> None:
        self._hub = hub
        self._clock = clock
        self._reporter = reporter
        self._before = self._totals()

    def read(self, lag_s: float) -> dict[str, JSON]:
        """Return the figures since the last reading.

        `sessions` by gateway, `channels` and `outbox_bytes` are now; `..._per_s` are
        rates; `total` since the start; `lag_ms` is the loop's greatest lateness.
        """
        hub, before, now = self._hub, self._before, self._totals()
        self._before = now
        return {
            "sessions": {name: n for name, n in hub.stats.sessions.items() if n > 0},
            **_rates(before, now),
            "outbox_bytes": sum(
                session.outbox.waiting_bytes for session in hub.sessions.values()
            ),
            "channels": len(hub.channels),
            "lag_ms": round(lag_s * 1000, 1),
            "total": {
                "publications": now.publications,
                "deliveries": now.deliveries,
                "signals": now.signals,
                "merged": now.merged,
                "skipped": now.skipped,
                "recovered": hub.stats.recovered,
                "unrecovered": hub.stats.unrecovered,
                "closed_slow": hub.stats.closed[SLOW.code],
                "opened": hub.stats.opened.total(),
            },
        }

    def _totals(self) -> Totals:
        stats, own = self._hub.stats, self._reporter
        return Totals(
            at_s=self._clock.monotonic(),
            publications=max(0, stats.publications - own.publications),
            deliveries=max(0, stats.deliveries - own.deliveries),
            signals=max(0, stats.signals - own.signals),
            merged=stats.merged,
            skipped=stats.skipped,
        )


def _rates(before: Totals, now: Totals) -> dict[str, JSON]:
    passed_s = max(now.at_s - before.at_s, 1e-3)

    def rate(first: int, last: int) -> float:
        return round(max(0, last - first) / passed_s, 1)

    return {
        "publications_per_s": rate(before.publications, now.publications),
        "deliveries_per_s": rate(before.deliveries, now.deliveries),
        "signals_per_s": rate(before.signals, now.signals),
        "merged_per_s": rate(before.merged, now.merged),
        "skipped_per_s": rate(before.skipped, now.skipped),
    }


async def seconds(clock: Clock, sleep: Sleep) -> AsyncIterator[float]:
    """Yield once a second, without drift, how late the loop was at worst, in seconds.

    It is woken ten times a second to see that.
    """
    due_s = clock.monotonic()
    while True:
        worst_s = 0.0
        for _ in range(TICKS_A_SECOND):
            due_s += 1 / TICKS_A_SECOND
            await sleep(max(0.0, due_s - clock.monotonic()))
            worst_s = max(worst_s, clock.monotonic() - due_s)
        if worst_s > LOST_S:
            due_s = clock.monotonic()
        yield worst_s
