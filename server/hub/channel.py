"""One channel on this node: its place in the stream, its subscribers, who is here.

Rules:
1. Broadcasts are handled in the order in which they came, each before the next: by its
   `Pump`.
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

from ..model import Attendance, Position, Publication, Reset, Signal
from ..nodes.roster import Roster
from ..queues.inbox import Inbox, Known
from .pump import Pump

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model import Broadcast, Told
    from ..queues.commit import Committer
    from ..queues.listening import Listening
    from ..seams.backplane import NodeRoll
    from ..seams.kind import Kind
    from .hub import Hub
    from .session import Session
    from .subscription import Subscription

logger = logging.getLogger("hubbub.channel")


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
        self.pump = Pump(hub, self)
        self.was_joined = False

    @property
    def was_used(self) -> bool:
        """Whether somebody was ever in it here, or something was said."""
        return self.was_joined or self.top is None or self.top.offset > 0

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
        if isinstance(broadcast, Publication):
            self.pump.start()
        else:
            self.pump.start_at_once()

    def reaches(self, top: Position) -> None:
        """Know the log's top: what does not come by itself is read from the log."""
        if self.top is not None:
            self.inbox.expect(top)
            self.pump.start()

    def tell(self, broadcasts: Iterable[Told]) -> None:
        """Fan out what the roster found to be told."""
        self.inbox.extend(broadcasts)
        self.pump.start()

    def call(self, rolls: Sequence[NodeRoll], before: Mapping[str, int]) -> None:
        """Take what all nodes said of who is here; see `Roster.call`."""
        self.tell(self.roster.call(rolls, before))

    def lose(self, node: str) -> None:
        """Let all fall that a node said which is gone."""
        self.tell(self.roster.lose(node))

    def judge(self, came: Broadcast | Known) -> Sequence[Told]:
        """Take one that came into the channel's state; return what is told of it."""
        match came:
            case Publication():
                return () if self._seen(came) else (self.take_in(came),)
            case Attendance():
                return tuple(self.roster.take(came))
            case Signal(retained=True):
                self._hub.publishing.yield_to(self, came)
                return tuple(self.roster.take(came))
            case Known():
                return ()
            case _:
                return (came,)

    def _seen(self, publication: Publication) -> bool:
        return self.top is not None and self.top.reaches(publication.position)

    def start_epoch(self, at: Position) -> None:
        """Go on as a new stream, which begins after `at`."""
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
            self.start_epoch(top)
        self.pump.start()

    def not_found(self) -> None:
        """Give up what came while the channel was opened in vain."""
        if self.top is None:
            self.inbox.clear()
            # What comes until the next opening is passed over: the roll has it.
            self.entered = False

    def take_in(self, publication: Publication) -> Publication:
        """Take the next publication into the state; return it as it is told."""
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

    # Who is here

    def add(self, session: Session, subscription: Subscription) -> None:
        """Register a session; it gets nothing yet, but what is live is held for it."""
        before = self.subscriptions.get(session)
        if before is not None:
            before.end()
        self.subscriptions[session] = subscription
        self.was_joined = True
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
