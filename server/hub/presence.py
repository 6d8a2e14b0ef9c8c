"""Who is in a channel: people, each with the sessions they have there. Pure."""

from __future__ import annotations

from ..model import Member, Principal

ANNOUNCED_MEMBERS = 200
"""Above this many people joins and leaves are no longer told, only counted."""


class Presence:
    """The people of one channel on this node."""

    __slots__ = ("_people", "_sessions")

    def __init__(self) -> None:
        self._people: dict[str, Principal] = {}
        self._sessions: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._people)

    def add(self, who: Principal, session: str) -> bool:
        """Note a session; return whether it is the person's first here."""
        sessions = self._sessions.setdefault(who.id, set())
        sessions.add(session)
        first = who.id not in self._people
        self._people[who.id] = who
        return first

    def remove(self, who: Principal, session: str) -> bool:
        """Forget a session; return whether it was the person's last here."""
        sessions = self._sessions.get(who.id)
        if sessions is None or session not in sessions:
            return False
        sessions.remove(session)
        if sessions:
            return False
        del self._sessions[who.id]
        del self._people[who.id]
        return True

    def members(self, limit: int = ANNOUNCED_MEMBERS) -> tuple[Member, ...]:
        """Return up to `limit` people, in the order of their arrival."""
        return tuple(
            Member(who, len(self._sessions[who.id]))
            for who, _ in zip(self._people.values(), range(limit), strict=False)
        )
