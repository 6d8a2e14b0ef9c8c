"""A house with nothing in it but notes, and clients that speak their wires."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from server import keys
from server.backplanes.local import LocalBackplane
from server.errors import UNAVAILABLE, Refusal
from server.gateways import either
from server.gateways.yjs import codec
from server.hub.hub import Hub
from server.hub.limits import Limits
from server.kinds.notes.kind import NotesKind
from server.kinds.notes.rows import NoteTouched
from server.lib0 import Reader
from server.model import Principal, Standing
from server.runtime.clock import SystemClock, random_id
from server.seams.kind import Keep
from server.settings import Settings
from server.stores.memory import Apply, MemoryLog
from tests.gateways.hosting import introduced
from tests.hub.outage import cut_off, reunite
from tests.kinds.notes.typist import Typist

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from aiohttp import ClientWebSocketResponse

    from server.model import Position
    from server.seams.log import Append, Change, Outcome

ANSWER_S = 5.0

M = TypeVar("M", bound="codec.Message | Standing")


def _pass_over(change: Change) -> None:
    """Keep no rows."""


class HeldLog(MemoryLog):
    """A log whose commits tests hold back, and let fail."""

    def __init__(self) -> None:
        apply: dict[type, Apply] = {NoteTouched: _pass_over}
        super().__init__(SystemClock(), lambda: "epoch", apply=apply)
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False
        self.away = self.refuses = False
        self.asked = self.kept = 0

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """Wait until it may commit, then commit or fail."""
        self.asked += 1
        await self.open.wait()
        if self.away or self.refuses:
            raise Refusal(UNAVAILABLE)
        if self.fails:
            raise OSError("no space left")
        self.kept += len(batch)
        return await super().append(batch)

    async def tops(self, channels: Sequence[str]) -> Mapping[str, Position]:
        """Say where channels end, if it answers; never at once."""
        await asyncio.sleep(0.001)
        if self.away:
            raise Refusal(UNAVAILABLE)
        return await super().tops(channels)


@dataclass
class House:
    """A hub with notes behind their route."""

    hub: Hub
    log: HeldLog
    client: TestClient[web.Request, web.Application]

    async def connect(self, who: str = "ada", note: str = "lab") -> Yjs:
        """Open a note as somebody, by the Yjs wire."""
        ws = await self.client.ws_connect(f"/ws/notes/{note}?as={who}")
        return Yjs(ws)

    def cut_off(self) -> None:
        """Cut the node off from the others."""
        cut_off(self.hub)

    def reunite(self) -> None:
        """Let it hear the others again."""
        reunite(self.hub)

    async def join(self, who: str = "ada", note: str = "lab") -> Yjs:
        """Connect and synchronise."""
        peer = await self.connect(who, note)
        await peer.sync()
        return peer


class Yjs(Typist):
    """A client of the Yjs wire with a document of its own."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        super().__init__()
        self.ws = ws

    async def send(self, *messages: bytes) -> None:
        """Send messages, all in one frame."""
        await self.ws.send_bytes(b"".join(messages))

    async def sync(self) -> None:
        """Do as a stock provider does when it opens."""
        await self.send(codec.sync_step1(self.doc.get_state()))
        self.doc.apply_update((await self.expect(codec.SyncStep2)).update)
        asked = await self.expect(codec.SyncStep1)
        await self.answer(asked)

    async def answer(self, asked: codec.SyncStep1) -> None:
        """Send what a state vector lacks."""
        await self.send(codec.sync_step2(self.doc.get_update(asked.state_vector)))

    async def write(self, text: str) -> None:
        """Insert at the front, and send it."""
        await self.send(codec.update(self.insert(0, text)))

    async def receive(self) -> codec.Message | Standing:
        """Return the next message; raise Closed or Denied."""
        frame = await self.ws.receive(ANSWER_S)
        if frame.type is not WSMsgType.BINARY:
            raise Closed(self.ws.close_code or 0, str(frame.extra or ""))
        if frame.data[:2] == b"\x02\x00":
            raise Denied(Reader(frame.data[2:]).var_string())
        if frame.data[:1] == b"\x67":
            return Standing(live=frame.data == b"\x67\x01")
        (message,) = codec.decode(frame.data)
        if isinstance(message, codec.Update | codec.SyncStep2):
            self.doc.apply_update(message.update)
        return message

    async def expect(self, kind: type[M]) -> M:
        """Return the next message, which is of this kind."""
        message = await self.receive()
        if not isinstance(message, kind):
            raise TypeError(f"{message} came instead of a {kind.__name__}")
        return message

    async def reads(self, text: str) -> None:
        """Take in what comes until the text is this."""
        while str(self.text) != text:
            await self.receive()

    async def is_saved(self, number: int) -> None:
        """Wait for the answer to a save request."""
        while await self.receive() != codec.SaveRequest(number):
            pass

    async def last_words(self) -> str:
        """Take in what comes until the close; return the reason in its frame."""
        while True:
            try:
                await self.receive()
            except Closed as closed:
                return closed.reason

    async def farewell(self) -> tuple[int, str]:
        """Take in what comes until the close; return its code, and why, if told."""
        reason = ""
        while True:
            try:
                await self.receive()
            except Denied as denied:
                reason = str(denied)
            except Closed as closed:
                return closed.code, reason


class Closed(Exception):
    """The server closed the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Denied(Exception):
    """The server refused, in the protocol's words."""


def who(request: web.Request) -> Principal:
    """Believe whoever says who they are."""
    name = request.query.get("as", "nobody")
    return Principal(f"u_{name}", name.title())


@asynccontextmanager
async def open_house(
    settings: Settings | None = None, limits: Limits | None = None
) -> AsyncIterator[House]:
    """Open a house; closed again at the end."""
    settings = settings or Settings()
    clock, log = SystemClock(), HeldLog()
    notes = NotesKind(clock, settings.note_update_bytes, settings.note_state_bytes)
    hub = Hub({"notes": notes}, LocalBackplane(), clock, random_id, limits)
    app = web.Application(middlewares=[introduced(who)])
    app[keys.HUB], app[keys.SETTINGS] = hub, settings
    app.add_routes(either.routes())

    async def life(_: web.Application) -> AsyncIterator[None]:
        await hub.start(dict.fromkeys(Keep, log))
        yield
        log.open.set()
        hub.disconnect_all()
        await hub.stop()

    app.cleanup_ctx.append(life)
    async with TestClient(TestServer(app)) as client:
        yield House(hub, log, client)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(ANSWER_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)
