"""A flood: numbered publications or signals into one channel, at a steady rate.

Each carries its number, so that whoever reads can prove what came; at the end a
publication says how many were sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from ..model import SERVER, Event

if TYPE_CHECKING:
    from ..hub.hub import Hub
    from ..model import JSON
    from ..runtime.clock import Clock
    from .figures import Sleep

MAX_PER_S: Final = 2_000
MAX_SECONDS: Final = 10.0
MAX_PAD_BYTES: Final = 1_000
SIGNAL_KEYS: Final = 10
"""A flood's signals share this many keys: who waits gets the newest of each."""

TICK_S: Final = 0.01
SLICE_S: Final = 0.003
"""At most so long is sent without giving the loop back."""
_CHECK_EVERY: Final = 8
UNHEARD_S: Final = 12.0
"""Longer than a reader stalls and comes back; without any for so long, it stops."""
OVERTIME_S: Final = 5.0
"""A server too busy for the rate may take so much longer."""


class Mode(StrEnum):
    """What a flood consists of."""

    PUBLICATIONS = "publications"
    SIGNALS = "signals"


class Wanted(msgspec.Struct, frozen=True):
    """What somebody asks for: how many a second, for how many seconds.

    `pad_bytes` makes each that much longer.
    """

    channel: str
    per_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_PER_S)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_SECONDS)]
    mode: Mode = Mode.PUBLICATIONS
    pad_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_PAD_BYTES)] = 0

    @property
    def total(self) -> int:
        """How many will be sent."""
        return max(1, round(self.per_s * self.seconds))


class Flood:
    """Sends what is wanted; `sent` counts. `id` tells its messages from another's."""

    def __init__(
        self, hub: Hub, clock: Clock, flood_id: str, wanted: Wanted, sleep: Sleep
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._wanted = wanted
        self._sleep = sleep
        self.id = flood_id
        self.sent = 0

    async def send(self) -> None:
        """Send until all is sent or nobody listens any more; raises `Refusal`.

        Call `say_end` next.
        """
        wanted, clock = self._wanted, self._clock
        began_s = heard_s = now_s = clock.monotonic()
        while now_s - began_s < wanted.seconds + OVERTIME_S:
            if self._is_heard():
                heard_s = now_s
            elif now_s - heard_s > UNHEARD_S:
                return
            # By the clock, not by counting sleeps: what was late is caught up with.
            due = min(wanted.total, int((now_s - began_s) * wanted.per_s) + 1)
            await self._send_until(due)
            if self.sent >= wanted.total:
                return
            next_s = began_s + self.sent / wanted.per_s
            is_behind = self.sent < due
            await self._sleep(0 if is_behind else max(TICK_S, next_s - now_s))
            now_s = clock.monotonic()

    async def _send_until(self, due: int) -> None:
        """Send for at most a slice; what was published is kept when this returns."""
        deadline_s = self._clock.monotonic() + SLICE_S
        kept = None
        while self.sent < due:
            event = self._next()
            if event.signal:
                await self._hub.signal(SERVER, self._wanted.channel, event)
            else:
                kept = await self._hub.submit(SERVER, self._wanted.channel, event)
            self.sent += 1
            if self.sent % _CHECK_EVERY == 0 and self._clock.monotonic() > deadline_s:
                break
        if kept is not None:
            self._hub.judge(await kept)

    def _next(self) -> Event:
        n = self.sent + 1
        content: dict[str, JSON] = {"flood": self.id, "n": n}
        if self._wanted.pad_bytes:
            content["pad"] = "." * self._wanted.pad_bytes
        if self._wanted.mode is Mode.SIGNALS:
            return Event("flood", content, f"k{n % SIGNAL_KEYS}", signal=True)
        return Event("flood", content)

    async def say_end(self) -> None:
        """Publish how many were sent; raises `Refusal`."""
        mode = self._wanted.mode.value
        content: JSON = {"flood": self.id, "sent": self.sent, "mode": mode}
        await self._hub.publish(self._wanted.channel, content, event="end")

    def _is_heard(self) -> bool:
        channel = self._hub.channels.get(self._wanted.channel)
        return channel is not None and bool(channel.subscriptions)
