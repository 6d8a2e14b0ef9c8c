"""One event stream: its raw writes, its heartbeat, its end.

The rules of `gateways.base` hold here too, as far as they are about writing: events are
framed once and written to the transport, of which at most HIGH_WATER_BYTES (and one
frame) stand there. What is different, because nobody reads from an event stream:

1. aiohttp writes the head and, when the handler returns, what ends the body.
2. That the peer has gone is seen by a look at the transport each LOOK_S: a quiet stream
   would not notice, and presence must fall.
3. A peer that has vanished with its machine is found by the heartbeat and
   TCP_USER_TIMEOUT.
4. A stream is the last answer on its connection, so that it can be cut when the
   farewell stalls, without cutting off another answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from ..raw import RawWire
from .codec import BEAT, closing_lines, retry_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.abc import AbstractStreamWriter

    from ...errors import Disconnect
    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...settings import Settings
    from .codec import SseCodec

Draw: TypeAlias = "Callable[[int, int], int]"
"""Returns a random whole number, at least the first and at most the second."""

LOOK_S: Final = 1.0
RETRY_MS: Final = (1_000, 3_000)
"""Each has a time of its own, so that those that are cut at once come back spread."""
TEMPORARY_RETRY_MS: Final = (4_000, 8_000)
UNWANTED_RETRY_MS: Final = (30_000, 60_000)
"""An EventSource comes back even where it was told not to."""


class Stream(RawWire):
    """One event stream; the `Wire` of its session."""

    def __init__(
        self,
        request: web.Request,
        writer: AbstractStreamWriter,
        hub: Hub,
        settings: Settings,
        *,
        codec: SseCodec,
        draw: Draw,
    ) -> None:
        super().__init__(request.transport, settings)
        self._protocol = request.protocol
        self._writer = writer
        self._codec = codec
        self._draw = draw
        self._hub = hub
        self._wrote_at = hub.now()
        self._ended = asyncio.Event()

    # The wire

    @property
    def _is_full(self) -> bool:
        return self._protocol.writing_paused

    async def _drain(self) -> None:
        await self._writer.drain()

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        self._wrote_at = self._hub.now()
        super().write(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`. That it is lost, nobody says but the transport."""
        if self._closing or self._transport.is_closing():
            return False
        self._wrote_at = self._hub.now()
        return super().offer(chunk)

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        if self._closing:
            return
        self._closing = True
        self._ended.set()
        loop = asyncio.get_running_loop()
        # A deadline by the loop's own timer: it must hold even while the hub stops.
        loop.call_later(self._settings.close_timeout_s, self._transport.abort)
        if self._is_full:
            # Nothing more fits, so nobody would read the code.
            self._transport.abort()
            return
        lines = closing_lines(disconnect)
        pause_ms = self._pause_ms(disconnect)
        if pause_ms is not None:
            lines = retry_line(pause_ms) + lines
        self.write(self._codec.frame(lines))

    def _pause_ms(self, disconnect: Disconnect) -> int | None:
        """Return how long a reader should wait that is told this; None: as before."""
        if not disconnect.returns:
            return self._draw(*UNWANTED_RETRY_MS)
        return disconnect.return_ms

    # Its life

    def pace(self, retry_ms: tuple[int, int] = RETRY_MS) -> None:
        """Say how long to wait before coming back: a time between these."""
        if self.room():
            self.write(self._codec.frame(retry_line(self._draw(*retry_ms))))

    def watch(self, session: Session) -> None:
        """From now on notice that the peer goes, and let the stream beat."""

        def look() -> None:
            if self._ended.is_set():
                return
            if self._transport.is_closing():
                session.gone()
                self._ended.set()
                return
            quiet_s = self._hub.now() - self._wrote_at
            if quiet_s >= self._settings.ping_interval_s and self.room():
                self.write(self._codec.frame(BEAT))
            self._hub.wheel.call_later(LOOK_S, look)

        self._hub.wheel.call_later(LOOK_S, look)

    async def ended(self) -> None:
        """Wait until it was closed, or its peer has gone."""
        await self._ended.wait()
