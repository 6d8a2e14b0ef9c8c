"""Lets the channels with work have their turns: a slice at a time, no task for each.

What comes to a channel in one turn of the loop is fanned out in the next, together.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..queues.flusher import SLICE_S

if TYPE_CHECKING:
    from .pump import Pump

logger = logging.getLogger("hubbub.pumps")


class Pumps:
    """Knows which channels have something to fan out."""

    def __init__(self) -> None:
        self._waiting: dict[Pump, None] = {}
        self._scheduled = False

    def mark(self, pump: Pump) -> None:
        """Let a channel have a turn soon."""
        self._waiting[pump] = None
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SLICE_S
        waiting, self._waiting = self._waiting, {}
        for count, pump in enumerate(waiting, 1):
            if self._has_more(pump, deadline):
                self._waiting[pump] = None
            if loop.time() > deadline:
                # Who has not had a turn yet has the next one.
                rest = dict.fromkeys(list(waiting)[count:])
                self._waiting = rest | self._waiting
                break
        if self._waiting:
            self._schedule()

    @staticmethod
    def _has_more(pump: Pump, deadline: float) -> bool:
        try:
            return pump.turn(deadline)
        except Exception:
            # One channel's fault must not keep the others from their turns.
            logger.exception("a fan-out failed")
            return pump.interrupted()
