"""Which nodes live: each says so every second; who has not for a while is dead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...seams.backplane import Node
from .codec import decode_card, encode_card
from .lane import call
from .scripts import BEAT, DEPART

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from ...model import JSON
    from ...runtime.clock import Clock
    from .lane import Command
    from .names import Names
    from .wire import Reply

NODE_S = 8.0
"""A node that has not been heard of for so long is dead."""


class Census:
    """What is known of the nodes; the caller sends the commands and brings the replies.

    `forgiven` are those that Redis does not name, and that are not given up yet.
    """

    def __init__(self, names: Names, node: str, clock: Clock) -> None:
        self._names = names
        self._node = node
        self._clock = clock
        self._others: dict[str, JSON] = {}
        self._forgiving_until_s = 0.0
        self._card: JSON = None
        self._encoded_card = encode_card(None)
        self.forgiven: AbstractSet[str] = frozenset()

    def describe(self, card: JSON) -> None:
        """Say something of this node from the next beat on. Raises ValueError."""
        self._encoded_card = encode_card(card)
        self._card = card

    def beat(self) -> Command:
        """Return the command that says that this node lives, and asks who else does."""
        life_ms = int(NODE_S * 1_000)
        said = (self._node, self._encoded_card, life_ms)
        return call(BEAT, self._names.census, *said)

    def depart(self) -> Command:
        """Return the command that takes this node off."""
        return call(DEPART, self._names.census, self._node)

    def hear(self, reply: Reply) -> tuple[bool, Sequence[str]]:
        """Take the reply to `beat`: whether this node was known, and who is dead now.

        Where this node was not known, the others may not be either, because Redis lost
        all or was away for long: they are given the time to say that they live.
        """
        was_known, living = _read(reply)
        living.pop(self._node, None)
        now_s = self._clock.monotonic()
        if not was_known and self._others:
            self._forgiving_until_s = now_s + NODE_S
        self.forgiven = frozenset()
        if now_s < self._forgiving_until_s:
            self.forgiven = self._others.keys() - living.keys()
            living = {**self._others, **living}
        gone = [node for node in self._others if node not in living]
        self._others = living
        return was_known, gone

    def nodes(self) -> Sequence[Node]:
        """Return the nodes that live, this one too, in the order of their ids."""
        cards = {**self._others, self._node: self._card}
        return [Node(node, cards[node]) for node in sorted(cards)]


def _read(reply: Reply) -> tuple[bool, dict[str, JSON]]:
    match reply:
        case [int() as was_known, list() as living]:
            return was_known == 1, {
                node.decode(errors="replace"): decode_card(card)
                for node, card in living
            }
    raise TypeError("not the reply to a beat")
