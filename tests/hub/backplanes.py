"""A backplane that loses what the test names. It never reorders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.model import Publication

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.model import Broadcast, Signal


class LossyBackplane:
    """Delivers at once, but for what `loses` says, and nothing while `fault` is set."""

    def __init__(self) -> None:
        self._deliver: Callable[[Broadcast], None] = lambda _: None
        self.loses: Callable[[Publication], bool] = lambda _: False
        self.fault: Exception | None = None
        self.lost: list[Publication] = []

    def attach(self, deliver: Callable[[Broadcast], None]) -> None:
        """See `Backplane.attach`."""
        self._deliver = deliver

    def publish(self, broadcast: Publication | Signal) -> None:
        """See `Backplane.publish`."""
        if self.fault is not None:
            raise self.fault
        if isinstance(broadcast, Publication) and self.loses(broadcast):
            self.lost.append(broadcast)
        else:
            self._deliver(broadcast)
