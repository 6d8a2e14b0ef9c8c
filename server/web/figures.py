"""What a node does, in figures: once a second, for everybody who looks at `hub:stats`.

Looking must not change what is seen. So everything that is told there is left out of
the figures again: `Reporter` counts its signals, and on each node one delivery for each
subscriber that a report went to; publications are counted by their kind.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ..errors import SLOW, HubbubError
from ..model import SERVER, Event, Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from ..hub.hub import Hub
    from ..model import JSON, Fence
    from ..runtime.clock import Clock

    Sleep: TypeAlias = Callable[[float], Awaitable[None]]

logger = logging.getLogger("hubbub.live")

REPORTS: Final = "hub"
"""The kind of the channels of reports; nobody else writes there."""
STATS: Final = f"{REPORTS}:stats"
ACTIVITY: Final = f"{REPORTS}:activity"

TICKS_A_SECOND: Final = 10
LOST_S: Final = 1.0
"""Further behind than this, lost time is let go instead of caught up with."""
AGAIN_S: Final = 1.0


class Figures(msgspec.Struct, frozen=True):
    """What a node does, or all of them.

    `sessions` by gateway, `outbox_bytes` and `channels` are now; `..._per_s` are rates
    since the last reading; `total` is since the start; `lag_ms` is the greatest
    lateness of an event loop.
    """

    sessions: dict[str, int]
    publications_per_s: float
    deliveries_per_s: float
    signals_per_s: float
    merged_per_s: float
    skipped_per_s: float
    outbox_bytes: int
    channels: int
    lag_ms: float
    total: dict[str, int]


class Reporter:
    """Tells of the hub on its own channels, and counts that, to leave it out."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.signals = 0
        self.deliveries = 0

    async def publish(self, channel: str, content: JSON, fence: Fence) -> None:
        """Publish to subscribers, later ones too, while `fence` holds.

        Raises `Refusal`.
        """
        event = Event(_name(channel), content, fence=fence)
        self._hub.judge(await (await self._hub.submit(SERVER, channel, event)))

    def show(self, channel: str, content: JSON) -> None:
        """Send what replaces all that was shown before, and is retained for joiners."""
        name, now_ms = _name(channel), self._hub.clock.now_ms()
        self.signals += 1
        self._hub.send_signal(
            Signal(channel, name, content, None, now_ms, key=name, retained=True)
        )

    async def hear(self, channel: str) -> None:
        """Count what the reports of any node cost this one, until cancelled.

        It also keeps the channel, with what it retains, from being swept as unused.
        """
        while True:
            try:
                async for _ in self._hub.subscribe(channel, signals=True):
                    self.deliveries += len(self._hub.channels[channel].subscriptions)
            except HubbubError as error:
                # While stopping or cut off; or the stream is a new one.
                logger.debug("channel %s is not heard: %s", channel, error)
            await self._hub.pause(AGAIN_S)


def _name(channel: str) -> str:
    return channel.partition(":")[2]


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
    """Turns this node's totals into rates, by the time between two readings."""

    def __init__(self, hub: Hub, clock: Clock, reporter: Reporter) -> None:
        self._hub = hub
        self.clock = clock
        self._reporter = reporter
        self._before = self._totals()

    def read(self, lag_s: float) -> Figures:
        """Return the figures since the last reading; `lag_s` was seen meanwhile."""
        hub, before, now = self._hub, self._before, self._totals()
        self._before = now
        passed_s = max(now.at_s - before.at_s, 1e-3)

        def rate(first: int, last: int) -> float:
            return round(max(0, last - first) / passed_s, 1)

        return Figures(
            sessions={name: n for name, n in hub.stats.sessions.items() if n > 0},
            publications_per_s=rate(before.publications, now.publications),
            deliveries_per_s=rate(before.deliveries, now.deliveries),
            signals_per_s=rate(before.signals, now.signals),
            merged_per_s=rate(before.merged, now.merged),
            skipped_per_s=rate(before.skipped, now.skipped),
            outbox_bytes=sum(
                session.outbox.held_bytes for session in hub.sessions.values()
            ),
            channels=len(hub.channels),
            lag_ms=round(lag_s * 1000, 1),
            total=self._since_start(now),
        )

    def _since_start(self, now: Totals) -> dict[str, int]:
        stats = self._hub.stats
        return {
            "publications": now.publications,
            "deliveries": now.deliveries,
            "signals": now.signals,
            "merged": now.merged,
            "skipped": now.skipped,
            "recovered": stats.recovered,
            "unrecovered": stats.unrecovered,
            "closed_slow": stats.closed[SLOW.code],
            "opened": stats.opened.total(),
        }

    def _totals(self) -> Totals:
        stats, own = self._hub.stats, self._reporter
        return Totals(
            at_s=self.clock.monotonic(),
            publications=stats.publications - stats.accepted[REPORTS],
            deliveries=max(0, stats.deliveries - own.deliveries),
            signals=max(0, stats.signals - own.signals),
            merged=stats.merged,
            skipped=stats.skipped,
        )


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
