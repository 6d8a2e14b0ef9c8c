"""Gives one broadcast to many subscriptions: encoded once for each codec."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..model import Joined, Left, Publication, Reset, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model import Told
    from ..runtime.stats import Stats
    from ..seams.wire import Codec
    from .subscription import Subscription

logger = logging.getLogger("hubbub.fanout")

_STEP = 64
"""So many are given to before somebody looks at the clock."""


def spread(
    broadcast: Told, subscriptions: Sequence[Subscription], stats: Stats
) -> Iterator[int]:
    """Give one broadcast to many subscriptions, in steps; count it.

    Yields after each step by how many bytes the largest frame has grown.
    """
    frames: dict[Codec, bytes | None] = {}
    delivered = largest_bytes = 0
    for start in range(0, len(subscriptions), _STEP):
        delivered += give(broadcast, subscriptions[start : start + _STEP], frames)
        before_bytes = largest_bytes
        largest_bytes = max(map(len, filter(None, frames.values())), default=0)
        yield largest_bytes - before_bytes
    stats.deliveries += delivered
    stats.encodes += len(frames)


def give(
    broadcast: Told,
    subscriptions: Iterable[Subscription],
    frames: dict[Codec, bytes | None],
) -> int:
    """Give one broadcast to some subscriptions; return how many it was queued for."""
    delivered = 0
    position = broadcast.position if isinstance(broadcast, Publication) else None
    for subscription in subscriptions:
        if subscription.held is not None:
            subscription.hold(broadcast)
            continue
        if position is not None:
            if not subscription.takes(position):
                continue
        elif isinstance(broadcast, Reset):
            if subscription.is_past(broadcast.position):
                # It joined the new stream before this node heard of it.
                continue
            subscription.at(broadcast.position)
        elif isinstance(broadcast, Joined | Left) and not subscription.presence:
            continue
        session = subscription.session
        frame = _frame(broadcast, session.codec, frames)
        if frame is None:
            continue
        delivered += 1
        if isinstance(broadcast, Signal):
            session.push_signal(frame, broadcast.channel, broadcast.key)
        else:
            session.push(frame, broadcast.channel)
    return delivered


def _frame(
    broadcast: Told, codec: Codec, frames: dict[Codec, bytes | None]
) -> bytes | None:
    try:
        return frames[codec]
    except KeyError:
        pass
    try:
        frame = codec.encode(broadcast)
    except Exception:
        # One codec's fault must not keep the others from their frames.
        logger.exception("codec %s cannot encode", codec.name)
        frame = None
    frames[codec] = frame
    return frame
