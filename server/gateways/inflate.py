"""What a client has compressed by permessage-deflate (RFC 7692), inflated by itself.

Rules:
1. It is not inflated to more than a message may have, so a bomb is never in memory.
2. Between two messages nothing is kept: the window of an inflater takes up to 40 KiB,
   which would double what a connection costs that only listens.
"""

from __future__ import annotations

import zlib
from typing import Final

from aiohttp import WebSocketError, WSCloseCode, WSMsgType

from .deflate import TAIL, WHOLE_BITS

_MOST_STREAMS: Final = 16
"""So many may be in a message; stock clients send one."""

_CONTINUATION: Final = WSMsgType.CONTINUATION.value


class Inflater:
    """Puts the frames of compressed messages together, and inflates each message.

    `most_bytes` holds for a message as it comes, and for what it inflates to.
    """

    __slots__ = ("_begun", "_most_bytes", "_opcode")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._opcode = 0
        self._begun: bytearray | None = None

    def take(
        self, opcode: int, payload: bytes | bytearray, *, fin: bool
    ) -> tuple[int, bytes] | None:
        """Take a frame; return the opcode and the message, None if more is to come.

        Raises WebSocketError where it is none that may follow (1002, RFC 6455 section
        5.4), and what `inflate` raises.
        """
        begun = self._begun
        if (opcode == _CONTINUATION) is (begun is None):
            raise WebSocketError(WSCloseCode.PROTOCOL_ERROR, "fragments are mixed up")
        if begun is None:
            if fin:
                return opcode, inflate(payload, self._most_bytes)
            self._opcode, self._begun = opcode, bytearray(payload)
            return None
        if len(begun) + len(payload) > self._most_bytes:
            raise WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "has too much")
        begun += payload
        if not fin:
            return None
        self._begun = None
        return self._opcode, inflate(begun, self._most_bytes)


def inflate(payload: bytes | bytearray, most_bytes: int) -> bytes:
    """Return the message (section 7.2.2).

    A block that ends its stream may be followed by another stream (section 7.2.3.4).
    Raises WebSocketError for what would be too long (1009), and for what is no deflate
    (1007).
    """
    found: list[bytes] = []
    rest, room = bytes(payload) + TAIL, most_bytes + 1
    for _ in range(_MOST_STREAMS):
        engine = zlib.decompressobj(-WHOLE_BITS)
        try:
            found.append(engine.decompress(rest, room))
        except zlib.error:
            break
        room -= len(found[-1])
        if room <= 0:
            raise WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, "inflates to too much")
        if not engine.eof:
            return b"".join(found)
        rest = engine.unused_data
    raise WebSocketError(WSCloseCode.INVALID_TEXT, "cannot be inflated")
