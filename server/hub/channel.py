"""One channel on this node: its order, its subscribers, its fan-out.

Rules:
1. Broadcasts are handled one at a time, in the order in which they came: this is the
   channel's pump. It runs in the turn in which a broadcast comes and goes on in a task
   of its own when it would hold the loop for longer than a slice, or has given more
   than the flusher writes in a turn: a burst must not make a fast reader look slow.
2. A publication that was seen is dropped; before one that is too new, the missing ones
   are read from the log (gap check). Nothing is handled before the top is known.
3. A publication is folded by its kind before anybody gets it, and encoded once for each
   codec.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import TOO_MANY_REQUESTS, Refusal
from ..model import Joined, Left, Position, Publication, Reset, Signal
from .fanout import give
from .flusher import SLICE_S
from .presence import ANNOUNCED_MEMBERS, Presence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model import Broadcast
    from .commit import Committer
    from .hub import Hub
    from .kind import Kind
    from .listening import Listening
    from .session import Session
    from .subscription import Subscription
    from .wire import Codec

logger = logging.getLogger("hubbub.channel")

_CHECK_EVERY = 64
HEAL_LIMIT = 500
RETRY_S = 0.5
WAITING_BROADCASTS = 2_000
"""Above this many that wait for their fan-out, publishing is refused."""
TURN_BYTES = 16 * 1024
"""What one subscriber is given until the flusher has had its turn."""


class Channel:
    """What this node knows of one channel while somebody uses it."""

    def __init__(self, hub: Hub, name: str, kind: Kind, committer: Committer) -> None:
        self._hub = hub
        self.name = name
        self.kind = kind
        self.committer = committer
        self.top: Position | None = None
        self.loaded = False
        self.opening = asyncio.Lock()
        self.exclusive = asyncio.Lock()
        self.subscriptions: dict[Session, Subscription] = {}
        self.listeners: list[Listening] = []
        self.presence = Presence()
        self.retained: dict[str, Signal] = {}
        self.used_at = hub.now()
        self.users = 0
        self._inbox: deque[Broadcast] = deque()
        self._pumping = False
        self._round = 0
        self._given_bytes = 0

    @property
    def idle(self) -> bool:
        """Whether nobody needs the channel to stay."""
        return not (self.subscriptions or self.listeners or self._inbox or self.users)

    # What comes

    def receive(self, broadcast: Broadcast) -> None:
        """Take one broadcast from the backplane or from this node."""
        if self.top is None and not self.opening.locked():
            # Whoever opens it reads what was kept before.
            return
        self._inbox.append(broadcast)
        self._start()

    def check_room(self) -> None:
        """Raise `Refusal` (too many requests) when too much waits for its fan-out."""
        if len(self._inbox) >= WAITING_BROADCASTS:
            raise Refusal(TOO_MANY_REQUESTS)

    def _start(self) -> None:
        if self._pumping or self.top is None:
            return
        self._pumping = True
        work = self._work()
        handed_on = False
        try:
            if self._gave_enough() or not self._pump(work):
                handed_on = True
                self._hub.tasks.spawn(self._go_on(work), f"pump-{self.name}")
        finally:
            if not handed_on:
                self._pumping = False

    def _pump(self, work: Iterator[None]) -> bool:
        """Run the work for one slice; return whether all of it is done."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SLICE_S
        for _ in work:
            if self._needs_log() or self._gave_enough() or loop.time() > deadline:
                return False
        return True

    async def _go_on(self, work: Iterator[None]) -> None:
        try:
            while True:
                if self._needs_log():
                    await self._heal()
                else:
                    await asyncio.sleep(0)
                if not self._gave_enough() and self._pump(work):
                    return
        finally:
            self._pumping = False
            if self._inbox and not self._hub.stopping:
                self._pumping = True
                self._hub.tasks.spawn(self._go_on(self._work()), f"pump-{self.name}")

    def _gave_enough(self) -> bool:
        """Whether the flusher must write before more is given."""
        flusher = self._hub.flusher
        if flusher.rounds != self._round or not flusher.busy:
            self._round, self._given_bytes = flusher.rounds, 0
        return self._given_bytes > TURN_BYTES

    def _work(self) -> Iterator[None]:
        while self._inbox:
            if self._needs_log():
                yield
                continue
            broadcast = self._inbox.popleft()
            if isinstance(broadcast, Publication):
                if self._seen(broadcast):
                    continue
                broadcast = self._take_in(broadcast)
            elif isinstance(broadcast, Signal) and broadcast.retained:
                self._retain(broadcast)
            yield from self._fan_out(broadcast)

    def _seen(self, publication: Publication) -> bool:
        top = self.top
        return (
            top is not None
            and publication.position.epoch == top.epoch
            and publication.position.offset <= top.offset
        )

    def _needs_log(self) -> bool:
        """Whether the next publication is not the one after the top."""
        if not self._inbox or self.top is None:
            return False
        first = self._inbox[0]
        return isinstance(first, Publication) and (
            first.position.epoch != self.top.epoch
            or first.position.offset > self.top.offset + 1
        )

    async def _heal(self) -> None:
        """Read what the backplane lost and put it before what it did not lose."""
        first, top = self._inbox[0], self.top
        if not isinstance(first, Publication) or top is None:
            return
        # By `page`: a memory of what was delivered here cannot answer that one.
        after = first.position.offset
        until = max(min(after, top.offset + 1 + HEAL_LIMIT), 1)
        limit = max(until - top.offset - 1, 1)
        try:
            found = await self.committer.log.page(self.name, until, limit)
        except Exception:
            # The log is away; what waits is kept, and the next turn tries again.
            logger.exception("channel %s: cannot read the log", self.name)
            await self._hub.pause(RETRY_S)
            return
        if self.top != top or not self._inbox or self._inbox[0] is not first:
            return
        missing = found.publications
        if first.position.epoch != found.top.epoch:
            # It comes late, of a stream that has ended.
            self._inbox.popleft()
        elif missing and missing[0].position == Position(top.epoch, top.offset + 1):
            self._hub.stats.healed += len(missing)
            self._inbox.extendleft(reversed(missing))
        else:
            logger.warning("channel %s: goes on as a new stream", self.name)
            self.forget()
            self._start_epoch(Position(first.position.epoch, after - 1))

    def _start_epoch(self, position: Position) -> None:
        self.top = position
        self._inbox.appendleft(Reset(self.name, position))

    def found(self, before: Position | None, top: Position) -> None:
        """Take the log's top, read when this node had delivered up to `before`.

        A top below that, or of another epoch, is evidence that the stream is a new one:
        everybody is told.
        """
        if self.top is None:
            self.top = top
        elif self.top == before and (
            top.epoch != before.epoch or top.offset < before.offset
        ):
            # The publications that wait are of the stream that ended.
            self._inbox = deque(
                each for each in self._inbox if not isinstance(each, Publication)
            )
            self._start_epoch(top)
        self._start()

    def not_found(self) -> None:
        """Give up what came while the channel was opened in vain."""
        if self.top is None:
            self._inbox.clear()

    def _take_in(self, publication: Publication) -> Publication:
        self.top = publication.position
        try:
            folded = self.kind.fold(publication)
        except Exception:
            # A fold that fails must not stop the channel; its state is read anew.
            logger.exception("channel %s: cannot fold", self.name)
            self.forget()
            folded = publication
        self.committer.log.remember(folded)
        return folded

    def forget(self) -> None:
        """Drop the kind's state; it is loaded before the next accept."""
        self.loaded = False
        self.kind.forget(self.name)

    def _retain(self, signal: Signal) -> None:
        key = signal.key or ""
        if signal.fell:
            self.retained.pop(key, None)
        else:
            self.retained[key] = signal

    # What goes

    def _fan_out(self, broadcast: Broadcast) -> Iterator[None]:
        for listener in self.listeners:
            listener.put(broadcast)
        if not self.subscriptions:
            return
        frames: dict[Codec, bytes | None] = {}
        delivered = 0
        pending = iter(tuple(self.subscriptions.values()))
        while chunk := tuple(islice(pending, _CHECK_EVERY)):
            delivered += give(broadcast, chunk, frames)
            yield
        self._given_bytes += max(map(len, filter(None, frames.values())), default=0)
        self._hub.stats.deliveries += delivered
        self._hub.stats.encodes += len(frames)

    # Who is here

    def add(self, session: Session, subscription: Subscription) -> None:
        """Register a session; it gets nothing yet, but what is live is held for it."""
        before = self.subscriptions.get(session)
        if before is not None:
            before.end()
        self.subscriptions[session] = subscription
        if self.presence.add(session.who, session.id):
            count = len(self.presence)
            if count <= ANNOUNCED_MEMBERS and self._watched():
                self.receive(Joined(self.name, session.who, count))

    def remove(self, session: Session) -> None:
        """Take a session out, with the signals that were retained for it."""
        subscription = self.subscriptions.pop(session, None)
        if subscription is None:
            return
        subscription.end()
        self.used_at = self._hub.now()
        for key, signal in tuple(self.retained.items()):
            if signal.owner == session.id:
                del self.retained[key]
                self._hub.send_signal(replace(signal, fell=True))
        if self.presence.remove(session.who, session.id):
            count = len(self.presence)
            if count < ANNOUNCED_MEMBERS and self._watched():
                self.receive(Left(self.name, session.who, count))

    def _watched(self) -> bool:
        return any(sub.presence for sub in self.subscriptions.values())
