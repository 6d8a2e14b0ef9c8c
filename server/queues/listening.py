"""A bounded queue between a channel and one reader in Python."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..errors import Lagged, Unrecoverable
from ..model import Publication, Reset, Signal

if TYPE_CHECKING:
    from ..model import Position, Told

WAITING_BROADCASTS = 1_000


class Listening:
    """A bounded queue between a channel and one async iterator."""

    def __init__(self, position: Position, *, signals: bool) -> None:
        self._waiting: deque[Publication | Signal] = deque()
        self._signals = signals
        self._wake: asyncio.Future[None] | None = None
        self._lagged = False
        self._reset = False
        self.position = position

    def put(self, broadcast: Told) -> None:
        """Take a broadcast; more than the bound makes the iterator raise `Lagged`."""
        if self._reset:
            return
        if isinstance(broadcast, Reset):
            self._reset = True
        elif isinstance(broadcast, Signal):
            # A signal that does not fit is dropped: it promises nothing.
            if self._signals and len(self._waiting) < WAITING_BROADCASTS:
                self._waiting.append(broadcast)
        elif isinstance(broadcast, Publication):
            if len(self._waiting) >= WAITING_BROADCASTS:
                self._lagged = True
            elif not self._lagged:
                self._waiting.append(broadcast)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def restart(self) -> None:
        """Let go of the publications that wait: the log is about to be read."""
        self._waiting = deque(
            each for each in self._waiting if isinstance(each, Signal)
        )
        self._lagged = False

    async def next(self) -> Publication | Signal:
        """Return the next one that is newer than `position`.

        Raises `Lagged` after the last one before the overflow, and `Unrecoverable` when
        the channel's stream has become a new one.
        """
        while True:
            while self._waiting:
                found = self._waiting.popleft()
                if not isinstance(found, Publication):
                    return found
                if not self.position.reaches(found.position):
                    self.position = found.position
                    return found
            if self._lagged:
                raise Lagged(self.position)
            if self._reset:
                raise Unrecoverable
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
