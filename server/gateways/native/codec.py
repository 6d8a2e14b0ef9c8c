"""The native wire's words: JSON objects. Pure.

Specified in docs/reference/native-wire.md.
`decode` turns a text frame into a command; `NativeCodec` turns what a session is told
into a frame, ready to be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

import msgspec

from ...errors import BAD_REQUEST, Refusal
from ...model import (
    JSON,
    Difference,
    Done,
    Event,
    Failed,
    Gap,
    History,
    HistoryPage,
    Joined,
    Left,
    Ping,
    Position,
    Presence,
    PresenceList,
    Publication,
    Publish,
    Published,
    Reset,
    Signal,
    Standing,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from .. import frames
from ..door import decode_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...errors import ReplyError
    from ...model import Command, Member, Outbound, Principal

MAX_ID = 2**53 - 1
MAX_EVENT_NAME = 64
DEFAULT_HISTORY = 50

Words: TypeAlias = "dict[str, JSON]"

_encode = msgspec.json.Encoder().encode


class Rejected(Exception):
    """A frame that is no command: answered with `failed`, where its id can be read."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed)
        self.failed = failed


class _In(msgspec.Struct):
    """A frame from a client, with the fields of all commands."""

    type: str
    id: int | None = None
    channel: str | None = None
    since: str | None = None
    before: str | None = None
    after: str | None = None
    limit: int = DEFAULT_HISTORY
    presence: bool = False
    event: str = "message"
    data: object = None
    key: str | None = None


def decode(frame: bytes, channel: str | None = None) -> Command:
    """Return the command of a text frame.

    `channel` is the route's own, taken where the frame names none; None: it must.
    Raises `Rejected`.
    """
    try:
        return decode_object(decode_json(frame), channel)
    except Refusal as refusal:
        raise Rejected(Failed(None, None, refusal.error)) from None


def decode_object(found: JSON, channel: str | None = None) -> Command:
    """Return the command of a decoded frame; raises `Rejected`."""
    if not isinstance(found, dict):
        raise Rejected(Failed(None, None, BAD_REQUEST.because("not a JSON object")))
    try:
        words = msgspec.convert(found, _In)
        return _command(words, words.channel or channel)
    except msgspec.ValidationError as error:
        raise Rejected(_failed(found, BAD_REQUEST.because(str(error)))) from None
    except Refusal as refusal:
        raise Rejected(_failed(found, refusal.error)) from None


def _failed(found: Words, error: ReplyError) -> Failed:
    """Answer with what can be read of the frame that failed."""
    command_id = found.get("id")
    channel, key = found.get("channel"), found.get("key")
    return Failed(
        command_id if type(command_id) is int and 0 < command_id <= MAX_ID else None,
        channel if isinstance(channel, str) else None,
        error,
        key if isinstance(key, str) else None,
    )


def _command(words: _In, channel: str | None) -> Command:
    if words.id is not None and not 0 < words.id <= MAX_ID:
        raise Refusal(BAD_REQUEST.because("id must be 1 to 2^53-1"))
    if words.type == "ping":
        return Ping(words.id)
    if channel is None:
        raise Refusal(BAD_REQUEST.because("channel is missing"))
    match words.type:
        case "subscribe":
            since = _position(words.since)
            return Subscribe(words.id, channel, since, words.presence)
        case "unsubscribe":
            return Unsubscribe(words.id, channel)
        case "publish" | "signal":
            return Publish(words.id, channel, _event(words))
        case "history":
            before, after = _position(words.before), _position(words.after)
            return History(words.id, channel, before, after, words.limit)
        case "presence":
            return Presence(words.id, channel)
        case _:
            raise Refusal(BAD_REQUEST.because("unknown type"))


def _event(words: _In) -> Event:
    if not 0 < len(words.event) <= MAX_EVENT_NAME:
        raise Refusal(BAD_REQUEST.because("event must be 1 to 64 characters"))
    content: JSON = words.data  # type: ignore[assignment]
    return Event(words.event, content, words.key, signal=words.type == "signal")


def _position(text: str | None) -> Position | None:
    return None if text is None else Position.parse(text)


class NativeCodec:
    """JSON objects in text frames."""

    name = "native"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the text frame; None for an acknowledgement nobody asked for."""
        words = _words(outbound)
        return None if words is None else frames.text(_encode(words))


def _words(outbound: Outbound) -> Words | None:
    match outbound:
        case Publication() | Signal():
            head: Words = {"type": "event", "channel": outbound.channel}
            return head | _said(outbound)
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
                "publications": [_said(each) for each in outbound.publications],
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
        "publications": [_said(each) for each in outbound.publications],
    }
    if outbound.state is not None and not isinstance(outbound.state, Difference):
        words["state"] = outbound.state
    words["signals"] = [_said(each) for each in outbound.signals]
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


def _said(said: Publication | Signal) -> Words:
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


NATIVE = NativeCodec()
