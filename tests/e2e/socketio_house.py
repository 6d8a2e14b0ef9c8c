"""A host application with a Socket.IO namespace of its own, and stock clients in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from server import Principal, Settings, add_hubbub

from .stock import desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from server.gateways.socketio.namespace import Namespace
    from server.hub.hub import Hub

    from .stock import Desk

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
"""Polling only, WebSocket only, and from one to the other, as is the default."""

QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}

CONNECT = """
const [name, url, options] = args;
const socket = here[name] = io(url, options);
const heard = here[`${name}Heard`] = [];
const life = here[`${name}Life`] = [];
socket.onAny((event, payload) => heard.push([event, payload]));
socket.on("connect", () => life.push(["connect", socket.recovered]));
socket.on("connect_error", (e) => life.push(["refused", e.message, e.data ?? null]));
socket.on("disconnect", (reason) => life.push(["disconnect", reason]));
await until(() => life.length);
"""


@dataclass
class Client:
    """One stock client, `here.NAME` in its desk; what it heard, its ups and downs."""

    desk: Desk
    name: str

    async def run(self, code: str, *args: object) -> Any:  # noqa: ANN401 - whatever JSON
        """Run a piece of JavaScript in which `socket` is this client."""
        return await self.desk.run(f"const socket = here.{self.name};\n{code}", *args)

    async def ask(self, event: str, *args: object) -> Any:  # noqa: ANN401 - an answer
        """Emit, and return the acknowledgement."""
        code = "return await socket.timeout(9000).emitWithAck(...args)"
        return await self.run(code, event, *args)

    async def cut(self, meanwhile_s: float = 0.0) -> None:
        """Lose the connection without a word, as the stock client's tests do."""
        delay_ms = meanwhile_s * 1_000 or QUICK["reconnectionDelay"]
        await self.run(
            """
            socket.io.reconnectionDelay(args[0]);
            socket.io.reconnectionDelayMax(args[0] * 2);
            socket.io.engine.close();
            await until(() => !socket.connected);
            """,
            delay_ms,
        )

    async def has_returned(self) -> bool:
        """Wait until it is connected again; return whether it is recovered."""
        code = "await until(() => socket.connected); return socket.recovered;"
        return bool(await self.run(code))

    async def heard(self, event: str, count: int) -> list[Any]:
        """Wait for so many events of a name, and return their payloads."""
        found: list[Any] = await self.desk.run(
            f"""
            const [name, count] = args;
            const found = () => here.{self.name}Heard.filter(([each]) => each === name);
            await until(() => found().length >= count);
            return found().map(([, payload]) => payload);
            """,
            *(event, count),
        )
        return found

    async def life(self, count: int) -> list[list[Any]]:
        """Wait for so many ups and downs, and return them all."""
        code = f"""
            const life = here.{self.name}Life;
            await until(() => life.length >= args[0]);
            return life;
        """
        found: list[list[Any]] = await self.desk.run(code, count)
        return found

    async def transport(self) -> str:
        """Return the transport that it has settled on."""
        return str(
            await self.run("""
                const { engine } = socket.io;
                await until(() => !engine.upgrading);
                return engine.transport.name;
            """)
        )


@dataclass
class House:
    """The application, its hub, and a desk for clients."""

    url: str
    hub: Hub
    desk: Desk

    async def client(
        self, name: str = "ada", namespace: str = "/", **options: object
    ) -> Client:
        """Connect somebody, who is who the query says; wait until that is decided."""
        client = Client(self.desk, name)
        given = {"path": "/live/socket.io/", "query": {"user": name}, **QUICK}
        # The first character of a namespace is the slash that the address needs.
        await self.desk.run(CONNECT, name, self.url + namespace, given | options)
        return client


async def identify(request: web.Request) -> Principal | None:
    """Believe the query."""
    name = request.query.get("user", "nobody")
    return Principal(f"u_{name}", name)


@asynccontextmanager
async def raise_house(
    namespaces: Sequence[Namespace] = (), settings: Settings | None = None
) -> AsyncIterator[House]:
    """Start the application and the desk."""
    app = web.Application()
    hub = add_hubbub(
        app, identify=identify, settings=settings, namespaces=list(namespaces)
    )
    async with TestServer(app) as server, desk() as node:
        yield House(str(server.make_url("")).rstrip("/"), hub, node)
