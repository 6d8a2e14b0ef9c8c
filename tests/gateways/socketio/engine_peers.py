"""An Engine.IO server that says everything back, and clients at the wire's level."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import ClientTimeout, web

from server import keys
from server.backplanes.local import LocalBackplane
from server.gateways import frames
from server.gateways.socketio.connection import Connection
from server.gateways.socketio.front import Front
from server.hub.hub import Hub
from server.kinds.open import OpenKind
from server.model import Outbound, Principal
from server.settings import Settings
from tests.clocks import ManualClock
from tests.gateways.hosting import counted_log, give_hub, introduced, limits_of
from tests.gateways.peers import CLOSE, TEXT, RawPeer
from tests.gateways.tcp import Tcp
from tests.looptime import until

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    from server.errors import Disconnect

    Client: TypeAlias = TestClient[web.Request, web.Application]

POLL = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
PATIENCE = ClientTimeout(total=None)
STUCK_BYTES = 16 * 1024**2
"""An answer that no buffer between the server and its client holds."""


class Silent:
    """A codec for sessions that the hub tells nothing."""

    name = "echo"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Show nothing."""
        del outbound
        return None


SILENT = Silent()


class EchoPeer:
    """Says back what it hears, and keeps it; with `gate` cleared it waits first."""

    def __init__(self, hub: Hub, who: Principal, connection: Connection) -> None:
        self.connection = connection
        self.session = hub.open_session(who, "echo", SILENT, connection)
        self.heard: list[bytes] = []
        self.reasons: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0
        self.goodbye = b""
        self.fault: Exception | None = None
        self.opened = 0

    async def on_open(self) -> None:
        """Count it."""
        self.opened += 1

    async def on_text(self, payload: bytes) -> None:
        """Say it back, in a text frame."""
        await self._hear(payload)
        self.say(payload)

    async def on_binary(self, payload: bytes) -> None:
        """Say it back, in a binary frame."""
        await self._hear(payload)
        self.session.push(frames.binary(payload), None)

    def farewell(self, disconnect: Disconnect) -> bytes:
        """Say what the test wants."""
        del disconnect
        return self.goodbye

    def lost(self, reason: str) -> None:
        """Keep why."""
        self.reasons.append(reason)

    def say(self, payload: bytes) -> None:
        """Send a text message."""
        self.session.push(frames.text(b"4" + payload), None)

    async def _hear(self, payload: bytes) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        self.heard.append(payload)
        self.at_once -= 1


@dataclass
class EchoHouse:
    """The server, and what its tests look at."""

    hub: Hub
    settings: Settings
    front: Front
    app: web.Application
    peers: list[EchoPeer] = field(default_factory=list)
    sockets: list[EngineSocket | RawHttp] = field(default_factory=list)
    client: Client = field(init=False)

    @property
    def peer(self) -> EchoPeer:
        """The newest one."""
        return self.peers[-1]

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.client.port is not None
        return self.client.port

    async def handshake(self) -> str:
        """Open a session by long-polling; return its id."""
        async with self.client.get(POLL) as answer:
            assert answer.status == 200
            text = await answer.text()
        sid: str = json.loads(text[1:])["sid"]
        return sid

    async def begin_poll(self, sid: str) -> asyncio.Task[tuple[int, str]]:
        """Begin to wait, and return when the server knows it."""
        task = asyncio.create_task(self.poll(sid))
        await until(lambda: self.peer.connection.room() > 0, 100_000)
        return task

    async def poll(self, sid: str) -> tuple[int, str]:
        """Wait for what there is to be told."""
        path = f"{POLL}&sid={sid}"
        async with self.client.get(path, timeout=PATIENCE) as answer:
            return answer.status, await answer.text()

    async def post(self, sid: str, body: str | bytes) -> tuple[int, str]:
        """Bring a payload."""
        headers = {"Content-Type": "text/plain;charset=UTF-8"}
        path, raw = (
            f"{POLL}&sid={sid}",
            body.encode() if isinstance(body, str) else body,
        )
        async with self.client.post(path, data=raw, headers=headers) as answer:
            return answer.status, await answer.text()

    async def socket(self, sid: str | None = None) -> EngineSocket:
        """Open a WebSocket, for a session or for one of its own."""
        path = WEBSOCKET if sid is None else f"{WEBSOCKET}&sid={sid}"
        raw = await RawPeer.connect(self.port, path)
        # What is said must not wait for the acknowledgement of what was said before.
        sock = raw._sock  # noqa: SLF001 - nobody else has to see it
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        found = EngineSocket(raw)
        self.sockets.append(found)
        return found

    async def http(self, receive_bytes: int | None = None) -> RawHttp:
        """Connect at the level of TCP."""
        http = await RawHttp.dial(self.port, receive_bytes)
        self.sockets.append(http)
        return http

    async def begin_raw_poll(
        self, sid: str, receive_bytes: int | None = None
    ) -> RawHttp:
        """Begin to wait at the level of TCP, and return when the server knows it."""
        http = await self.http(receive_bytes)
        await http.get(sid)
        await until(lambda: self.peer.connection.room() > 0, 100_000)
        return http

    async def stuck_poll(self, sid: str) -> RawHttp:
        """Begin to be told `STUCK_BYTES`, and do not read them."""
        stuck = await self.begin_raw_poll(sid, receive_bytes=4096)
        self.peer.say(b"x" * STUCK_BYTES)
        await until(lambda: self.hub.stats.writes, 100_000)
        return stuck

    async def opened_socket(self) -> EngineSocket:
        """Open a WebSocket of its own, and take its open packet."""
        socket = await self.socket()
        socket.open_packet = json.loads((await socket.hear())[1:])
        return socket

    async def probing(self, sid: str) -> EngineSocket:
        """Open a WebSocket for a polling session, which may now be switched to it."""
        socket = await self.socket(sid)
        await socket.probe()
        return socket

    async def upgrade(self, sid: str) -> EngineSocket:
        """Take a polling session to a WebSocket."""
        socket = await self.probing(sid)
        await socket.say("5")
        return socket


class EngineSocket:
    """A WebSocket, packet by packet; it drops its connection by `close`."""

    def __init__(self, peer: RawPeer) -> None:
        self.raw = peer
        self.open_packet: dict[str, object] = {}

    async def say(self, packet: str | bytes) -> None:
        """Send a text frame, even if it is no text."""
        raw = packet.encode() if isinstance(packet, str) else packet
        await self.raw.send(TEXT, raw)

    async def hear(self) -> str:
        """Return the next text frame."""
        opcode, payload = await self.raw.receive()
        assert opcode == TEXT, (opcode, payload)
        return payload.decode()

    async def probe(self) -> None:
        """Try whether it works."""
        await self.say("2probe")
        assert await self.hear() == "3probe"

    async def end(self) -> int:
        """Read to the end, and answer its close; return the code, 0 for none."""
        code = 0
        try:
            while True:
                opcode, payload = await self.raw.receive()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
                    await self.raw.send(CLOSE, payload[:2])
        except OSError:
            return code

    def close(self) -> None:
        """Go without a word."""
        self.raw.close()


class RawHttp(Tcp):
    """An HTTP client that sends what it is given, piece by piece."""

    async def post(self, sid: str, length: int, body: bytes) -> None:
        """Begin a POST that announces `length` bytes and has sent `body` so far."""
        head = f"POST {POLL}&sid={sid} HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        await self.pour(head.encode() + body)

    async def get(self, sid: str) -> None:
        """Begin to wait for what there is to be told."""
        head = f"GET {POLL}&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        await self.pour(head.encode())

    async def status(self) -> int:
        """Return the status of an answer; 0 where the connection ends without one."""
        try:
            while b"\r\n" not in self._read:
                await self._more()
        except ConnectionError:
            return 0
        return int(self._read.split(b" ", 2)[1])

    async def rest(self) -> int:
        """Read to the end of the connection; return how many bytes came in all."""
        try:
            while True:
                await self._more()
        except ConnectionError:
            return len(self._read)


def echo_house(settings: Settings | None = None, *, is_alone: bool = True) -> EchoHouse:
    """Make the server; a test's `aiohttp_client` starts it."""
    settings = settings or Settings()
    clock, ids = ManualClock(), itertools.count(1)
    backplane = LocalBackplane()
    backplane.alone = is_alone
    hub = Hub(
        {"open": OpenKind(clock)},
        backplane,
        clock,
        lambda prefix: f"{prefix}{next(ids):016}",
        limits_of(settings),
    )

    def open_peer(request: web.Request, connection: Connection) -> EchoPeer:
        house.peers.append(EchoPeer(hub, request[keys.PRINCIPAL], connection))
        return house.peer

    def who(_: web.Request) -> Principal:
        return Principal(f"g_{next(ids)}", "Ada")

    app = web.Application(middlewares=[introduced(who)])
    front = Front(open_peer)
    for path in ("/socket.io", "/socket.io/"):
        app.router.add_route("*", path, front.answer)
    give_hub(app, hub, settings, counted_log(clock))
    house = EchoHouse(hub, settings, front, app)
    return house
