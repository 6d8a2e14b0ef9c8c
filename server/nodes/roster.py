"""Who is in a channel and what is retained there: a fold of what each node says. Pure.

Each node counts what it says by a stamp, and says it in order. So a node's roll, read
beside the stream, is a state with a place in it: roll + what follows its stamp = state.
What this node itself says is true at once, and told when it comes back by the stream.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..model import Attendance, Joined, Left, Signal
from .presence import ANNOUNCED_MEMBERS, Presence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from ..model import Principal, Told
    from ..seams.backplane import NodeRoll


class Roster:
    """The roster of one channel, as the node `own` knows it."""

    __slots__ = ("_channel", "_own", "_stamps", "presence", "retained", "said")

    def __init__(self, channel: str, own: str) -> None:
        self._channel = channel
        self._own = own
        self._stamps: dict[str, int] = {}
        self.presence = Presence()
        self.retained: dict[str, Signal] = {}
        """The newest signal of each key, whichever node retains it."""
        self.said: dict[str, Signal] = {}
        """What this node retains, by key: said, perhaps not yet come back."""

    # What comes by the stream

    def take(self, said: Attendance | Signal) -> Iterator[Told]:
        """Take what a node said; yield what is to be told of it."""
        node = said.node or self._own
        if said.stamp:
            if said.stamp <= self._stamps.get(node, 0):
                return
            self._stamps[node] = said.stamp
        if isinstance(said, Attendance):
            yield from self._attend(node, said.user, said.sessions)
        elif self._retain(node, said):
            yield said

    def _attend(self, node: str, who: Principal, sessions: int) -> Iterator[Told]:
        if node != self._own:
            self.presence.take(node, who, sessions)
        # Counted by what was told, for who comes next may be known already.
        there, count = self.presence.news(who.id), self.presence.told
        if there and count <= ANNOUNCED_MEMBERS:
            yield Joined(self._channel, who, count)
        elif there is False and count < ANNOUNCED_MEMBERS:
            yield Left(self._channel, who, count)

    def _retain(self, node: str, signal: Signal) -> bool:
        """Keep a signal, or let it fall; return whether that is to be told."""
        key = signal.key or ""
        if signal.fell:
            known = self.retained.get(key)
            if known is not None and (known.node or self._own) != node:
                # Its client has come back by another node, which retains it now.
                return False
            self.retained.pop(key, None)
            return True
        self.retained[key] = signal
        return True

    def yields(self, signal: Signal) -> Signal | None:
        """Return what this node retains and another one does from now; else None."""
        key = signal.key or ""
        known, mine = self.retained.get(key), self.said.get(key)
        is_heard = known is not None and known.node == self._own
        is_taken = not signal.fell and (signal.node or self._own) != self._own
        return mine if is_heard and is_taken else None

    # What is read beside it

    def marks(self) -> Mapping[str, int]:
        """Return how far each node has been heard: ask before a roll is read."""
        return dict(self._stamps)

    def call(
        self, rolls: Sequence[NodeRoll], before: Mapping[str, int]
    ) -> Iterator[Told]:
        """Take the rolls of all living nodes; yield what was not told yet.

        It is here already: signals are yielded as no longer to be retained.

        `before` is what `marks` returned when they were asked for: a node without a
        roll is gone, unless it was heard since.
        """
        called = {roll.node for roll in rolls}
        for roll in rolls:
            if roll.node != self._own and roll.stamp >= self._stamps.get(roll.node, 0):
                self._stamps[roll.node] = roll.stamp
                yield from self._replace(roll)
        for node, stamp in before.items():
            if node not in called and self._stamps.get(node) == stamp:
                yield from self.lose(node)
        # What this node took back while nobody heard it.
        for who in self.presence.unheard():
            yield from self._attend(self._own, who, 0)
        yield from self._let_fall(self._own, self.said.keys())

    def _replace(self, roll: NodeRoll) -> Iterator[Told]:
        node, there = roll.node, {each.user.id for each in roll.attendances}
        for who in self.presence.on(node):
            if who.id not in there:
                yield from self._attend(node, who, 0)
        for each in roll.attendances:
            yield from self._attend(node, each.user, each.sessions)
        yield from self._let_fall(node, {each.key for each in roll.signals})
        for signal in roll.signals:
            known = self.retained.get(signal.key or "")
            if known is None or known.stamp < signal.stamp or known.node != node:
                self.retained[signal.key or ""] = signal
                yield replace(signal, retained=False)

    def lose(self, node: str) -> Iterator[Told]:
        """Let all fall that a node said; yield what is to be told of it."""
        if node == self._own:
            return
        self._stamps.pop(node, None)
        for who in self.presence.on(node):
            yield from self._attend(node, who, 0)
        yield from self._let_fall(node, frozenset())

    def _let_fall(self, node: str, but: AbstractSet[str | None]) -> Iterator[Told]:
        for key, signal in tuple(self.retained.items()):
            if signal.node == node and signal.key not in but:
                del self.retained[key]
                yield replace(signal, fell=True, retained=False)
