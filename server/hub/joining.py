"""How a session comes into a channel, and out of it.

Register first, hold back what is live, read the past, tell it, go live: so nothing
between the past and the present is lost or doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import Action, Subscribe, Subscribed
from .subscription import Subscription

if TYPE_CHECKING:
    from ..model import Principal
    from ..seams.kind import CatchUp
    from .channel import Channel
    from .hub import Hub
    from .registry import Registry
    from .session import Session


async def join(hub: Hub, session: Session, command: Subscribe) -> None:
    """Subscribe a session and tell it the past; then it is live.

    On a joined channel it is done anew. Raises `Refusal`.
    """
    name = command.channel
    async with hub.registry.entered(session.who, name, Action.SUBSCRIBE) as channel:
        if session.closed:
            return
        subscription = _register(session, channel, command)
        log = channel.committer.log
        try:
            past = await channel.kind.catch_up(name, command.since, log)
        except BaseException:
            if session.subscriptions.get(name) is subscription:
                leave(hub, session, name)
            raise
        if session.subscriptions.get(name) is not subscription:
            return
        if command.since is not None:
            hub.stats.recovered += past.recovered
            hub.stats.unrecovered += not past.recovered
        # Of no channel: a reply is owed also to one who has left by then.
        session.tell(_reply(channel, command, past))
        subscription.go_live(past.at)


async def look_back(registry: Registry, who: Principal, name: str) -> Subscribed:
    """Return what a subscribe would be answered now, and join nobody.

    Raises `Refusal`.
    """
    async with registry.entered(who, name, Action.SUBSCRIBE) as channel:
        past = await channel.kind.catch_up(name, None, channel.committer.log)
        return _reply(channel, Subscribe(None, name), past)


def leave(hub: Hub, session: Session, name: str) -> None:
    """Unsubscribe, if subscribed: what waits for the channel is dropped."""
    if session.subscriptions.pop(name, None) is None:
        return
    session.outbox.drop_channel(name)
    session.intervals.pop(name, None)
    session.settle()
    channel = hub.channels.get(name)
    if channel is not None:
        channel.remove(session)


def _register(session: Session, channel: Channel, command: Subscribe) -> Subscription:
    name = command.channel
    subscription = Subscription(session, presence=command.presence)
    session.outbox.drop_channel(name)
    session.subscriptions[name] = subscription
    session.intervals[name] = channel.kind.policy.flush_interval_s
    channel.add(session, subscription)
    session.settle()
    return subscription


def _reply(channel: Channel, command: Subscribe, past: CatchUp) -> Subscribed:
    return Subscribed(
        command.id,
        channel.name,
        past.at,
        past.recovered,
        past.publications,
        past.state,
        tuple(channel.roster.retained.values()),
        channel.roster.presence.members() if command.presence else None,
        channel.committer.log.durable,
    )
