"""The connections of one purpose: so that a big read holds up no append."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ...errors import Away
from .wire import Moved, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...runtime.stats import Traffic
    from .scripts import Script
    from .servers import Address, Servers
    from .wire import Argument, Reply, Words


PIECE_BYTES = 1024 * 1024
"""So much goes by one journey: Redis holds it for each subscriber until it is read."""


class Command(NamedTuple):
    """What is asked of the server that has `key`."""

    key: str
    words: Words


def call(script: Script, keys: Sequence[str], *arguments: Argument) -> Command:
    """Return the command that runs a script."""
    return Command(keys[0], ("EVALSHA", script.sha, len(keys), *keys, *arguments))


def pieces(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    """Cut a batch into what goes by one journey each."""
    begin = size_bytes = 0
    for index, (_, words) in enumerate(commands):
        size_bytes += sum(len(word) for word in words if isinstance(word, bytes))
        if size_bytes > PIECE_BYTES:
            yield commands[begin : index + 1]
            begin, size_bytes = index + 1, 0
    if begin < len(commands):
        yield commands[begin:]


class Lane:
    """Up to `width` connections to each server; with one, what is asked stays in order.

    `deadline_s` is for each call of `ask`, whatever it asks.
    """

    def __init__(
        self, servers: Servers, counts: Traffic, width: int, deadline_s: float
    ) -> None:
        self._servers = servers
        self._counts = counts
        self._width = width
        self._deadline_s = deadline_s
        self._wires: dict[Address, list[Wire]] = {}

    async def ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply for each, at once from all servers. Raises `Away`.

        Where others answered, what a server that did not was asked has an `Away` for
        its reply.
        """
        self._counts.operations += len(commands)
        by_address: dict[Address, list[int]] = {}
        for index, command in enumerate(commands):
            by_address.setdefault(self._servers.at(command.key), []).append(index)
        if len(by_address) == 1:
            (address,) = by_address
            return await self._ask_one(address, [each.words for each in commands])
        replies: list[Reply] = [None] * len(commands)

        async def ask_some(address: Address, indices: list[int]) -> None:
            words = [commands[index].words for index in indices]
            try:
                for index, reply in zip(
                    indices, await self._ask_one(address, words), strict=True
                ):
                    replies[index] = reply
            except Away as away:
                for index in indices:
                    replies[index] = away

        async with asyncio.TaskGroup() as group:
            for address, indices in by_address.items():
                group.create_task(ask_some(address, indices))
        return replies

    async def get(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply for each, none of which is an error. Raises `Away`."""
        replies = await self.ask(commands)
        for reply in replies:
            if isinstance(reply, Away):
                raise reply
            if isinstance(reply, Exception):
                raise Away(str(reply)) from reply
        return replies

    async def distrust(self) -> None:
        """Have all connections made anew when they are needed next."""
        for wires in self._wires.values():
            for wire in wires:
                await wire.distrust()

    async def close(self) -> None:
        """Close all connections."""
        for wires in self._wires.values():
            for wire in wires:
                await wire.close()

    async def _ask_one(self, address: Address, words: Sequence[Words]) -> list[Reply]:
        try:
            return await self._wire(address).ask(words)
        except Moved:
            self._servers.doubt.set()
            raise

    def _wire(self, address: Address) -> Wire:
        """Return the connection where fewest wait; rather a new one than a queue."""
        wires = self._wires.setdefault(address, [])
        idlest = min(wires, key=lambda wire: wire.waiting, default=None)
        if idlest is None or (idlest.waiting and len(wires) < self._width):
            dial = partial(self._servers.dial, address)
            idlest = Wire(dial, self._deadline_s)
            wires.append(idlest)
        return idlest
