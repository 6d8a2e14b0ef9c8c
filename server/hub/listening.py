"""A subscriber in Python: `async for publication in hub.subscribe(channel)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..queues.listening import Listening

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..model import Position, Publication, Signal
    from .channel import Channel

READ_PUBLICATIONS = 500


async def listen(
    channel: Channel, since: Position | None, *, signals: bool
) -> AsyncGenerator[Publication | Signal, None]:
    """Yield what a channel brings; see `Hub.subscribe`."""
    log = channel.committer.log
    at = channel.top or await log.top(channel.name)
    listening = Listening(since or at, signals=signals)
    channel.listeners.append(listening)
    channel.was_joined = True
    try:
        while since is not None:
            # What was delivered before this is in the log, so it need not wait as well.
            listening.restart()
            past = await log.read(channel.name, since, READ_PUBLICATIONS)
            for publication in past.publications:
                since = listening.position = publication.position
                yield publication
            if since.offset >= past.top.offset:
                break
        while True:
            yield await listening.next()
    finally:
        channel.listeners.remove(listening)
