"""A real server on a real port, in which the promises are looked at.

Hubbub stands in somebody's application, whose sign-in is a query (`?as=ada`), with
everything that it has in front of it: the gate, the headers, the market beside it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from server import Principal, Refusal, Settings, add_hubbub
from server.errors import PERMISSION_DENIED
from server.kinds.notes.kind import NotesKind
from server.kinds.open import OpenKind
from server.model import SERVER, Event, split_channel
from server.runtime.clock import SystemClock
from server.seams.kind import Policy
from server.stores.memory import MemoryLog
from tests.contracts.gateways.driver import ANSWER_S
from tests.looptime import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import pytest

    from server import Hub, Publication
    from server.hub.session import Session
    from server.model import JSON, Action, Position
    from server.seams.log import Append, Outcome, Slice
    from tests.contracts.gateways.driver import Driver

RECENT = 10
"""How many publications a newcomer to a room is told."""

PREFIX = "/live"

READING_TURNS = 100
"""So many turns of the loop a slow reading takes: several lines are said meanwhile."""


class GuardedNotes(NotesKind):
    """Notes, of which those named `lab-...` are somebody's own."""

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """See `Kind.authorize`."""
        await super().authorize(who, channel, action)
        if split_channel(channel)[1].startswith("lab-"):
            raise Refusal(PERMISSION_DENIED)


@dataclass
class House:
    """The server, and the server's side of what its clients do."""

    hub: Hub
    runner: web.AppRunner
    port: int
    clients: list[Driver] = field(default_factory=list)
    _clock: int = 0

    def client(
        self, kind: type[Driver], who: str = "ada", receive_bytes: int | None = None
    ) -> Driver:
        """Make a client, not yet connected."""
        client = kind(self.port, who, receive_bytes)
        self.clients.append(client)
        return client

    async def joined(
        self, kind: type[Driver], who: str = "ada", channel: str | None = None
    ) -> Driver:
        """Make a client that has joined a channel; None: the one of its gateway."""
        client = self.client(kind, who)
        client.channel = channel or client.channel
        await client.join()
        return client

    async def stop(self) -> None:
        """Stop serving, as a process does that is told to."""
        await self.runner.cleanup()

    async def say(self, channel: str, text: str) -> None:
        """Say a line, as the application itself; it is kept when this returns."""
        if channel.startswith("notes:"):
            edit: JSON = {"at": 0, "text": f"{text}\n"}
            await self.hub.publish(channel, edit, event="insert")
        else:
            await self.hub.publish(channel, text)

    async def signal(self, channel: str, text: str, key: str | None = None) -> None:
        """Send a signal, as the application itself."""
        event = Event("typing", text, key, signal=True)
        if channel.startswith("notes:"):
            # Presence of a client that is not there, at ever greater clocks.
            self._clock += 1
            state: JSON = {"client": 7, "clock": self._clock, "state": {"text": text}}
            event = Event("awareness", state, "7", signal=True)
        await self.hub.signal(SERVER, channel, event)

    async def log(self, channel: str) -> Sequence[Publication]:
        """Return what the log has of a channel: the newest 200."""
        return (await self.hub.history(SERVER, channel, limit=200)).publications

    async def top(self, channel: str) -> str:
        """Return the position at which a channel ends."""
        return str((await self.hub.history(SERVER, channel, limit=1)).top)

    def sessions(self, who: str) -> list[Session]:
        """Return somebody's sessions."""
        return [
            each for each in self.hub.sessions.values() if each.who.id == f"u_{who}"
        ]


async def _identify(request: web.Request) -> Principal | None:
    name = request.query.get("as")
    return Principal(f"u_{name}", name.title()) if name else None


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Serve; at the end everybody is gone."""
    clock = SystemClock()
    app = web.Application()
    notes = GuardedNotes(clock, settings.note_update_bytes, settings.note_state_bytes)
    hub = add_hubbub(
        app,
        prefix=PREFIX,
        identify=_identify,
        settings=settings,
        kinds={
            "room": OpenKind(clock, Policy(recent=RECENT, history_size=5_000)),
            "notes": notes,
        },
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    house = House(hub, runner, runner.addresses[0][1])
    try:
        yield house
    finally:
        # Told first, so that nobody has to find out that the others are gone.
        hub.disconnect_all()
        await asyncio.sleep(0)
        for client in house.clients:
            client.cut()
        await house.stop()


class HeldLog:
    """Holds back what is to be kept, in all logs in memory, until it is let go."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        append = MemoryLog.append

        async def held(log: MemoryLog, batch: Sequence[Append]) -> Sequence[Outcome]:
            if not self._open.is_set() and any(map(_is_ours, batch)):
                self.asked.set()
                await self._open.wait()
            return await append(log, batch)

        patch.setattr(MemoryLog, "append", held)

    def hold(self) -> None:
        """Keep nothing more for now."""
        self.asked.clear()
        self._open.clear()

    def let_go(self) -> None:
        """Keep what waits, and what comes."""
        self._open.set()


def read_slowly(patch: pytest.MonkeyPatch) -> None:
    """Let much be said between the moment of which a log tells, and the telling."""
    read, page = MemoryLog.read, MemoryLog.page

    async def slow_read(
        log: MemoryLog, channel: str, after: Position, limit: int
    ) -> Slice:
        found = await read(log, channel, after, limit)
        await turns(READING_TURNS)
        return found

    async def slow_page(
        log: MemoryLog, channel: str, before: int | None, limit: int
    ) -> Slice:
        found = await page(log, channel, before, limit)
        await turns(READING_TURNS)
        return found

    patch.setattr(MemoryLog, "read", slow_read)
    patch.setattr(MemoryLog, "page", slow_page)


def _is_ours(append: Append) -> bool:
    """Whether it is of a promise's channel, not of the market beside it."""
    return append.drafts[0].channel.endswith(":one")


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; fail where it never does."""
    async with asyncio.timeout(ANSWER_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)
