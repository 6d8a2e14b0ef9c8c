"""The values that travel: frozen, without behaviour beyond their own text.

A publication has a position and is never lost silently; a signal has none. Everything
that a session can be told is one of the `Outbound` values; a gateway's codec turns each
into a frame, once for all sessions that speak it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from .errors import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .errors import ReplyError

JSON: TypeAlias = (
    "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
)

MAX_OFFSET = 2**53 - 1
"""Offsets stay below what a JavaScript number holds exactly."""

_CHANNEL = re.compile(
    r"([a-z][a-z0-9_]{0,15}):([a-z0-9._-]{1,64}|[A-Z][A-Z0-9.]{0,15})"
)
_POSITION = re.compile(r"([A-Za-z0-9]{1,16})\.(0|[1-9][0-9]{0,15})")
_KEY = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a channel's stream: after publication `offset` of `epoch`.

    Offset 0 is the place before the first publication. The epoch names the stream:
    offsets of two epochs cannot be compared.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.offset}"

    def reaches(self, other: Position) -> bool:
        """Whether it is of the same stream, and not before the other."""
        return self.epoch == other.epoch and self.offset >= other.offset

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `<epoch>.<offset>`; raise `Refusal` (bad request) if it is not one."""
        match = _POSITION.fullmatch(text)
        if match is None or int(match[2]) > MAX_OFFSET:
            raise Refusal(BAD_REQUEST.because("not a position"))
        return cls(match[1], int(match[2]))


@dataclass(frozen=True, slots=True)
class StateVector:
    """What a Yjs client has, in its own encoding: it takes a position's place."""

    encoded: bytes


@dataclass(frozen=True, slots=True)
class Difference:
    """What a Yjs client lacks (`update`), and what the server has (`vector`)."""

    update: bytes
    vector: bytes


Since: TypeAlias = "Position | StateVector | None"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: a stable id (`u_`, `g_` for guests, `s_` for the server) and a name."""

    id: str
    name: str


SERVER = Principal("s_server", "Server")


class Action(StrEnum):
    """What one may be allowed to do in a channel."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    SIGNAL = "signal"
    HISTORY = "history"
    PRESENCE = "presence"


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody wants said in a channel, before its kind has judged it.

    `content` is JSON or, for binary kinds, bytes. For a publication `key` makes it
    idempotent for its author; for a signal (`signal` is True) it replaces the waiting
    one of the same key. None means no key. `fence`: see `seams.log.Append`.
    """

    name: str
    content: JSON | bytes
    key: str | None = None
    signal: bool = False
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """One message of a channel, at its position; `time_ms` is shown, never ordered by.

    `author` is None where the server spoke. `shown` is what JSON wires show of a binary
    content (filled in by the kind's fold), None where the content is itself JSON.
    """

    channel: str
    position: Position
    event: str
    content: JSON | bytes
    author: Principal | None
    time_ms: int
    key: str | None = None
    shown: JSON = None


@dataclass(frozen=True, slots=True)
class Signal:
    """A message without position. With a `key` it replaces the waiting one of that key.

    A `retained` signal is kept while the session `owner` lives on its `node`, shown to
    joiners, and its fall is told to all, with its last content and `fell` set. For
    `stamp` see `Attendance`; it is 0 where nothing is retained.
    """

    channel: str
    event: str
    content: JSON
    author: Principal | None
    time_ms: int
    key: str | None = None
    retained: bool = False
    owner: str | None = None
    fell: bool = False
    node: str | None = None
    stamp: int = 0


@dataclass(frozen=True, slots=True)
class Attendance:
    """How many sessions a user has in a channel on one node; 0: has left it.

    It travels between nodes; sessions are told `Joined` and `Left`. By `stamp` a node
    counts what it says of attendances and retained signals: 1, 2, 3... over all
    channels.
    """

    channel: str
    node: str
    user: Principal
    sessions: int
    stamp: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A holding of a lease: later holders have greater numbers."""

    lease: str
    number: int


@dataclass(frozen=True, slots=True)
class Member:
    """One person in a channel, with the number of sessions they have there."""

    user: Principal
    sessions: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody's first session came; `count` is the number of people after it."""

    channel: str
    user: Principal
    count: int


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody's last session went; `count` is the number of people after it."""

    channel: str
    user: Principal
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Signals that this session did not get: dropped ones, and ones merged by key."""

    channel: str
    skipped: int
    merged: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The channel's stream is a new one: drop its state, subscribe again."""

    channel: str
    position: Position


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether what is said now reaches everybody: False while the nodes are cut off.

    While it is False nothing new comes and what is published is refused as unavailable;
    nothing that was acknowledged is lost.
    """

    live: bool


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Answers a subscribe: the past that was missed, or the state, and where it ends.

    `recovered` means that `publications` is everything after the given position.
    `state` is the kind's own, None where publications say all. `signals` are the
    retained ones. `members` is None where presence was not asked for.
    """

    id: int | None
    channel: str
    position: Position
    recovered: bool
    publications: Sequence[Publication]
    state: JSON | Difference
    signals: Sequence[Signal]
    members: Sequence[Member] | None
    durable: bool


@dataclass(frozen=True, slots=True)
class Published:
    """Acknowledges a publication; `position` is None where nothing had to follow."""

    id: int | None
    channel: str
    position: Position | None
    durable: bool
    key: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Answers a history command: ascending, with the channel's top beside it."""

    id: int | None
    channel: str
    publications: Sequence[Publication]
    position: Position


@dataclass(frozen=True, slots=True)
class PresenceList:
    """Answers a presence command."""

    id: int | None
    channel: str
    members: Sequence[Member]
    count: int


@dataclass(frozen=True, slots=True)
class Done:
    """Answers a command that has nothing else to say (unsubscribe, signal, ping)."""

    id: int | None
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Answers a command that was refused."""

    id: int | None
    channel: str | None
    error: ReplyError
    key: str | None = None


Told: TypeAlias = "Publication | Signal | Joined | Left | Reset"
"""What a channel tells its subscribers."""
Broadcast: TypeAlias = "Told | Attendance"
"""What comes to a channel."""
Reply: TypeAlias = "Subscribed | Published | HistoryPage | PresenceList | Done | Failed"
Outbound: TypeAlias = "Told | Gap | Standing | Reply"


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Join a channel, or join it anew."""

    id: int | None
    channel: str
    since: Since = None
    presence: bool = False


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Leave a channel; what waits for it is dropped."""

    id: int | None
    channel: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Say something; answered when it is kept as the channel's kind promises."""

    id: int | None
    channel: str
    event: Event


@dataclass(frozen=True, slots=True)
class History:
    """Read back: up to `limit` publications before a position, or after one.

    Both None reads the newest.
    """

    id: int | None
    channel: str
    before: Position | None = None
    after: Position | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Presence:
    """Ask who is there."""

    id: int | None
    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask whether the server is there."""

    id: int | None


Command: TypeAlias = "Subscribe | Unsubscribe | Publish | History | Presence | Ping"


@lru_cache(maxsize=4096)
def split_channel(channel: str) -> tuple[str, str]:
    """Return (kind, name) of `kind:name`; raise `Refusal` (unknown channel)."""
    match = _CHANNEL.fullmatch(channel)
    if match is None:
        raise Refusal(UNKNOWN_CHANNEL)
    return match[1], match[2]


def check_key(key: str) -> str:
    """Return the key, or raise `Refusal`: 1 to 64 visible ASCII characters."""
    if _KEY.fullmatch(key) is None:
        raise Refusal(BAD_REQUEST.because("key must be 1 to 64 visible characters"))
    return key
