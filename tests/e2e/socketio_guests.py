"""Guests of a chat room who speak Socket.IO: the two stock clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import socketio  # type: ignore[import-untyped]

from .room_guests import ANSWER_S, ROOM, Guest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .room_guests import Line
    from .stock import Desk


class SocketIoGuest(Guest):
    """The stock client in Node; with `retries` it insists by itself, as it can."""

    def __init__(
        self,
        name: str,
        line: Line,
        desk: Desk,
        transports: Sequence[str],
        *,
        retries: int = 0,
        cookie: str | None = None,
    ) -> None:
        super().__init__(name, line, cookie)
        self._desk = desk
        self._options = {
            "transports": list(transports),
            "retries": retries,
            "ackTimeout": ANSWER_S * 1_000,
            "reconnectionDelay": 100,
            "reconnectionDelayMax": 300,
        }

    async def join(self, since: str | None = None) -> None:
        """Connect and enter."""
        options = {**self._options, "extraHeaders": self.headers}
        await self._desk.run(
            """
            const [url, room, options] = args;
            Object.assign(here, { seen: [], returns: [] });
            here.socket = io(`${url}/chat`, options);
            here.socket.on("message", ({ position, data }) => {
              here.seen.push([position, data.text]);
            });
            await new Promise((resolve) => here.socket.once("connect", resolve));
            here.socket.on("connect", () => here.returns.push(here.socket.recovered));
            const reply = await here.socket.emitWithAck("join", room);
            if (reply.type !== "reply") throw new Error(JSON.stringify(reply));
            """,
            *(self.url, ROOM, options),
        )

    async def transport(self) -> str:
        """Return what it has come to."""
        found = await self._desk.run("return here.socket.io.engine.transport.name")
        return str(found)

    async def leave(self) -> None:
        """Disconnect for good."""
        await self._desk.run("here.socket.disconnect()")

    async def heard(self) -> list[list[str]]:
        """See `Guest.heard`."""
        found: list[list[str]] = await self._desk.run("return here.seen")
        return found

    async def returns(self) -> list[bool]:
        """Return what `socket.recovered` was, each time."""
        found: list[bool] = await self._desk.run("return here.returns")
        return found

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        said = {"channel": ROOM, "data": {"text": text}, "key": text}
        done: bool = await self._desk.run(
            """
            const [said, insists, withinMs] = args;
            const { socket } = here;
            const saying = insists ? socket : socket.timeout(withinMs);
            const reply = await saying.emitWithAck("message", said).catch(() => null);
            return reply?.type === "reply";
            """,
            *(said, self._options["retries"], ANSWER_S * 1_000),
        )
        return done


class PythonSocketIoGuest(Guest):
    """python-socketio's client: it has no recovery, so it joins by position."""

    async def join(self, since: str | None = None) -> None:
        """Connect and enter."""
        self._seen: list[list[str]] = []
        self._returns: list[bool] = []
        self._joined = asyncio.Event()
        delays = {"reconnection_delay": 0.1, "reconnection_delay_max": 0.3}
        self._client = socketio.AsyncClient(**delays)
        self._client.on("connect", self._enter, namespace="/chat")
        self._client.on("message", self._note, namespace="/chat")
        # A function: from a dictionary it would take the cookie out, and come back
        # as somebody else.
        await self._client.connect(
            self.url, headers=lambda: self.headers, namespaces=["/chat"]
        )
        await self._joined.wait()

    async def _enter(self) -> None:
        ask = {"channel": ROOM}
        if self._seen:
            ask["since"] = self._seen[-1][0]
        await self._client.emit("join", ask, namespace="/chat", callback=self._began)

    async def _began(self, reply: dict[str, Any]) -> None:
        if self._joined.is_set():
            self._returns.append(reply["recovered"])
        for each in reply["publications"]:
            await self._note(each)
        self._joined.set()

    async def _note(self, message: dict[str, Any], place: str = "") -> None:
        self._seen.append([message["position"], message["data"]["text"]])

    async def leave(self) -> None:
        """Disconnect."""
        await self._client.disconnect()

    async def heard(self) -> list[list[str]]:
        """See `Guest.heard`."""
        return self._seen

    async def returns(self) -> list[bool]:
        """See `Guest.returns`."""
        return self._returns

    async def attempt(self, text: str) -> bool:
        """See `Guest.attempt`."""
        said = {"channel": ROOM, "data": {"text": text}, "key": text}
        try:
            reply = await self._client.call(
                "message", said, namespace="/chat", timeout=ANSWER_S
            )
        except socketio.exceptions.SocketIOError:
            return False
        return bool(reply["type"] == "reply")
