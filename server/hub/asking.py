"""What can be asked of a hub: what was said, who is there, what a channel costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Action
from .explain import explain
from .joining import look_back
from .span import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import Member, Position, Principal, Signal, Subscribed
    from ..seams.log import Slice
    from .channel import Channel
    from .explain import Explanation
    from .registry import Registry


class Asking:
    """The part of the hub that changes nothing."""

    registry: Registry
    channels: dict[str, Channel]

    async def past(self, who: Principal, name: str) -> Subscribed:
        """Return what a subscribe would be answered now. Raises `Refusal`.

        Who subscribes later with its position as `since` misses nothing in between.
        """
        return await look_back(self.registry, who, name)

    async def history(
        self,
        who: Principal,
        name: str,
        *,
        before: Position | None = None,
        after: Position | None = None,
        limit: int = 50,
    ) -> Slice:
        """Read back, ascending: up to `limit` (1 to 200) before or after a position.

        Both None reads the newest. Raises `Refusal`.
        """
        span = Span(before, after, limit)
        async with self.registry.entered(who, name, Action.HISTORY) as channel:
            return await span.read(channel)

    async def presence(
        self, who: Principal, name: str
    ) -> tuple[tuple[Member, ...], int]:
        """Return who is there (at most 200) and how many there are."""
        async with self.registry.entered(who, name, Action.PRESENCE) as channel:
            return channel.roster.presence.members(), len(channel.roster.presence)

    def retained(self, name: str) -> Mapping[str, Signal]:
        """Return the retained signals of a channel, by key."""
        channel = self.channels.get(name)
        return {} if channel is None else channel.roster.retained

    def is_durable(self, name: str) -> bool:
        """Return whether a channel's acknowledgements mean: on disk."""
        return self.registry.committer(name).log.durable

    def explain(self, name: str) -> Explanation | None:
        """Return what a channel costs, and how slow who is in it; None: nobody is."""
        channel = self.channels.get(name)
        return None if channel is None else explain(channel)
