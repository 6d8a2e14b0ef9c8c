"""One event stream: its beat, its end.

The rules of `gateways.raw` hold here too: events are framed once and written to the
transport, of which at most HIGH_WATER_BYTES (and one frame) stand there. What is
different, because nobody speaks on an event stream:

1. What its peer sends is passed over; who sends much is cut off.
2. A peer that has vanished with its machine is found by the heartbeat and
   TCP_USER_TIMEOUT.
3. A stream is the last answer on its connection, so that it can be closed behind the
   farewell, and cut when that stalls.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

from ... import observability
from ...errors import SERVER_ERROR, SLOW
from ..raw import RawWire
from .codec import BEAT, closing_lines, retry_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from ...errors import Disconnect
    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...settings import Settings
    from .codec import SseCodec

logger = logging.getLogger("hubbub.sse")

Draw: TypeAlias = "Callable[[int, int], int]"
"""Returns a random whole number, at least the first and at most the second."""

LOOK_S: Final = 1.0
MOST_SENT_BYTES: Final = 64 * 1024
"""So much of what nobody asked for is passed over."""
RETRY_MS: Final = (1_000, 3_000)
"""Each has a time of its own, so that those that are cut at once come back spread."""
TEMPORARY_RETRY_MS: Final = (4_000, 8_000)
UNWANTED_RETRY_MS: Final = (30_000, 60_000)
"""An EventSource comes back even where it was told not to."""


class Stream(RawWire):
    """One event stream; the `Wire` of its session."""

    __slots__ = (
        "_codec",
        "_draw",
        "_joining",
        "_sent_bytes",
        "_session",
        "_wrote_at",
    )

    def __init__(
        self,
        request: web.Request,
        hub: Hub,
        settings: Settings,
        *,
        codec: SseCodec,
        draw: Draw,
    ) -> None:
        super().__init__(request, hub, settings)
        self._codec = codec
        self._draw = draw
        self._wrote_at = hub.now()
        self._sent_bytes = 0
        self._session: Session | None = None
        self._joining: asyncio.Task[None] | None = None

    # The wire

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        self._wrote_at = self._hub.now()
        super().write(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        self._wrote_at = self._hub.now()
        return super().offer(chunk)

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        if self._closing:
            return
        self._let_go()
        # Whoever stops the server waits until it has left.
        self._hub.farewells.begin(self)
        lines = closing_lines(disconnect)
        pause_ms = self._pause_ms(disconnect)
        if pause_ms is not None:
            lines = retry_line(pause_ms) + lines
        self.write(self._codec.frame(lines) + self._codec.end)
        self._transport.close()
        loop = asyncio.get_running_loop()
        # A deadline by the loop's own timer: it must hold even while the hub stops.
        loop.call_later(self._settings.close_timeout_s, self._transport.abort)

    def _pause_ms(self, disconnect: Disconnect) -> int | None:
        """Return how long a reader should wait that is told this; None: as before."""
        if not disconnect.returns:
            return self._draw(*UNWANTED_RETRY_MS)
        return disconnect.return_ms

    # Its life

    def serve(self, session: Session, join: Callable[[], Awaitable[None]]) -> None:
        """Be there until it is closed or its peer has gone; begin with `join`.

        Returns at once; nothing may be awaited after it (`takeover`).
        """
        self._session = session
        self.take_over()
        self.pace()
        self._hub.wheel.remind(self._settings.ping_interval_s, self._beat)
        self._joining = self._hub.tasks.spawn(self._join(session, join), "stream")

    async def _join(
        self, session: Session, join: Callable[[], Awaitable[None]]
    ) -> None:
        observability.session_id.set(session.id)
        try:
            await join()
        except Exception:
            logger.exception("a stream cannot begin")
            session.close(SERVER_ERROR)
        finally:
            self._joining = None

    def pace(self, retry_ms: tuple[int, int] = RETRY_MS) -> None:
        """Say how long to wait before coming back: a time between these."""
        if self.room():
            self.write(self._codec.frame(retry_line(self._draw(*retry_ms))))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._sent_bytes += len(data)
        if self._sent_bytes > MOST_SENT_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._hub.farewells.told(self)
        session, self._session = self._session, None
        if session is not None:
            session.gone()
        if self._joining is not None:
            self._joining.cancel()

    def _beat(self) -> None:
        """Show that it is alive, where nothing was told for a while."""
        if self._closing or self._session is None:
            return
        now = self._hub.now()
        if self.is_stuck(now):
            self._session.close(SLOW)
            return
        interval_s = self._settings.ping_interval_s
        quiet_s = now - self._wrote_at
        if quiet_s >= interval_s:
            quiet_s = 0.0
            if self.room():
                self.write(self._codec.frame(BEAT))
        self._hub.wheel.remind(max(1.0, interval_s - quiet_s), self._beat)
