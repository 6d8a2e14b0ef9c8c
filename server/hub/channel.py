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
4. What waits is bounded; what was dropped is read from the log later (`Inbox`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import HubbubError
from ..model import Attendance, Joined, Left, Position, Publication, Reset, Signal
from ..nodes.roster import Roster
from ..queues.inbox import Inbox, Known
from .fanout import spread
from .flusher import SLICE_S
from .healing import Gap, read_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..model import Broadcast, Told
    from ..queues.commit import Committer
    from ..seams.backplane import NodeRoll
    from ..seams.kind import Kind
    from .hub import Hub
    from .listening import Listening
    from .session import Session
    from .subscription import Subscription

logger = logging.getLogger("hubbub.channel")

RETRY_S = 0.5
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
        self.roster = Roster(name, hub.node)
        self.entered = False
        self.used_at = hub.now()
        self.users = 0
        self.inbox = Inbox()
        self._pumping = False
        self._round = self._given_bytes = 0

    @property
    def idle(self) -> bool:
        """Whether nobody needs the channel to stay."""
        return not (self.subscriptions or self.listeners or self.inbox or self.users)

    # What comes

    def receive(self, broadcast: Broadcast) -> None:
        """Take one broadcast from the backplane or from this node."""
        if self.top is None and not self.opening.locked():
            # Whoever opens it reads what was kept before.
            return
        if not self.inbox.put(broadcast):
            self._hub.stats.overflowed += 1
            if isinstance(broadcast, Attendance | Signal) and broadcast.stamp:
                self._hub.watch.call_rolls()
        self._start()

    def reaches(self, top: Position) -> None:
        """Know the log's top: what does not come by itself is read from the log."""
        if self.top is not None:
            self.inbox.expect(top)
            self._start()

    def tell(self, broadcasts: Iterable[Told]) -> None:
        """Fan out what the roster found to be told."""
        self.inbox.extend(broadcasts)
        self._start()

    def call(self, rolls: Sequence[NodeRoll], before: Mapping[str, int]) -> None:
        """Take what all nodes said of who is here; see `Roster.call`."""
        self.tell(self.roster.call(rolls, before))

    def lose(self, node: str) -> None:
        """Let all fall that a node said which is gone."""
        self.tell(self.roster.lose(node))

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
            if (
                self.inbox.lacks(self.top)
                or self._gave_enough()
                or loop.time() > deadline
            ):
                return False
        return True

    async def _go_on(self, work: Iterator[None]) -> None:
        try:
            while True:
                if self.inbox.lacks(self.top):
                    await self._heal()
                else:
                    await asyncio.sleep(0)
                if not self._gave_enough() and self._pump(work):
                    return
        finally:
            self._pumping = False
            if self.inbox and not self._hub.stopping:
                self._pumping = True
                self._hub.tasks.spawn(self._go_on(self._work()), f"pump-{self.name}")

    def _gave_enough(self) -> bool:
        """Whether the flusher must write before more is given."""
        flusher = self._hub.flusher
        if flusher.rounds != self._round or not flusher.busy:
            self._round, self._given_bytes = flusher.rounds, 0
        return self._given_bytes > TURN_BYTES

    def _work(self) -> Iterator[None]:
        while self.inbox:
            if self.inbox.lacks(self.top):
                yield
                continue
            for told in self._judge(self.inbox.pop()):
                yield from self._fan_out(told)

    def _judge(self, came: Broadcast | Known) -> Iterable[Told]:
        """Take one that came into the channel's state; return what is told of it."""
        match came:
            case Publication():
                return () if self._seen(came) else (self._take_in(came),)
            case Attendance():
                return self.roster.take(came)
            case Signal(retained=True):
                self._hub.publishing.yield_to(self, came)
                return self.roster.take(came)
            case Known():
                return ()
            case _:
                return (came,)

    def _seen(self, publication: Publication) -> bool:
        return self.top is not None and self.top.reaches(publication.position)

    async def _heal(self) -> None:
        """Read what the backplane lost and put it before what it did not lose."""
        first, needed, top = self.inbox.first(), self.inbox.needs(), self.top
        if needed is None or top is None:
            return
        try:
            missing = await read_missing(self.committer.log, self.name, top, needed)
        except Exception as error:
            # What waits is kept, and the next turn tries again.
            trace = None if isinstance(error, HubbubError) else error
            logger.warning("channel %s: cannot read the log", self.name, exc_info=trace)
            await self._hub.pause(RETRY_S)
            return
        if self.top != top or self.inbox.first() is not first:
            return
        if missing is Gap.LATE:
            self.inbox.pop()
        elif missing is Gap.ANEW:
            logger.warning("channel %s: goes on as a new stream", self.name)
            self.forget()
            self._start_epoch(needed)
        else:
            self._hub.stats.healed += len(missing)
            self.inbox.mend(missing)

    def _start_epoch(self, at: Position) -> None:
        self.top = at
        self.inbox.begin(Reset(self.name, at))

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
            self.inbox.drop_publications()
            self._start_epoch(top)
        self._start()

    def not_found(self) -> None:
        """Give up what came while the channel was opened in vain."""
        if self.top is None:
            self.inbox.clear()
            # What comes until the next opening is passed over: the roll has it.
            self.entered = False

    def _take_in(self, publication: Publication) -> Publication:
        self.top = publication.position
        try:
            folded = self.kind.fold(publication)
        except Exception:
            # It must not stop the channel; its state is read anew.
            logger.exception("channel %s: cannot fold", self.name)
            self.forget()
            folded = publication
        self.committer.log.remember(folded)
        return folded

    def retract(self) -> None:
        """Drop what was accepted and not kept; it is loaded before the next accept."""
        self.loaded = False
        self.kind.retract(self.name)

    def forget(self) -> None:
        """Drop the kind's state; it is loaded before the next accept."""
        self.loaded = False
        self.kind.forget(self.name)

    # What goes

    def _fan_out(self, broadcast: Told) -> Iterator[None]:
        for listener in self.listeners:
            listener.put(broadcast)
        if not self.subscriptions:
            return
        if isinstance(broadcast, Joined | Left) and not self._watched:
            return
        pending = tuple(self.subscriptions.values())
        for more_bytes in spread(broadcast, pending, self._hub.stats):
            self._given_bytes += more_bytes
            yield

    # Who is here

    def add(self, session: Session, subscription: Subscription) -> None:
        """Register a session; it gets nothing yet, but what is live is held for it."""
        before = self.subscriptions.get(session)
        if before is not None:
            before.end()
        self.subscriptions[session] = subscription
        count = self.roster.presence.add(session.who, session.id)
        if count is not None:
            self._hub.publishing.attend(self.name, session.who, count)

    def remove(self, session: Session) -> None:
        """Take a session out, with the signals that were retained for it."""
        subscription = self.subscriptions.pop(session, None)
        if subscription is None:
            return
        subscription.end()
        self.used_at = self._hub.now()
        for signal in tuple(self.roster.said.values()):
            if signal.owner == session.id:
                self._hub.send_signal(replace(signal, fell=True))
        count = self.roster.presence.remove(session.who, session.id)
        if count is not None:
            self._hub.publishing.attend(self.name, session.who, count)

    @property
    def _watched(self) -> bool:
        """Whether somebody here asked to be told who comes and goes."""
        return any(sub.presence for sub in self.subscriptions.values())
