"""A backplane that loses what the test names. It never reorders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.backplanes.local import LocalBackplane
from server.model import Publication

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.model import Attendance, Signal


class LossyBackplane(LocalBackplane):
    """Delivers at once, but for what `loses` says, and nothing while `jam` is set."""

    def __init__(self, node: str = "n_only") -> None:
        super().__init__(node)
        self.loses: Callable[[Publication], bool] = lambda _: False
        self.jam: Exception | None = None
        self.lost: list[Publication] = []

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """See `Backplane.publish`."""
        if self.jam is not None:
            raise self.jam
        if isinstance(broadcast, Publication) and self.loses(broadcast):
            self.lost.append(broadcast)
        else:
            super().publish(broadcast)
