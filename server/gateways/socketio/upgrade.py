"""The upgrade: a WebSocket that a polling session asks for, tries out, and takes.

`2probe` is answered `3probe`; from then on no GET waits, so that the client can pause
its polling; `5` makes the switch (section Upgrade of the specification). Until then the
session goes on by long-polling, and does not mind what becomes of the WebSocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...errors import CLOSED, INVALID
from . import engine
from .polling import Polling

if TYPE_CHECKING:
    from ...errors import Disconnect
    from ..base import Socket
    from .connection import Connection

UPGRADE_TIMEOUT_S: Final = 10.0
"""Engine.IO's own: how long a WebSocket may be tried out."""

_PROBE: Final = b"2probe"
_SWITCH: Final = b"5"


class Upgrade:
    """The receiver of such a WebSocket; after the switch, of the session's own."""

    def __init__(self, connection: Connection, socket: Socket) -> None:
        self.session = connection.session
        self._connection = connection
        self._socket = socket
        self._probed = False
        self._refused = False

    def serve(self) -> None:
        """Read it to the end. One too many, or too late, is closed at once."""
        connection = self._connection
        if connection.over or connection.probe is not None or self._way is None:
            self._refuse()
        else:
            connection.probe = self._socket
            connection.hub.wheel.call_later(UPGRADE_TIMEOUT_S, self._give_up)
        self._socket.serve(self, pings=False)

    async def on_open(self) -> None:
        """Wait: the client speaks first."""

    async def on_text(self, frame: bytes) -> None:
        """Take one step of the upgrade, or a packet after the switch."""
        if self._connection.way is self._socket:
            await self._connection.on_text(frame)
        elif self._refused:
            return
        elif frame == _PROBE and not self._probed:
            self._probe()
        elif frame == _SWITCH and self._probed:
            self._connection.use(self._socket)
        else:
            self._refuse()

    async def on_binary(self, frame: bytes) -> None:
        """Take a message after the switch; before it, there can be none."""
        if self._connection.way is self._socket:
            await self._connection.on_binary(frame)
        else:
            self._refuse()

    def on_gone(self) -> None:
        """Let the polling go on, or end the session with it after the switch."""
        self._stop()
        if self._connection.way is self._socket:
            self._connection.gone()

    @property
    def _way(self) -> Polling | None:
        way = self._connection.way
        return way if isinstance(way, Polling) else None

    def _probe(self) -> None:
        self._probed = True
        self._socket.write(engine.PROBED)
        if self._way is not None:
            self._way.upgrading(now=True)

    def _refuse(self, disconnect: Disconnect = INVALID) -> None:
        self._stop()
        self._refused = True
        self._socket.close(disconnect)

    def _stop(self) -> None:
        """Let the polling go on as before, if this was what it was to give way to."""
        if self._connection.probe is self._socket:
            self._connection.probe = None
            if self._way is not None:
                self._way.upgrading(now=False)

    def _give_up(self) -> None:
        if self._connection.probe is self._socket:
            self._refuse(CLOSED)
