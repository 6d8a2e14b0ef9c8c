"""Who is in a channel, on all nodes: people, with the sessions they have there. Pure.

This node's sessions are known one by one; of another node only how many each of its
people has. Who is there is told when it becomes known by the channel's order of events
(`news`), so that everybody hears the same; this node's own are counted at once.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ..model import Member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Principal

ANNOUNCED_MEMBERS = 200
"""Above this many people joins and leaves are no longer told, only counted."""


class Presence:
    """The people of one channel."""

    __slots__ = ("_elsewhere", "_people", "_sessions", "_told")

    def __init__(self) -> None:
        self._people: dict[str, Principal] = {}
        self._sessions: dict[str, set[str]] = {}
        self._elsewhere: dict[str, dict[str, int]] = {}
        self._told: dict[str, Principal] = {}

    def __len__(self) -> int:
        return len(self._people)

    def add(self, who: Principal, session: str) -> int | None:
        """Note a session here; return how many `who` has now, None if it was known."""
        sessions = self._sessions.setdefault(who.id, set())
        if session in sessions:
            return None
        sessions.add(session)
        self._people[who.id] = who
        return len(sessions)

    def remove(self, who: Principal, session: str) -> int | None:
        """Forget a session here; return how many are left, None if it was unknown."""
        sessions = self._sessions.get(who.id)
        if sessions is None or session not in sessions:
            return None
        sessions.remove(session)
        if not sessions:
            del self._sessions[who.id]
            self._forget_the_gone(who.id)
        return len(sessions)

    def take(self, node: str, who: Principal, sessions: int) -> None:
        """Note how many sessions somebody has on another node."""
        elsewhere = self._elsewhere.setdefault(who.id, {})
        if sessions > 0:
            elsewhere[node] = sessions
            self._people[who.id] = who
            return
        elsewhere.pop(node, None)
        if not elsewhere:
            del self._elsewhere[who.id]
            self._forget_the_gone(who.id)

    @property
    def told(self) -> int:
        """How many people it was told of that they are there."""
        return len(self._told)

    def news(self, user_id: str) -> bool | None:
        """Return whether somebody is there, if that was not told yet; else None."""
        there = user_id in self._people
        if there is (user_id in self._told):
            return None
        if there:
            self._told[user_id] = self._people[user_id]
        else:
            del self._told[user_id]
        return there

    def unheard(self) -> Sequence[Principal]:
        """Return who was told to be there, and is not."""
        return [who for id_, who in self._told.items() if id_ not in self._people]

    def on(self, node: str) -> Sequence[Principal]:
        """Return the people who have sessions on another node."""
        return [
            self._people[user_id]
            for user_id, nodes in self._elsewhere.items()
            if node in nodes
        ]

    def own(self) -> Sequence[Member]:
        """Return the people of this node, with their sessions here."""
        return [
            Member(self._people[user_id], len(sessions))
            for user_id, sessions in self._sessions.items()
        ]

    def members(self, limit: int = ANNOUNCED_MEMBERS) -> tuple[Member, ...]:
        """Return up to `limit` people, in the order of their arrival."""
        return tuple(
            Member(who, self._count(who.id))
            for who in islice(self._people.values(), limit)
        )

    def _count(self, user_id: str) -> int:
        elsewhere = self._elsewhere.get(user_id, {})
        return len(self._sessions.get(user_id, ())) + sum(elsewhere.values())

    def _forget_the_gone(self, user_id: str) -> None:
        if user_id not in self._sessions and user_id not in self._elsewhere:
            self._people.pop(user_id, None)
