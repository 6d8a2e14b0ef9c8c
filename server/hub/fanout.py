"""Gives broadcasts to many subscriptions: encoded once for each codec.

Publications that follow each other go as one run: who has all before it is given the
whole run at once, as one entry that all outboxes of a codec share.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import SERVER_ERROR
from ..model import Joined, Left, Publication, Reset, Signal
from ..queues.outbox import Entry, entry_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from ..model import Told
    from ..queues.flusher import Flusher
    from ..runtime.stats import Stats
    from ..seams.wire import Codec
    from .session import Session
    from .subscription import Subscription

logger = logging.getLogger("hubbub.fanout")

STEP = 64
"""So many are given to before somebody looks at the clock."""
GUESS_BYTES = 256
"""What a frame is taken for that nobody is encoded for yet."""


class Spent:
    """What one channel's fan-out came to since it was opened; it adds to the hub's."""

    __slots__ = ("_stats", "deliveries", "encodes", "publications", "runs")

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self.publications = self.runs = self.encodes = self.deliveries = 0

    def delivered(self, count: int) -> None:
        """Count frames that were put into outboxes."""
        self.deliveries += count
        self._stats.deliveries += count

    def written(self, count: int, size_bytes: int) -> None:
        """Count what went straight to wires."""
        self._stats.writes += count
        self._stats.written_bytes += size_bytes

    def encoded(self) -> None:
        """Count a frame that was made."""
        self.encodes += 1
        self._stats.encodes += 1


class Frames:
    """The frames of one broadcast: one for each codec that was asked for.

    Each is counted in `spent`; None: by nobody.
    """

    __slots__ = ("_by_codec", "_spent", "broadcast")

    def __init__(self, broadcast: Told, spent: Spent | None = None) -> None:
        self.broadcast = broadcast
        self._spent = spent
        self._by_codec: dict[Codec, bytes | None] = {}

    def longest_bytes(self) -> int:
        """Return how long the longest is; 0 where there is none."""
        return max(map(len, filter(None, self._by_codec.values())), default=0)

    def of(self, codec: Codec) -> bytes | None:
        """Return the frame; None where this wire shows nothing."""
        try:
            return self._by_codec[codec]
        except KeyError:
            frame = self._by_codec[codec] = _encode(codec, self.broadcast)
            if self._spent is not None:
                self._spent.encoded()
            return frame


def _encode(codec: Codec, broadcast: Told) -> bytes | None:
    try:
        return codec.encode(broadcast)
    except Exception:
        # One codec's fault must not keep the others from their frames.
        logger.exception("codec %s cannot encode", codec.name)
        return None


class Run:
    """Publications that follow each other in one stream, and who is to be given them.

    `subscriptions` is what there was when the first was told.
    """

    def __init__(
        self,
        first: Publication,
        subscriptions: Sequence[Subscription],
        spent: Spent,
    ) -> None:
        self._spent = spent
        self._channel = first.channel
        self._epoch = first.position.epoch
        self._before = first.position.offset - 1
        self._last = self._before
        self._frames: list[Frames] = []
        self._entries: dict[Codec, tuple[Entry | None, int]] = {}
        self._subscriptions = subscriptions
        self._measure = self._codec_of_a_reader()
        self.chunk_bytes = 0
        """How long the run is in the words of one of its readers, or a guess."""
        self.add(first)

    def follows(self, publication: Publication) -> bool:
        """Whether a publication is the next one of the run."""
        at = publication.position
        return at.offset == self._last + 1 and at.epoch == self._epoch

    def add(self, publication: Publication) -> None:
        """Make the run longer."""
        self._last = publication.position.offset
        frames = Frames(publication, self._spent)
        self._frames.append(frames)
        if self._measure is None:
            self.chunk_bytes += GUESS_BYTES
        else:
            self.chunk_bytes += len(frames.of(self._measure) or b"")

    def _codec_of_a_reader(self) -> Codec | None:
        # One that will be given the run before anything else: what a codec encodes, it
        # may take for told.
        for subscription in self._subscriptions[:STEP]:
            if self._is_next_for(subscription):
                return subscription.session.codec
        return None

    def _is_next_for(self, subscription: Subscription) -> bool:
        """Whether it has all before the run, and may have the run at once."""
        return (
            subscription.offset == self._before
            and subscription.held is None
            and subscription.epoch == self._epoch
        )

    def spread(self, flusher: Flusher) -> Iterator[None]:
        """Give it to all, in steps; count it."""
        spent = self._spent
        spent.runs += 1
        spent.publications += len(self._frames)
        for start in range(0, len(self._subscriptions), STEP):
            rest = self._write(self._subscriptions[start : start + STEP])
            if rest:
                given: list[Session] = []
                spent.delivered(self._give(rest, given))
                flusher.mark_all(given)
            yield

    def _write(self, subscriptions: Sequence[Subscription]) -> list[Subscription]:
        """Write it straight to whom that may be; return the others."""
        before, epoch, last = self._before, self._epoch, self._last
        others: list[Subscription] = []
        codec: Codec | None = None
        frame, count, told = b"", 0, 0
        for subscription in subscriptions:
            wire = subscription.direct
            if (
                wire is None
                or subscription.offset != before
                or subscription.epoch != epoch
            ):
                others.append(subscription)
                continue
            if subscription.codec is not codec:
                self._count(frame, count, told)
                codec, told = subscription.codec, 0
                frame, count = self._chunk(codec)
            try:
                is_told = count == 0 or wire.offer(frame)
            except Exception:
                # One session's fault must not keep the others from their frames.
                session = subscription.session
                logger.exception("session %s: cannot be written to", session.id)
                session.close(SERVER_ERROR)
                is_told = False
            if is_told:
                subscription.offset = last
                told += 1
            else:
                others.append(subscription)
        self._count(frame, count, told)
        return others

    def _count(self, frame: bytes, count: int, told: int) -> None:
        if count and told:
            self._spent.delivered(count * told)
            self._spent.written(told, len(frame) * told)

    def _chunk(self, codec: Codec) -> tuple[bytes, int]:
        entry, count = self._entry_for(codec)
        return (b"", 0) if entry is None else (entry.frame, count)

    def _give(self, subscriptions: Sequence[Subscription], given: list[Session]) -> int:
        """Put it into outboxes; return how many frames were."""
        last, is_next_for = self._last, self._is_next_for
        delivered = 0
        for subscription in subscriptions:
            if not is_next_for(subscription):
                for frames in self._frames:
                    delivered += give(frames, (subscription,))
                continue
            subscription.offset = last
            session = subscription.session
            entry, count = self._entry_for(session.codec)
            if entry is not None and session.takes(entry):
                given.append(session)
                delivered += count
        return delivered

    def _entry_for(self, codec: Codec) -> tuple[Entry | None, int]:
        try:
            return self._entries[codec]
        except KeyError:
            found = self._entries[codec] = self._entry(codec)
            return found

    def _entry(self, codec: Codec) -> tuple[Entry | None, int]:
        found = [
            frame for each in self._frames if (frame := each.of(codec)) is not None
        ]
        return (entry_of(found, self._channel) if found else None), len(found)


def spread(
    broadcast: Told, subscriptions: Sequence[Subscription], spent: Spent
) -> Generator[None, None, int]:
    """Give one broadcast to many subscriptions, in steps; count it.

    Returns how long its longest frame is.
    """
    frames = Frames(broadcast, spent)
    for start in range(0, len(subscriptions), STEP):
        spent.delivered(give(frames, subscriptions[start : start + STEP]))
        yield
    return frames.longest_bytes()


def give(frames: Frames, subscriptions: Iterable[Subscription]) -> int:
    """Give one broadcast to some subscriptions; return how many it was queued for."""
    delivered = 0
    broadcast = frames.broadcast
    for subscription in subscriptions:
        if subscription.held is not None:
            subscription.hold(broadcast)
            continue
        if not _is_news(broadcast, subscription):
            continue
        session = subscription.session
        frame = frames.of(session.codec)
        if frame is None:
            continue
        delivered += 1
        _push(session, broadcast, frame)
    return delivered


def _is_news(broadcast: Told, subscription: Subscription) -> bool:
    if isinstance(broadcast, Publication):
        return subscription.takes(broadcast.position)
    if isinstance(broadcast, Reset):
        if subscription.is_past(broadcast.position):
            # It joined the new stream before this node heard of it.
            return False
        subscription.at(broadcast.position)
    return subscription.presence or not isinstance(broadcast, Joined | Left)


def _push(session: Session, broadcast: Told, frame: bytes) -> None:
    if isinstance(broadcast, Signal):
        session.push_signal(frame, broadcast.channel, broadcast.key)
    else:
        session.push(frame, broadcast.channel)
