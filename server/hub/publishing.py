"""How something is said: authorize, accept, keep, send to all nodes.

Events of a channel are accepted in the order of the calls and kept in that order; the
sender's task may go at any time, what was submitted is kept and delivered all the same.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import (
    LIMIT_EXCEEDED,
    NOT_SUBSCRIBED,
    NOT_YET,
    PERMISSION_DENIED,
    UNAVAILABLE,
    Refusal,
)
from ..model import (
    SERVER,
    Action,
    Attendance,
    Publication,
    check_key,
    split_channel,
)
from ..seams.kind import Follows, Nothing, Refused
from ..seams.log import Append, Appended, Draft, Duplicate, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Event, Position, Principal, Signal
    from ..seams.backplane import Backplane, NodeRoll
    from ..seams.log import Outcome
    from .channel import Channel
    from .hub import Hub
    from .session import Kept, Session

logger = logging.getLogger("hubbub.publishing")

RETAINED_SIGNALS = 16
"""So many may be retained for one session in one channel."""


class Publishing:
    """The one way to a channel's log, and from there to all nodes."""

    def __init__(self, hub: Hub, backplane: Backplane) -> None:
        self._hub = hub
        self._backplane = backplane
        self._stamp = 0

    async def submit(self, who: Principal, name: str, event: Event) -> Kept:
        """Have an event accepted; the future is done when it is kept."""
        if event.key is not None:
            check_key(event.key)
        # Before anything that would wait for what does not answer.
        self._check_whole(name)
        async with self._hub.registry.entered(who, name, Action.PUBLISH) as channel:
            if event.key is not None and channel.kind.policy.stateful:
                return await self._submit_alone(channel, who, event)
            while not channel.loaded or channel.exclusive.locked():
                async with channel.exclusive:
                    await self._hub.registry.load(channel)
            return self._accept(channel, who, event)

    async def _submit_alone(
        self, channel: Channel, who: Principal, event: Event
    ) -> Kept:
        # Whether the key was used is known only to the log, and what a stateful kind
        # accepts next builds on this one: so nothing is accepted until it is known.
        async with channel.exclusive:
            await self._hub.registry.load(channel)
            future = self._accept(channel, who, event)
            try:
                await asyncio.wait([future])
            finally:
                # Also where the sender goes before it is known.
                if not isinstance(_outcome(future), Appended):
                    channel.retract()
            return future

    def _accept(self, channel: Channel, who: Principal, event: Event) -> Kept:
        channel.committer.check_room()
        channel.inbox.check_room()
        accepted = channel.kind.accept(who, channel.name, event)
        if isinstance(accepted, Refused):
            raise Refusal(accepted.error)
        if accepted is Nothing.NOT_YET:
            raise Refusal(NOT_YET)
        if not isinstance(accepted, Follows):
            return channel.committer.barrier()
        for signal in accepted.signals:
            self.send_signal(signal)
        if not accepted.says:
            return channel.committer.barrier()
        now_ms = self._hub.clock.now_ms()
        author = None if who is SERVER else who
        drafts = tuple(
            Draft(say.channel, say.event, say.content, author, now_ms)
            for say in accepted.says
        )
        changes = tuple(accepted.changes)
        append = Append(drafts, changes, event.key, event.fence)
        return channel.committer.submit(append)

    def _check_whole(self, name: str) -> None:
        """Refuse what would be kept here and heard by nobody elsewhere."""
        if self._backplane.fault is not None and self._hub.registry.is_carried(name):
            raise Refusal(UNAVAILABLE.because(self._backplane.fault))
        self._hub.registry.committer(name).check_room()

    def judge(self, outcome: Outcome | None) -> Position | None:
        """Return the position an outcome means; raise `Refusal` if it was rejected."""
        if isinstance(outcome, Appended):
            return outcome.positions[0]
        if isinstance(outcome, Duplicate):
            self._hub.stats.duplicates += 1
            return outcome.position
        if isinstance(outcome, Rejected):
            raise Refusal(outcome.error)
        return None

    async def signal(
        self, who: Principal, name: str, event: Event, session: Session | None
    ) -> None:
        """Send a signal through the channel's kind. Raises `Refusal`."""
        if event.key is not None:
            check_key(event.key)
        self._check_whole(name)
        async with self._hub.registry.entered(who, name, Action.SIGNAL) as channel:
            accepted = channel.kind.accept(who, name, event)
            if isinstance(accepted, Refused):
                raise Refusal(accepted.error)
            if isinstance(accepted, Follows):
                for signal in accepted.signals:
                    if signal.retained and session is not None:
                        self._check_retained(channel, signal, session)
                    self.send_signal(_owned(signal, session))

    def _check_retained(
        self, channel: Channel, signal: Signal, session: Session
    ) -> None:
        """Refuse what would not fall with its session, and what is another user's."""
        if session not in channel.subscriptions:
            raise Refusal(NOT_SUBSCRIBED)
        key, said = signal.key or "", channel.roster.said
        known = said.get(key) or channel.roster.retained.get(key)
        author = None if known is None else known.author
        if author is not None and author.id != session.who.id:
            raise Refusal(PERMISSION_DENIED)
        own = [each for each in said.values() if each.owner == session.id]
        if known is None and len(own) >= RETAINED_SIGNALS:
            raise Refusal(LIMIT_EXCEEDED.because(f"{RETAINED_SIGNALS} retained"))

    def send_signal(self, signal: Signal) -> None:
        """Send a signal without asking the kind: for the kinds' own sources."""
        self._hub.stats.signals += 1
        if signal.retained:
            signal = self._retain(signal)
        try:
            self._send(signal)
        except Refusal:
            # A signal promises nothing; what it goes with must not fail by it.
            self._hub.stats.skipped += 1
            if signal.retained:
                self._say_later()
            logger.warning("channel %s: a signal was not sent", signal.channel)

    def _retain(self, signal: Signal) -> Signal:
        """Sign a signal that this node retains, or lets fall."""
        channel = self._hub.channels.get(signal.channel)
        signal = replace(signal, node=self._hub.node, stamp=self._next_stamp())
        if channel is not None:
            said, key = channel.roster.said, signal.key or ""
            if signal.fell:
                said.pop(key, None)
            else:
                said[key] = signal
        return signal

    def attend(self, name: str, who: Principal, sessions: int) -> None:
        """Tell all nodes how many sessions somebody has in a channel here."""
        node, stamp = self._hub.node, self._next_stamp()
        try:
            self._send(Attendance(name, node, who, sessions, stamp))
        except Refusal:
            self._say_later()

    def _say_later(self) -> None:
        """Have the roll compared with what is so: cut off, when that is over."""
        if self._backplane.fault is None:
            self._hub.watch.call_rolls()

    def resay(self, channel: Channel, roll: NodeRoll | None) -> None:
        """Tell all nodes who is here and what is retained, as far as the roll does not.

        `roll` is what they have of this node; None: perhaps nothing. What finds no room
        in the queue is told when the roll is read next.
        """
        known = {} if roll is None else {a.user.id: a for a in roll.attendances}
        for member in channel.roster.presence.own():
            told = known.get(member.user.id)
            if told is None or told.sessions != member.sessions:
                self.attend(channel.name, member.user, member.sessions)
        signals = {} if roll is None else {s.key: s.content for s in roll.signals}
        for signal in tuple(channel.roster.said.values()):
            if signal.key not in signals or signals[signal.key] != signal.content:
                self.send_signal(signal)

    def yield_to(self, channel: Channel, signal: Signal) -> None:
        """Let fall what this node retains, where another takes its key over."""
        mine = channel.roster.yields(signal)
        if mine is not None:
            # To the others it is news no more; but the roll must not say it any longer.
            self.send_signal(replace(mine, fell=True))

    def take_back(self, channel: Channel, roll: NodeRoll) -> None:
        """Take back what the roll of this node says, and is so no longer."""
        here = {member.user.id for member in channel.roster.presence.own()}
        for attendance in roll.attendances:
            if attendance.user.id not in here:
                self.attend(channel.name, attendance.user, 0)
        for signal in roll.signals:
            if (signal.key or "") not in channel.roster.said:
                self.send_signal(replace(signal, fell=True))

    def _next_stamp(self) -> int:
        self._stamp += 1
        return self._stamp

    def _send(self, broadcast: Publication | Signal | Attendance) -> None:
        """Send to all nodes; of a channel of this node's own, to this one."""
        if self._hub.registry.is_carried(broadcast.channel):
            self._backplane.publish(broadcast)
        else:
            self._hub.deliver(broadcast)

    def counted(self, append: Append, outcome: Outcome) -> None:
        """Count what was kept by a log that sends it to all nodes itself."""
        if isinstance(outcome, Appended):
            for draft in append.drafts:
                self._hub.stats.accepted[split_channel(draft.channel)[0]] += 1

    def kept(self, append: Append, outcome: Outcome) -> None:
        """Send what was kept to all nodes. Called by the committer, in order."""
        self.counted(append, outcome)
        if not isinstance(outcome, Appended):
            return
        for draft, position in zip(append.drafts, outcome.positions, strict=True):
            publication = Publication(
                draft.channel,
                position,
                draft.event,
                draft.content,
                draft.author,
                draft.time_ms,
                append.key if draft is append.drafts[0] else None,
            )
            try:
                self._send(publication)
            except Refusal:
                # It is kept: each node finds the gap and reads it from the log.
                logger.warning("channel %s: not sent to other nodes", draft.channel)

    def failed(self, appends: Sequence[Append]) -> None:
        """Drop the states that ran ahead of a commit that failed."""
        for name in {draft.channel for append in appends for draft in append.drafts}:
            channel = self._hub.channels.get(name)
            if channel is not None:
                channel.retract()


def _owned(signal: Signal, session: Session | None) -> Signal:
    if session is None or not signal.retained:
        return signal
    return replace(signal, owner=session.id)


def _outcome(future: Kept) -> Outcome | None:
    if not future.done() or future.cancelled() or future.exception() is not None:
        return None
    return future.result()
