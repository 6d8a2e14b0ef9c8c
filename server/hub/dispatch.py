"""Carries out a session's commands, and turns refusals into answers: in one place."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, assert_never

from ..errors import INTERNAL, LIMIT_EXCEEDED, UNAVAILABLE, HubbubError, Refusal
from ..model import (
    Done,
    Failed,
    History,
    HistoryPage,
    Ping,
    Presence,
    PresenceList,
    Publish,
    Published,
    Subscribe,
    Unsubscribe,
)
from .joining import leave

if TYPE_CHECKING:
    from ..errors import ReplyError
    from ..model import Command
    from .hub import Hub
    from .session import Kept, Session

logger = logging.getLogger("hubbub.dispatch")


async def dispatch(hub: Hub, session: Session, command: Command) -> ReplyError | None:
    """Carry out one command and tell the answer; raises only cancellation.

    Returns why it was refused; None where it was not.
    """
    error = await _try_out(hub, session, command)
    if error is not None:
        channel = None if isinstance(command, Ping) else command.channel
        key = command.event.key if isinstance(command, Publish) else None
        hub.stats.refused[error.code] += 1
        session.tell(Failed(command.id, channel, error, key))
    session.stand(live=hub.neighbours.live)
    return error


async def _try_out(hub: Hub, session: Session, command: Command) -> ReplyError | None:
    try:
        await _carry_out(hub, session, command)
    except Refusal as refusal:
        return refusal.error
    except HubbubError:
        return UNAVAILABLE
    except Exception:
        # The text of an unknown error may be sensitive: it stays in the log.
        logger.exception("session %s: %s failed", session.id, type(command).__name__)
        return INTERNAL
    return None


async def _carry_out(hub: Hub, session: Session, command: Command) -> None:
    match command:
        case Publish():
            await _publish(hub, session, command)
        case Subscribe():
            await _subscribe(hub, session, command)
        case Unsubscribe():
            leave(hub, session, command.channel)
            session.tell(Done(command.id, command.channel))
        case History():
            await _history(hub, session, command)
        case Presence():
            members, count = await hub.presence(session.who, command.channel)
            session.tell(PresenceList(command.id, command.channel, members, count))
        case Ping():
            session.tell(Done(command.id))
        case _:
            assert_never(command)


async def _subscribe(hub: Hub, session: Session, command: Subscribe) -> None:
    limit = hub.limits.subscriptions
    known = command.channel in session.subscriptions
    if not known and len(session.subscriptions) >= limit:
        raise Refusal(LIMIT_EXCEEDED.because(f"{limit} subscriptions"))
    await session.room_for_past()
    await hub.join(session, command)


async def _history(hub: Hub, session: Session, command: History) -> None:
    await session.room_for_past()
    page = await hub.history(
        session.who,
        command.channel,
        before=command.before,
        after=command.after,
        limit=command.limit,
    )
    session.tell(HistoryPage(command.id, command.channel, page.publications, page.top))


async def _publish(hub: Hub, session: Session, command: Publish) -> None:
    if command.event.signal:
        await hub.signal(session.who, command.channel, command.event, session)
        session.tell(Done(command.id, command.channel))
        return
    await session.submit(
        command.channel,
        command.event,
        lambda kept: _answer(hub, session, command, kept),
    )


def _answer(hub: Hub, session: Session, command: Publish, kept: Kept) -> None:
    channel, key = command.channel, command.event.key
    try:
        position = hub.judge(kept.result())
    except Refusal as refusal:
        hub.stats.refused[refusal.error.code] += 1
        session.tell(Failed(command.id, channel, refusal.error, key))
        return
    durable = hub.is_durable(channel)
    session.tell(Published(command.id, channel, position, durable, key))
