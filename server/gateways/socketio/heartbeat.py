"""Engine.IO's heartbeat: the server pings, and whatever a client says is life.

It follows the clock alone: no pong, asked for or not, begins anything (CVE-2026-48802).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...hub.hub import WHEEL_SLOT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...hub.hub import Hub
    from ...settings import Settings


class Heartbeat:
    """Calls `ping` each interval, and `lose` once where nothing is heard in time.

    While `busy`, the client cannot be heard, so it is not missed.
    """

    def __init__(
        self,
        hub: Hub,
        settings: Settings,
        ping: Callable[[], None],
        lose: Callable[[], None],
    ) -> None:
        self._hub = hub
        self._interval_s = settings.ping_interval_s
        self._timeout_s = settings.ping_timeout_s
        self._ping = ping
        self._lose = lose
        self._heard_at = hub.now()
        self._pinged_at = -math.inf
        self._due_at = self._heard_at + self._interval_s
        self._stopped = False
        self.busy = False
        self._wait(self._interval_s)

    def hear(self) -> None:
        """Take a sign of life."""
        self._heard_at = self._hub.now()

    def stop(self) -> None:
        """Do nothing any more."""
        self._stopped = True

    @property
    def is_late(self) -> bool:
        """Whether the client let its time pass; the wheel says so a little later."""
        deadline = self._pinged_at + self._timeout_s
        return self._is_missed() and self._hub.now() >= deadline

    def _is_missed(self) -> bool:
        return self._heard_at < self._pinged_at and not self.busy

    def _wait(self, seconds: float) -> None:
        # A slot too early rather than too late: the client waits for the ping, too.
        self._hub.wheel.remind(max(0.0, seconds - WHEEL_SLOT_S), self._tick)

    def _tick(self) -> None:
        if self._stopped:
            return
        if self._is_missed():
            self._lose()
            return
        now = self._hub.now()
        if self._due_at - now > WHEEL_SLOT_S:
            self._wait(self._due_at - now)
            return
        self._pinged_at = now
        self._due_at = now + self._interval_s
        self._ping()
        self._hub.wheel.remind(self._timeout_s, self._tick)
