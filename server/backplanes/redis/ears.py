"""All ears of this node, one for each server, and the proof that they hear.

On each server a node listens to a probe channel of its own, on which it numbers what it
says; an ear that is behind by too many numbers is deaf, though its connection stands.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

from ...errors import Away
from .ear import Ear
from .lane import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .ear import Hear
    from .names import Names
    from .servers import Address, Servers

DEAF_AFTER = 6
"""So many probes in a row were not heard."""


class Deaf(Away):
    """What is sent is taken, but does not come back."""


class Ears:
    """Opened anew after each cut."""

    def __init__(
        self,
        servers: Servers,
        names: Names,
        node: str,
        hear: Hear,
        confirmed: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._names = names
        self._node = node
        self._hear_other = hear
        self._confirmed = confirmed
        self._by_address: dict[Address, Ear] = {}
        self._heard: dict[bytes, int] = {}
        self._probes = 0

    async def open(self, voices: Iterable[str]) -> None:
        """Connect to all servers and subscribe. Raises `Away`."""
        await self.close()
        self._probes = 0
        probes = [self._probe_at(address) for address in self._servers.addresses]
        self._heard = {probe.encode(): 0 for probe in probes}
        by_address = self._by_server([*probes, *voices])
        for address, of_it in by_address.items():
            ear = Ear(await self._servers.reach(address), self._hear, self._confirmed)
            self._by_address[address] = ear
            await ear.open(of_it)

    async def close(self) -> None:
        """Close all."""
        while self._by_address:
            _, ear = self._by_address.popitem()
            await ear.close()

    async def listen(self) -> None:
        """Read all. Ends by an exception (group) with an `Away`."""
        async with asyncio.TaskGroup() as group:
            for ear in self._by_address.values():
                group.create_task(ear.listen())

    async def subscribe(self, voices: Sequence[str]) -> None:
        """Ask for channels. Raises `Away`."""
        for address, of_it in self._by_server(voices).items():
            await self._ear(address).subscribe(of_it)

    async def unsubscribe(self, voices: Sequence[str]) -> None:
        """Ask for channels no longer. Raises `Away`."""
        for address, of_it in self._by_server(voices).items():
            await self._ear(address).unsubscribe(of_it)

    def probe(self) -> Sequence[Command]:
        """Return what to send that each ear should hear. Raises `Deaf`.

        Beside it each server is asked for a key: one that has lost touch with its
        cluster carries Pub/Sub all the same.
        """
        if any(self._probes - heard >= DEAF_AFTER for heard in self._heard.values()):
            raise Deaf("what is sent is not heard")
        self._probes += 1
        return [
            Command(probe.decode(), words)
            for probe in self._heard
            for words in (("SPUBLISH", probe, self._probes), ("GET", probe))
        ]

    def _hear(self, voice: bytes, frame: bytes) -> None:
        if voice not in self._heard:
            self._hear_other(voice, frame)
        elif frame.isdigit():
            self._heard[voice] = int(frame)

    def _ear(self, address: Address) -> Ear:
        ear = self._by_address.get(address)
        if ear is None:
            raise Away("the ears are closed")
        return ear

    def _by_server(self, voices: Iterable[str]) -> dict[Address, list[str]]:
        by_address: dict[Address, list[str]] = {}
        for voice in voices:
            by_address.setdefault(self._servers.at(voice), []).append(voice)
        return by_address

    def _probe_at(self, address: Address) -> str:
        """Return a channel that is at an address: the first of those that would do."""
        probes = (self._names.probe(self._node, number) for number in count())
        return next(each for each in probes if self._servers.at(each) == address)
