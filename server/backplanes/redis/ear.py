"""The Pub/Sub connection of one server: one task reads, and waits for nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from redis.exceptions import RedisError

from ...errors import Away
from .wire import by_the_deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .wire import Connection, Reply

Hear: TypeAlias = "Callable[[bytes, bytes], None]"
"""Takes what came on a Pub/Sub channel. It must not raise."""

BATCH = 512
"""So many channels are asked for at once."""
TURN_S = 0.002
"""So long other tasks wait at most while much has come."""


class Ear:
    """Listens on Pub/Sub channels of one server, until it is deaf once.

    `confirmed` is called with each channel that the server says it will bring.
    """

    def __init__(
        self, connection: Connection, hear: Hear, confirmed: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._hear = hear
        self._confirmed = confirmed
        self._awaited: Counter[str] = Counter()
        self._leaving: Counter[str] = Counter()
        self._sending = asyncio.Lock()

    async def open(self, voices: Sequence[str]) -> None:
        """Subscribe to channels and read until all are confirmed. Raises `Away`."""
        for start in range(0, len(voices), BATCH):
            await self.subscribe(voices[start : start + BATCH])
            await by_the_deadline(self._read_until_confirmed())

    async def subscribe(self, voices: Sequence[str]) -> None:
        """Ask for channels; each is told to `confirmed` later. Raises `Away`."""
        self._awaited.update(voices)
        # Each in a command of its own: channels of several slots do not go into one.
        await self._send([("SSUBSCRIBE", voice) for voice in voices])

    async def unsubscribe(self, voices: Sequence[str]) -> None:
        """Ask for channels no longer. Raises `Away`."""
        self._leaving.update(voices)
        await self._send([("SUNSUBSCRIBE", voice) for voice in voices])

    async def listen(self) -> None:
        """Read for ever. Raises `Away` when it cannot hear any more."""
        loop = asyncio.get_running_loop()
        turn_ends_s = loop.time() + TURN_S
        while True:
            self._take(await self._read())
            # What is here already is read without a wait, and others want their turn.
            if loop.time() > turn_ends_s:
                await asyncio.sleep(0)
                turn_ends_s = loop.time() + TURN_S

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect(nowait=True)

    async def _read_until_confirmed(self) -> None:
        while self._awaited:
            self._take(await self._read())

    async def _read(self) -> Reply:
        try:
            return await self._connection.read_response()
        except (RedisError, OSError) as error:
            raise Away(str(error)) from error

    def _take(self, reply: Reply) -> None:
        match reply:
            case [b"smessage", bytes() as voice, bytes() as frame]:
                self._hear(voice, frame)
            case [b"ssubscribe", bytes() as voice, _]:
                name = voice.decode()
                _count_down(self._awaited, name)
                self._confirmed(name)
            case [b"sunsubscribe", bytes() as voice, _]:
                if not _count_down(self._leaving, voice.decode()):
                    raise Away("the slots of the cluster have moved")
            case _:
                raise Away("Redis says what was not asked for")

    async def _send(self, commands: Iterable[Sequence[str]]) -> None:
        async with self._sending:
            packed = self._connection.pack_commands(commands)
            await by_the_deadline(self._connection.send_packed_command(packed))


def _count_down(counter: Counter[str], name: str) -> bool:
    """Take one off, and return whether there was one."""
    if counter[name] <= 1:
        return counter.pop(name, 0) == 1
    counter[name] -= 1
    return True
