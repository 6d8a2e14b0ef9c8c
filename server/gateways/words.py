"""What a session is told, as the JSON objects that all JSON wires share. Pure.

Specified in docs/reference/native-wire.md: the other gateways put the same objects into
their own envelopes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from ..model import (
    JSON,
    Difference,
    Done,
    Failed,
    Gap,
    HistoryPage,
    Joined,
    Left,
    PresenceList,
    Publication,
    Published,
    Reset,
    Signal,
    Standing,
    Subscribed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Member, Outbound, Principal

Words: TypeAlias = "dict[str, JSON]"


def words_of(outbound: Outbound) -> Words | None:
    """Return what says it; None for an acknowledgement that nobody asked for."""
    match outbound:
        case Publication() | Signal():
            head: Words = {"type": "event", "channel": outbound.channel}
            return head | said_words(outbound)
        case Joined() | Left():
            return {
                "type": "join" if isinstance(outbound, Joined) else "leave",
                "channel": outbound.channel,
                "user": _user(outbound.user),
                "count": outbound.count,
            }
        case Gap():
            return {
                "type": "gap",
                "channel": outbound.channel,
                "skipped": outbound.skipped,
                "merged": outbound.merged,
            }
        case Standing():
            return {"type": "status", "live": outbound.live}
        case Reset():
            position = str(outbound.position)
            return {"type": "reset", "channel": outbound.channel, "position": position}
        case _:
            return _answer(outbound)


def _answer(
    outbound: Subscribed | Published | HistoryPage | PresenceList | Done | Failed,
) -> Words | None:
    match outbound:
        case Subscribed():
            return _subscribed(outbound)
        case Failed():
            return _error(outbound)
        case Done():
            return _done(outbound)
        case Published():
            return None if outbound.id is None else _published(outbound)
        case HistoryPage():
            return _reply(outbound.id, outbound.channel) | {
                "publications": [said_words(each) for each in outbound.publications],
                "position": str(outbound.position),
            }
        case PresenceList():
            return _reply(outbound.id, outbound.channel) | {
                "presence": _members(outbound.members),
                "count": outbound.count,
            }
    assert_never(outbound)


def _done(done: Done) -> Words | None:
    if done.id is not None:
        return _reply(done.id, done.channel)
    return {"type": "pong"} if done.channel is None else None


def _published(published: Published) -> Words:
    words = _reply(published.id, published.channel)
    if published.position is not None:
        words["position"] = str(published.position)
    if published.key is not None:
        words["key"] = published.key
    return words | {"durable": published.durable}


def _reply(command_id: int | None, channel: str | None) -> Words:
    words: Words = {"type": "reply"}
    if command_id is not None:
        words["id"] = command_id
    if channel is not None:
        words["channel"] = channel
    return words


def _subscribed(outbound: Subscribed) -> Words:
    words = _reply(outbound.id, outbound.channel) | {
        "position": str(outbound.position),
        "recovered": outbound.recovered,
        "publications": [said_words(each) for each in outbound.publications],
    }
    if outbound.state is not None and not isinstance(outbound.state, Difference):
        words["state"] = outbound.state
    words["signals"] = [said_words(each) for each in outbound.signals]
    if outbound.members is not None:
        words["presence"] = _members(outbound.members)
    return words | {"durable": outbound.durable}


def _error(failed: Failed) -> Words:
    words: Words = {"type": "error"}
    if failed.id is not None:
        words["id"] = failed.id
    words |= {
        "code": failed.error.code,
        "message": failed.error.message,
        "temporary": failed.error.temporary,
    }
    if failed.channel is not None:
        words["channel"] = failed.channel
    if failed.key is not None:
        words["key"] = failed.key
    return words


def said_words(said: Publication | Signal) -> Words:
    """Return an event without its channel, as it stands in a reply."""
    content = said.content
    if isinstance(said, Publication) and isinstance(content, bytes):
        content = said.shown
    if isinstance(said, Signal) and said.fell:
        content = None
    words: Words = {"event": said.event, "data": content}
    if isinstance(said, Publication):
        words["position"] = str(said.position)
    if said.author is not None:
        words["from"] = _user(said.author)
    words["time"] = said.time_ms
    if said.key is not None:
        words["key"] = said.key
    return words


def _user(who: Principal) -> Words:
    return {"id": who.id, "name": who.name}


def _members(members: Sequence[Member]) -> JSON:
    return [
        {"id": member.user.id, "name": member.user.name, "sessions": member.sessions}
        for member in members
    ]
