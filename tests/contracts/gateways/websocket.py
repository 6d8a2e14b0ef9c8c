"""A WebSocket as a client that knows the protocol and nothing else has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateways.peers import BINARY, CLOSE, PING, PONG, TEXT, RawPeer

if TYPE_CHECKING:
    from tests.contracts.gateways.driver import Driver


class Closed(Exception):
    """The connection has ended, with this code; 0 where none came."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class WebSocket:
    """One connection. It answers pings, but for an owner who is mute, and closes."""

    def __init__(self, owner: Driver) -> None:
        self._owner = owner
        self._peer: RawPeer | None = None
        self._code = 0

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not cut."""
        return self._peer is not None

    async def open(self, path: str) -> None:
        """Connect."""
        self._code = 0
        self._peer = await RawPeer.connect(
            self._owner.port, path, self._owner.receive_bytes
        )

    async def send_text(self, text: bytes) -> None:
        """Send a text frame; raises `Closed`."""
        await self._send(TEXT, text)

    async def send_binary(self, payload: bytes) -> None:
        """Send a binary frame; raises `Closed`."""
        await self._send(BINARY, payload)

    async def receive(self) -> bytes:
        """Return the payload of the next frame that says something."""
        if self._peer is None:
            raise Closed(0)
        while True:
            try:
                opcode, payload = await self._peer.receive()
                if opcode in (TEXT, BINARY):
                    return payload
                if opcode == PING and not self._owner.mute:
                    await self._peer.send(PONG, payload)
                elif opcode == CLOSE:
                    self._code = int.from_bytes(payload[:2], "big")
                    await self._peer.send(CLOSE, payload[:2])
            except OSError:
                raise Closed(self._code) from None

    def cut(self) -> None:
        """Drop it without a word."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    async def _send(self, opcode: int, payload: bytes) -> None:
        if self._peer is None:
            raise Closed(0)
        try:
            await self._peer.send(opcode, payload)
        except OSError:
            raise Closed(self._code) from None
