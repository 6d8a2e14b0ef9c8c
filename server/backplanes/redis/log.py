"""Streams of publications in Redis, for channels that all nodes share.

One script keeps a publication, gives it its offset and sends it to all nodes: one round
trip for a batch, and one order for everybody. A server that restarted, or a replica
that was promoted, may have lost a tail; whatever is first done with a stream there ends
it and begins one of a new epoch.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...content import check_append, encode_append
from ...errors import BAD_REQUEST, UNAVAILABLE, Away, Refusal, Unrecoverable
from ...model import Position
from ...seams.log import Appended, Duplicate, Rejected, Slice, Snapshot
from . import scripts
from .codec import Undecodable, envelope, opened
from .lane import Command, call, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...content import Encoded
    from ...model import Publication
    from ...seams.log import Append, Outcome
    from .lane import Lane
    from .names import Names
    from .scripts import Script
    from .servers import Servers
    from .wire import Argument, Reply

logger = logging.getLogger("hubbub.redis")

TOPS = 512
"""So many channels are asked for their tops at once."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a stream is kept: the bound that is met first counts.

    `size` are publications, `age_s` seconds (`inf`: for ever); `max_bytes` counts
    contents as they were encoded.
    """

    size: int = 1_000
    age_s: float = 300.0
    max_bytes: int = 8 * 1024 * 1024


BoundsOf: TypeAlias = "Callable[[str], Bounds]"
"""Says what a channel may keep."""


class RedisLog:
    """A `Log`; `RedisBackplane.log` has one that is ready to be used."""

    def __init__(
        self,
        servers: Servers,
        names: Names,
        *,
        bounds: BoundsOf,
        new_epoch: Callable[[], str],
        appends: Lane,
        reads: Lane,
    ) -> None:
        self._servers = servers
        self._names = names
        self._bounds = bounds
        self._new_epoch = new_epoch
        self._appends = appends
        self._reads = reads

    @property
    def durable(self) -> bool:
        """Redis answers before it has written anything to a disk."""
        return False

    @property
    def carries(self) -> bool:
        """What is kept is sent to all nodes in the same step."""
        return True

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Keep a batch; see `seams.log.Log`. Raises `Away`.

        Where Redis goes away in the midst of it, some of it may have been kept all the
        same: then it is brought to all nodes, and its key, if it has one, shows it.
        """
        encoded: list[Encoded | Rejected] = []
        for append in batch:
            check_append(append)
            if append.changes:
                kind = type(append.changes[0]).__name__
                raise TypeError(f"this log keeps no {kind}")
            encoded.append(self._encode(append))
        commands = [
            self._command(append, contents)
            for append, contents in zip(batch, encoded, strict=True)
            if not isinstance(contents, Rejected) and append.drafts
        ]
        answers: list[Reply] = []
        for piece in pieces(commands):
            answers += await self._appends.ask(piece)
        replies = iter(answers)
        return [
            _outcome(next(replies) if append.drafts else [1])
            if not isinstance(contents, Rejected)
            else contents
            for append, contents in zip(batch, encoded, strict=True)
        ]

    async def read(self, channel: str, after: Position, limit: int) -> Slice:
        """Return what follows a position; see `seams.log.Log`."""
        where = (after.epoch, after.offset, max(limit, 0))
        reply = await self._run(scripts.READ, channel, *where, *self._limits(channel))
        top, kept, entries = _found(reply)
        _check_recoverable(after, top.offset - kept, top)
        return Slice(_publications(channel, top.epoch, entries), top)

    async def page(self, channel: str, before: int | None, limit: int) -> Slice:
        """Return what stands before an offset, or the newest; see `seams.log.Log`."""
        if before is not None and before <= 1:
            before, limit = 1, 0
        where = (before or 0, max(limit, 0))
        reply = await self._run(scripts.PAGE, channel, *where, *self._limits(channel))
        top, _, entries = _found(reply)
        return Slice(_publications(channel, top.epoch, entries)[::-1], top)

    async def top(self, channel: str) -> Position:
        """Return the newest position; a channel without one gets its epoch here."""
        return (await self.tops((channel,)))[channel]

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """Return the newest position of each; with none it asks if Redis answers."""
        found: dict[str, Position] = {}
        if not channels:
            await self._get([Command("", ("PING",))])
        for start in range(0, len(channels), TOPS):
            some = channels[start : start + TOPS]
            replies = await self._get(
                [self._call(scripts.TOP, each, self._age_ms(each)) for each in some]
            )
            found |= {
                channel: _position(reply)
                for channel, reply in zip(some, replies, strict=True)
            }
        return found

    async def renew(self, channel: str, epoch: str) -> Position:
        """End the stream that `epoch` names, where it is the channel's still."""
        age_ms = self._age_ms(channel)
        return _position(await self._run(scripts.RENEW, channel, age_ms, epoch))

    async def snapshot(self, channel: str, at: Position, state: bytes) -> None:
        """Keep a state and let go of what it stands for; see `seams.log.Log`."""
        what = (self._age_ms(channel), at.epoch, at.offset, state)
        top = _position(await self._run(scripts.SNAPSHOT, channel, *what))
        _check_recoverable(at, 0, top)

    async def latest_snapshot(self, channel: str) -> Snapshot | None:
        """Return the newest snapshot; None where there is none."""
        match await self._run(scripts.LATEST, channel, self._age_ms(channel)):
            case [bytes() as epoch, int() as offset, bytes() as state]:
                return Snapshot(Position(epoch.decode(), offset), state)
        return None

    def remember(self, publication: Publication) -> None:
        """Do nothing: all nodes read what is in Redis."""

    def drop(self, channel: str) -> None:
        """Do nothing: other nodes may be there still."""

    def _encode(self, append: Append) -> Encoded | Rejected:
        encoded = encode_append(append)
        servers = {
            self._servers.at(self._names.voice(each.channel)) for each in append.drafts
        }
        if len(servers) > 1:
            reason = "channels on several servers of a cluster are not kept together"
            return Rejected(BAD_REQUEST.because(reason))
        return encoded

    def _command(self, append: Append, contents: Encoded) -> Command:
        keys: list[str] = []
        said: list[Argument] = []
        key = append.key
        for draft, content in zip(append.drafts, contents, strict=True):
            keys += self._names.stream(draft.channel)
            said += (envelope(draft, content, key), len(content))
            said += self._limits(draft.channel)
            key = None
        fence = append.fence
        lease, number = ("", 0) if fence is None else (fence.lease, fence.number)
        if lease and not self._servers.is_cluster:
            keys.append(self._names.lease(lease)[1])
        of_author = _key_of_author(append)
        return call(
            scripts.APPEND, keys, self._new_epoch(), of_author, lease, number, *said
        )

    def _limits(self, channel: str) -> tuple[int, int, int]:
        bounds = self._bounds(channel)
        return bounds.size, bounds.max_bytes, self._age_ms(channel)

    def _age_ms(self, channel: str) -> int:
        age_s = self._bounds(channel).age_s
        return 0 if math.isinf(age_s) else max(int(age_s * 1_000), 1)

    def _call(self, script: Script, channel: str, *said: Argument) -> Command:
        keys = self._names.stream(channel)
        return call(script, keys, self._new_epoch(), *said)

    async def _run(self, script: Script, channel: str, *said: Argument) -> Reply:
        (reply,) = await self._get([self._call(script, channel, *said)])
        return reply

    async def _get(self, commands: Sequence[Command]) -> list[Reply]:
        try:
            return await self._reads.get(commands)
        except Away as away:
            raise Refusal(UNAVAILABLE) from away


def _key_of_author(append: Append) -> bytes:
    """Return what an Append is known by in its first channel; nothing without a key."""
    if append.key is None:
        return b""
    author = append.drafts[0].author
    return f"{author.id if author is not None else ''} {append.key}".encode()


def _outcome(reply: Reply) -> Outcome:
    match reply:
        case [1, *rest]:
            pairs = zip(rest[::2], rest[1::2], strict=True)
            return Appended(tuple(_position(list(pair)) for pair in pairs))
        case [0, bytes() as epoch, int() as offset]:
            return Duplicate(Position(epoch.decode(), offset))
        case [-1]:
            return Rejected(UNAVAILABLE.because("another node leads now"))
        case Exception():
            logger.warning("an append failed alone: %s", reply)
            return Rejected(UNAVAILABLE)
    raise TypeError("not the reply to an append")


def _position(reply: Reply) -> Position:
    match reply:
        case [bytes() as epoch, int() as offset]:
            return Position(epoch.decode(), offset)
    raise TypeError("not a position")


def _found(reply: Reply) -> tuple[Position, int, list[Reply]]:
    match reply:
        case [bytes() as epoch, int() as offset, int() as kept, list() as entries]:
            return Position(epoch.decode(), offset), kept, entries
    raise TypeError("not the reply to a read")


def _publications(
    channel: str, epoch: str, entries: Sequence[Reply]
) -> tuple[Publication, ...]:
    return tuple(_publication(channel, epoch, entry) for entry in entries)


def _publication(channel: str, epoch: str, entry: Reply) -> Publication:
    match entry:
        case [bytes() as entry_id, [b"d", bytes() as packed, *_]]:
            offset = int(entry_id.partition(b"-")[0])
            try:
                return opened(channel, Position(epoch, offset), packed)
            except Undecodable as error:
                raise Unrecoverable(f"{offset} of {channel} is damaged") from error
    raise TypeError("not an entry of a log")


def _check_recoverable(after: Position, floor: int, top: Position) -> None:
    """Return if everything after a position is in a log that holds (floor, top]."""
    if after.epoch != top.epoch:
        raise Unrecoverable(f"{after} is of another epoch than {top}")
    if not floor <= after.offset <= top.offset:
        raise Unrecoverable(f"{after} is not within {floor} to {top.offset}")
