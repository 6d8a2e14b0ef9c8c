"""One connection to one Redis server, for commands in their order.

Rules:
1. What is asked is answered, or fails with `Away`, by a deadline, whatever Redis does.
2. Nothing is ever asked twice behind the caller's back: it might be done twice.
   Only what the server says that it has not begun (NOSCRIPT) is asked again.
3. A connection on which anything went wrong is thrown away; the next call makes one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from ...errors import Away
from .scripts import ALL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

Argument: TypeAlias = "str | bytes | int"
Words: TypeAlias = "Sequence[Argument]"
"""A command and its arguments."""
Reply: TypeAlias = object
"""What Redis said: None, bytes, an int, a list of replies, or a ResponseError."""

DEADLINE_S = 2.0
"""After so long without an answer Redis is taken to be away."""

LOAD: Sequence[Words] = tuple(("SCRIPT", "LOAD", each.text) for each in ALL)

_UNFIT = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError)


class Moved(Away):
    """This server is no longer the one that has what was asked for."""


class Connection(Protocol):
    """The part of the client library's connection that is used here."""

    async def connect(self) -> None:
        """Connect, and sign in."""

    async def disconnect(self, nowait: bool = ...) -> None:  # noqa: FBT001 - theirs
        """Close; with `nowait` without any wait."""

    async def can_read(self) -> bool:
        """Whether something came that nobody asked for, be it the end."""

    def pack_commands(self, commands: Iterable[Words]) -> Sequence[bytes]:
        """Encode commands."""

    async def send_packed_command(self, command: Iterable[bytes]) -> None:
        """Send."""

    async def read_response(self) -> Reply:
        """Read one reply; an error is raised."""


Result = TypeVar("Result")
Dial: TypeAlias = "Callable[[], Awaitable[Connection]]"
"""Makes a connection that is ready to be used, or raises."""


class Wire:
    """One connection, made when it is needed; whoever asks waits for its turn."""

    def __init__(self, dial: Dial, deadline_s: float = DEADLINE_S) -> None:
        self._dial = dial
        self._deadline_s = deadline_s
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()
        self._stale = False
        self.waiting = 0

    async def ask(self, commands: Sequence[Words]) -> list[Reply]:
        """Send commands together and return a reply for each. Raises `Away`.

        Some of them may have been done when it raises.
        """
        self.waiting += 1
        try:
            return await by_the_deadline(self._in_turn(commands), self._deadline_s)
        finally:
            self.waiting -= 1

    async def distrust(self) -> None:
        """Have the next call make a new connection; what is under way goes on."""
        self._stale = True
        if not self._lock.locked():
            await self._drop()

    async def close(self) -> None:
        """Close the connection, if there is one; what is under way fails."""
        await self._drop()

    async def _in_turn(self, commands: Sequence[Words]) -> list[Reply]:
        async with self._lock:
            return await self._exchange(commands)

    async def _exchange(self, commands: Sequence[Words]) -> list[Reply]:
        try:
            connection = await self._ready()
            replies = await converse(connection, commands)
            done = _begun(replies)
            if done < len(replies):
                await converse(connection, LOAD)
                replies[done:] = await converse(connection, commands[done:])
            _check(replies)
        except BaseException:
            # Also when it is cancelled: the answers that still come are nobody's.
            await self._drop()
            raise
        return replies

    async def _ready(self) -> Connection:
        if self._connection is not None:
            # Its end may have come while nobody used it: better known before than
            # after something was sent that cannot be sent twice.
            if not self._stale and not await self._connection.can_read():
                return self._connection
            await self._drop()
        self._stale = False
        self._connection = await self._dial()
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def by_the_deadline(
    work: Awaitable[Result], deadline_s: float = DEADLINE_S
) -> Result:
    """Wait for what Redis has a part in. Raises `Away` if it fails, or takes long."""
    try:
        async with asyncio.timeout(deadline_s):
            return await work
    except TimeoutError:
        raise Away(f"no answer within {deadline_s:g} s") from None
    except (RedisError, OSError) as error:
        raise Away(str(error)) from error


async def converse(connection: Connection, commands: Sequence[Words]) -> list[Reply]:
    """Send commands and return a reply for each, errors among them."""
    await connection.send_packed_command(connection.pack_commands(commands))
    replies: list[Reply] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies


def _begun(replies: Sequence[Reply]) -> int:
    """Return after how many the server knew no script any more.

    Where it knew a later one, asking again would change the order: those stay errors.
    """
    count = len(replies)
    while count and isinstance(replies[count - 1], NoScriptError):
        count -= 1
    return count


def _check(replies: Sequence[Reply]) -> None:
    """Raise for what concerns all that is asked of this server, and not one key."""
    for reply in replies:
        if isinstance(reply, MovedError):
            raise Moved("the slots of the cluster have moved")
        if isinstance(reply, _UNFIT):
            raise Away(str(reply) or type(reply).__name__)
