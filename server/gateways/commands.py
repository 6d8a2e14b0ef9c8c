"""Commands as JSON objects, which all JSON wires share. Pure.

Specified in docs/reference/native-wire.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import BAD_REQUEST, Refusal
from ..model import (
    JSON,
    Event,
    Failed,
    History,
    Ping,
    Position,
    Presence,
    Publish,
    Subscribe,
    Unsubscribe,
)

if TYPE_CHECKING:
    from ..errors import ReplyError
    from ..model import Command
    from .words import Words

MAX_ID = 2**53 - 1
MAX_EVENT_NAME = 64
DEFAULT_HISTORY = 50


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


def command_of(found: JSON, channel: str | None = None) -> Command:
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
