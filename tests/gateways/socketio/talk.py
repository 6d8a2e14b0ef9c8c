"""A Socket.IO server on a hub, and clients at the wire's level."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web

from server import keys
from server.backplanes.local import LocalBackplane
from server.gateways.socketio.namespace import Namespace
from server.gateways.socketio.routes import routes
from server.hub.hub import Hub
from server.kinds.chat.kind import ChatKind
from server.kinds.notes.kind import NotesKind
from server.kinds.open import OpenKind
from server.model import Action, Principal
from server.seams.kind import Kind, Policy
from server.settings import Settings
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.gateways.hosting import counted_log, give_hub, introduced, limits_of

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from server.model import JSON
    from tests.hub.logs import FaultyLog

    Client: TypeAlias = TestClient[web.Request, web.Application]

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
SETTINGS = Settings(close_timeout_s=0.5)
SECRET = b"a secret of the tests"


class GuardedKind(OpenKind):
    """An open kind that some may not enter; the test says who, and when."""

    barred: frozenset[str] = frozenset()

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Refuse the barred, as the kind refuses strangers of a lab channel."""
        if who.id in self.barred:
            channel = "guarded:lab-somebody"
        await super().authorize(who, channel, action)


class Closed(Exception):
    """The server closed the WebSocket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Talker:
    """One client on a WebSocket; it answers pings."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self.pings = 0

    async def say(self, packet: str | bytes) -> None:
        """Send a packet's text, even if it is no text; or an attachment."""
        if isinstance(packet, str):
            packet = packet.encode()
        await self.ws.send_frame(b"4" + packet, WSMsgType.TEXT)

    async def attach(self, attachment: bytes) -> None:
        """Send an attachment."""
        await self.ws.send_bytes(attachment)

    async def hear(self) -> str | bytes:
        """Return the next packet, without Engine.IO's type; raise `Closed`."""
        while True:
            message = await self.ws.receive(timeout=5)
            if message.type is WSMsgType.BINARY:
                attachment: bytes = message.data
                return attachment
            if message.type is not WSMsgType.TEXT:
                raise Closed(self.ws.close_code or 0, str(message.extra or ""))
            if message.data == "2":
                self.pings += 1
                await self.ws.send_str("3")
                continue
            assert message.data[0] == "4", message.data
            packet: str = message.data[1:]
            return packet

    async def hear_text(self) -> str:
        """Return the next packet, which has a text."""
        packet = await self.hear()
        assert isinstance(packet, str)
        return packet

    async def end(self) -> Closed:
        """Read to the end."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed

    async def rest(self) -> list[str | bytes]:
        """Return all that comes before the end."""
        heard = []
        try:
            while True:
                heard.append(await self.hear())
        except Closed:
            return heard

    # As JSON

    async def connect(
        self, namespace: str = "/", auth: dict[str, JSON] | None = None
    ) -> dict[str, str]:
        """Connect to a namespace; return what it is answered."""
        words = "" if auth is None else json.dumps(auth)
        await self.say(f"0{_prefix(namespace)}{words}")
        packet = await self.hear_text()
        head = f"0{_prefix(namespace)}"
        assert packet.startswith(head), packet
        answered: dict[str, str] = json.loads(packet.removeprefix(head))
        return answered

    async def emit(
        self, *arguments: JSON, namespace: str = "/", ack: int | None = None
    ) -> None:
        """Emit an event, its name first."""
        number = "" if ack is None else str(ack)
        text = json.dumps(arguments)
        await self.say(f"2{_prefix(namespace)}{number}{text}")

    async def event(self, namespace: str = "/") -> list[JSON]:
        """Return the next packet's arguments: it is an event of this namespace."""
        packet = await self.hear_text()
        head = f"2{_prefix(namespace)}"
        assert packet.startswith(head), packet
        arguments: list[JSON] = json.loads(packet.removeprefix(head))
        return arguments

    async def ack(self, number: int, namespace: str = "/") -> list[JSON]:
        """Return the next packet's arguments: it is this acknowledgement."""
        packet = await self.hear_text()
        head = f"3{_prefix(namespace)}{number}"
        assert packet.startswith(head), packet
        arguments: list[JSON] = json.loads(packet.removeprefix(head))
        return arguments

    async def join(
        self, room: JSON, namespace: str = "/", ack: int = 0
    ) -> tuple[dict[str, JSON], str]:
        """Join a room of a namespace with recovery; return the reply and the place."""
        await self.emit("join", room, namespace=namespace, ack=ack)
        assert await self.event(namespace) == ["recovery", "?"]
        (reply,) = await self.ack(ack, namespace)
        name, place = await self.event(namespace)
        assert name == "recovery"
        assert isinstance(reply, dict)
        assert isinstance(place, str)
        return reply, place

    async def cut(self) -> None:
        """Go without a word."""
        transport = self.ws._writer.transport  # noqa: SLF001 - aiohttp has no other way
        assert transport is not None
        transport.abort()
        await self.ws.close()


def _prefix(namespace: str) -> str:
    return "" if namespace == "/" else f"{namespace},"


def packets_of(frames: bytes) -> list[str | bytes]:
    """Cut the server's frames: texts without Engine.IO's type, and attachments."""
    found: list[str | bytes] = []
    while frames:
        length, start = frames[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(frames[2:start], "big")
        payload = frames[start : start + length]
        if frames[0] == 0x81:
            assert payload[:1] == b"4"
            found.append(payload[1:].decode())
        else:
            found.append(payload)
        frames = frames[start + length :]
    return found


@dataclass
class Talk:
    """The server, and the ways to speak to it."""

    client: Client
    hub: Hub
    log: FaultyLog
    guarded: GuardedKind
    clock: ManualClock
    talkers: list[Talker] = field(default_factory=list)

    async def talker(self, user: str | None = None) -> Talker:
        """Open a WebSocket, as this user or as nobody in particular."""
        headers = {} if user is None else {"Cookie": f"user={user}"}
        ws = await self.client.ws_connect(WEBSOCKET, headers=headers)
        opened = await ws.receive_str(timeout=5)
        assert opened[0] == "0"
        self.talkers.append(Talker(ws))
        return self.talkers[-1]

    async def connected(
        self, namespace: str = "/", user: str | None = None
    ) -> tuple[Talker, dict[str, str]]:
        """Open a WebSocket and connect; return what it was answered, too."""
        talker = await self.talker(user)
        return talker, await talker.connect(namespace)

    async def back(
        self,
        known: dict[str, str],
        offset: str | None = None,
        namespace: str = "/",
        user: str | None = None,
    ) -> tuple[Talker, dict[str, str]]:
        """Come back as the stock client does, with what it kept."""
        auth: dict[str, JSON] = {"pid": known["pid"]}
        if offset is not None:
            auth["offset"] = offset
        talker = await self.talker(user)
        return talker, await talker.connect(namespace, auth)


OpenTalk: TypeAlias = Callable[..., Awaitable[Talk]]


@pytest.fixture
async def open_talk(aiohttp_client: AiohttpClient) -> AsyncIterator[OpenTalk]:
    """Makes a server; its clock stands, its ids and epochs count up."""
    talks: list[Talk] = []

    async def make(
        namespaces: Iterable[Namespace] = (),
        settings: Settings = SETTINGS,
        history_size: int = 1_000,
    ) -> Talk:
        clock, guarded = ManualClock(), GuardedKind(ManualClock())
        log = counted_log(clock, Bounds(history_size, 300.0))
        kinds: dict[str, Kind] = {
            "open": OpenKind(clock, Policy(recent=2)),
            "custom": OpenKind(clock),
            "game": OpenKind(clock),
            "guarded": guarded,
            "chat": ChatKind(clock),
            "notes": NotesKind(clock),
            **{f"k{number}": OpenKind(clock) for number in range(20)},
        }
        ids, guests = itertools.count(1), itertools.count(1)
        hub = Hub(
            kinds,
            LocalBackplane(),
            clock,
            lambda kind: f"{kind}id{next(ids)}",
            limits_of(settings),
        )

        def who(request: web.Request) -> Principal:
            user = request.cookies.get("user") or f"g_{next(guests)}"
            return Principal(user, user.upper())

        app = web.Application(middlewares=[introduced(who)])
        app[keys.SECRET] = SECRET
        app.add_routes(routes(hub, namespaces))
        give_hub(app, hub, settings, log)
        talk = Talk(await aiohttp_client(app), hub, log, guarded, clock)
        talks.append(talk)
        return talk

    yield make
    for talk in talks:
        talk.log.let_go()
        async with asyncio.timeout(10):
            for talker in talk.talkers:
                await talker.ws.close()


@pytest.fixture
async def talk(open_talk: OpenTalk) -> Talk:
    """A server without handlers of its own."""
    return await open_talk()
