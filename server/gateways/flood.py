"""How fast a peer may send: each of its WebSocket frames counts.

Rules (aiohttp 3.14, tried out):
1. Frames are counted where they are parsed: aiohttp joins fragments before we see them,
   and of empty ones (RFC 6455 section 5.4) somebody could send any number that we
   would never see, each for a microsecond of everybody's time.
2. A flood is told to its reader as one more message, behind what came before it. What
   comes after it is dropped unread, but taken from the connection: else the peer would
   stand in its own way to what it is told.
3. What is compressed is inflated here (`inflate`), for aiohttp's own inflater keeps its
   window for ever. A message counts, beside its frames, as if it had come in frames of
   PIECE_BYTES: a hundred bytes may inflate to the largest frame.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import WSMessage, WSMsgType
from aiohttp.http import WebSocketReader

from .inflate import Inflater

if TYPE_CHECKING:
    from aiohttp._websocket.reader import WebSocketDataQueue

FLOOD: Final = WSMessage(WSMsgType.ERROR, None, "too many frames")
"""What a reader finds where its peer sent too many frames."""

# Without super(), which is a fifth of what a frame costs here.
_handle_frame = WebSocketReader._handle_frame  # noqa: SLF001

PIECE_BYTES: Final = 1024
_ANY_NUMBER: Final = 10**12
_MOST_OF_DATA: Final = 0x7


class Allowance:
    """So many pieces a second, and a second's worth of them at once; 0: any number.

    It is filled up when it is empty, by the time that has passed, so that a piece costs
    one subtraction: `left`, and only below zero `refill`.
    """

    __slots__ = ("_filled_at", "_loop", "_per_s", "left")

    def __init__(self, per_s: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._per_s = per_s or _ANY_NUMBER
        self._filled_at = self._loop.time()
        self.left = float(self._per_s)

    def take(self) -> bool:
        """Take one piece; False: it is one too many."""
        self.left -= 1
        return self.left >= 0 or self.refill()

    def refill(self) -> bool:
        """Fill up, and take the piece that was one too many; False: it still is."""
        now = self._loop.time()
        earned = (now - self._filled_at) * self._per_s
        self._filled_at = now
        self.left = min(self.left + earned, self._per_s - 1)
        if self.left < 0:
            self.left += 1
            return False
        return True


class Reader(WebSocketReader):
    """aiohttp's own, which counts frames."""

    __slots__ = ("_allowance", "_inflater", "_is_flooded", "_messages")

    def __init__(
        self,
        messages: WebSocketDataQueue,
        max_msg_size: int,
        allowance: Allowance,
        *,
        compress: bool,
    ) -> None:
        # aiohttp's own limit is what is too much already.
        super().__init__(messages, max_msg_size + 1, compress, decode_text=False)
        self._messages = messages
        self._inflater = Inflater(max_msg_size) if compress else None
        self._allowance = allowance
        self._is_flooded = False

    def feed_data(self, data: bytes | bytearray | memoryview) -> tuple[bool, bytes]:
        """See aiohttp. After a flood only what was parsed in part is looked through."""
        return super().feed_data(b"" if self._is_flooded else data)

    def _handle_frame(
        self,
        fin: bool,  # noqa: FBT001 - aiohttp's own
        opcode: int,
        payload: bytes | bytearray,
        compressed: int,
    ) -> None:
        allowance = self._allowance
        allowance.left -= 1
        if allowance.left < 0 and not self._may_go_on():
            return
        # For a control frame it says what the message around it is.
        if compressed and opcode <= _MOST_OF_DATA and self._inflater is not None:
            message = self._inflater.take(opcode, payload, fin=fin)
            if message is None:
                return
            opcode, payload = message
            fin, compressed = True, 0
            allowance.left -= len(payload) // PIECE_BYTES
        _handle_frame(self, fin, opcode, payload, compressed)

    def _may_go_on(self) -> bool:
        if not self._is_flooded and not self._allowance.refill():
            self._is_flooded = True
            self._messages.feed_data(FLOOD, 0)
        return not self._is_flooded
