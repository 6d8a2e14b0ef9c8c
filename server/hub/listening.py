"""A subscriber in Python: `async for publication in hub.subscribe(channel)`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from ..errors import Lagged, Unrecoverable
from ..model import Publication, Reset, Signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..model import Broadcast, Position
    from .channel import Channel

WAITING_BROADCASTS = 1_000
READ_PUBLICATIONS = 500


class Listening:
    """A bounded queue between a channel and one async iterator."""

    def __init__(self, position: Position | None, *, signals: bool) -> None:
        self._waiting: deque[Publication | Signal] = deque()
        self._signals = signals
        self._wake: asyncio.Future[None] | None = None
        self._lagged = False
        self._reset = False
        self.position = position

    def put(self, broadcast: Broadcast) -> None:
        """Take a broadcast; more than the bound makes the iterator raise `Lagged`."""
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

    async def next(self) -> Publication | Signal:
        """Return the next one.

        Raises `Lagged` after the last one before the overflow, and `Unrecoverable` when
        the channel's stream has become a new one.
        """
        while not self._waiting:
            if self._lagged:
                raise Lagged(self.position)
            if self._reset:
                raise Unrecoverable
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        found = self._waiting.popleft()
        if isinstance(found, Publication):
            self.position = found.position
        return found


async def listen(
    channel: Channel, since: Position | None, *, signals: bool
) -> AsyncIterator[Publication | Signal]:
    """Yield what a channel brings; see `Hub.subscribe`."""
    log = channel.committer.log
    at = channel.top or await log.top(channel.name)
    listening = Listening(since or at, signals=signals)
    channel.listeners.append(listening)
    try:
        while since is not None:
            past = await log.read(channel.name, since, READ_PUBLICATIONS)
            for publication in past.publications:
                since = at = listening.position = publication.position
                yield publication
            if since.offset >= past.top.offset:
                break
        while True:
            found = await listening.next()
            if not (isinstance(found, Publication) and _known(found, at)):
                yield found
    finally:
        channel.listeners.remove(listening)


def _known(publication: Publication, at: Position) -> bool:
    position = publication.position
    return position.epoch == at.epoch and position.offset <= at.offset
