"""A kind with a state: a list of numbers, each of which may be said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from server.errors import BAD_REQUEST, PERMISSION_DENIED, Refusal
from server.model import Action, Position, Signal
from server.seams.kind import (
    CatchUp,
    Follows,
    Nothing,
    Policy,
    Refused,
    Say,
    from_history,
)

if TYPE_CHECKING:
    from server.model import Event, Principal, Publication, Since
    from server.seams.kind import Accepted
    from server.seams.log import Log


JUDGED: dict[str, Accepted] = {
    "refuse": Refused(BAD_REQUEST),
    "later": Nothing.NOT_YET,
    "known": Nothing.DUPLICATE,
}


class TallyKind:
    """Keeps what was accepted, and what was folded, for each channel.

    Events: `add` a number; `refuse`, `later`, `known` are judged as they are named;
    `hint` says nothing but a signal; `both` says in the channel that it names too;
    `retain` is a retained signal that falls where its content is None.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy(stateful=True)
        self.accepted: dict[str, list[object]] = {}
        self.folded: dict[str, list[object]] = {}
        self.forgotten: list[str] = []
        self.loads = 0
        self.denied: set[tuple[str, Action]] = set()
        self.load_fault: Exception | None = None
        self.fold_fault: Exception | None = None

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Refuse what the test denies."""
        if (who.id, action) in self.denied:
            raise Refusal(PERMISSION_DENIED)

    async def load(self, channel: str, log: Log) -> Position:
        """Read all numbers."""
        self.loads += 1
        if self.load_fault is not None:
            raise self.load_fault
        top = await log.top(channel)
        found = await log.read(channel, Position(top.epoch, 0), 10_000)
        numbers: list[object] = [each.content for each in found.publications]
        self.accepted[channel] = list(numbers)
        self.folded[channel] = numbers
        return found.top

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Judge by the event's name."""
        hint = Signal(channel, "hint", event.content, who, 0, event.key)
        if event.name in JUDGED:
            return JUDGED[event.name]
        if event.name == "hint":
            return Follows(signals=(hint,))
        if event.name == "retain":
            key, fell = str(event.key), event.content is None
            signal = replace(hint, event="retain", key=key, retained=True, fell=fell)
            return Follows(signals=(signal,))
        if event.name == "both":
            other = str(event.content)
            return Follows(says=(Say(channel, "add", 0), Say(other, "add", 0)))
        self.accepted[channel].append(event.content)
        return Follows(says=(Say(channel, event.name, event.content),), signals=(hint,))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """From the log alone."""
        return await from_history(self.policy, channel, since, log)

    def fold(self, publication: Publication) -> Publication:
        """Take the number."""
        if self.fold_fault is not None:
            raise self.fold_fault
        self.folded.setdefault(publication.channel, []).append(publication.content)
        return publication

    def retract(self, channel: str) -> None:
        """Drop both lists: what is folded is read anew."""
        self.forget(channel)

    def forget(self, channel: str) -> None:
        """Drop both lists."""
        self.forgotten.append(channel)
        self.accepted.pop(channel, None)
        self.folded.pop(channel, None)
