"""The backplane of one process: a direct call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model import Broadcast, Publication, Signal


class LocalBackplane:
    """Delivers at once, to this node."""

    def __init__(self) -> None:
        self._deliver: Callable[[Broadcast], None] | None = None

    def attach(self, deliver: Callable[[Broadcast], None]) -> None:
        """See `Backplane.attach`."""
        self._deliver = deliver

    def publish(self, broadcast: Publication | Signal) -> None:
        """See `Backplane.publish`."""
        if self._deliver is not None:
            self._deliver(broadcast)
