"""A line to a server that a test can cut, silence, or lead to another server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Self


@dataclass(eq=False)
class Line:
    """One connection through it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    listens: bool = False
    """Whether it has subscribed to anything."""
    turns: int = 0
    """How often the client spoke after the server had."""
    asked: bool = False

    def abort(self) -> None:
        """Break it."""
        self.client.transport.abort()
        self.server.transport.abort()


class Forwarder:
    """Listens on a port of its own and leads to `target`, a port of the loopback.

    `silent`: what comes from either side is swallowed, and new connections are taken
    but lead nowhere. `deaf`: what comes for subscribers is swallowed.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.silent = False
        self.deaf = False
        self.port = 0
        self.lines: list[Line] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0.01)

    @property
    def url(self) -> str:
        """The address, as the settings have it."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def turns(self) -> int:
        """The round trips of all lines."""
        return sum(line.turns for line in self.lines)

    def cut(self) -> None:
        """Break all connections."""
        for line in self.lines:
            line.abort()

    def lead_to(self, target: int) -> None:
        """Lead to another server, and break the connections to the one before."""
        self.target = target
        self.cut()

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            from_server, server = await asyncio.open_connection(
                "127.0.0.1", self.target
            )
        except OSError:
            writer.transport.abort()
            return
        line = Line(writer, server)
        self.lines.append(line)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(line, reader, server, asks=True))
                group.create_task(self._carry(line, from_server, writer, asks=False))
        finally:
            line.abort()

    async def _carry(
        self,
        line: Line,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        asks: bool,
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(65_536):
                if asks:
                    line.listens = line.listens or b"SSUBSCRIBE" in chunk
                    line.turns += not line.asked
                line.asked = asks
                swallowed = self.silent or (self.deaf and line.listens and not asks)
                if not swallowed:
                    sink.write(chunk)
                    await sink.drain()
        line.abort()
