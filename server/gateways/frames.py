"""WebSocket frames as bytes (RFC 6455 section 5.2): unmasked and whole.

A frame is built once for all sessions of a codec, and written to each transport.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIN = 0x80
_RSV1 = 0x40
_TEXT = _FIN | 0x1
_BINARY = _FIN | 0x2
_CLOSE = _FIN | 0x8
_PING = _FIN | 0x9
_PONG = _FIN | 0xA
_MASKED = 0x80
_HEAD_BYTES = 6
"""Of a short frame with its mask."""
_SHORT, _MEDIUM = 126, 65_536


def text(payload: bytes) -> bytes:
    """Return a text frame; the payload must be UTF-8."""
    return _frame(_TEXT, payload)


def binary(payload: bytes) -> bytes:
    """Return a binary frame."""
    return _frame(_BINARY, payload)


def ping(payload: bytes = b"") -> bytes:
    """Return a ping; at most 125 bytes of payload (RFC 6455 section 5.5)."""
    return _frame(_PING, payload)


def pong(payload: bytes) -> bytes:
    """Return the pong that answers a ping with this payload (section 5.5.3)."""
    return _frame(_PONG, payload)


def close(code: int, reason: str) -> bytes:
    """Return a close frame (section 5.5.1); at most 123 bytes of reason."""
    return _frame(_CLOSE, code.to_bytes(2, "big") + reason.encode())


def is_close(data: bytes) -> bool:
    """Whether what a client sent is one close frame, and nothing else."""
    if len(data) < _HEAD_BYTES or data[0] != _CLOSE or data[1] < _MASKED:
        return False
    return len(data) == _HEAD_BYTES + data[1] - _MASKED


def compressed(head: int, payload: bytes) -> bytes:
    """Return a data frame with the first byte of a plain one, its payload compressed.

    RSV1 says that it is (RFC 7692 section 6).
    """
    return _frame(head | _RSV1, payload)


def plain(head: int, payload: bytes) -> bytes:
    """Return a frame with the first byte of one that was cut."""
    return _frame(head, payload)


def cut(chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the first byte and the payload of each frame of our own."""
    at = 0
    while at < len(chunk):
        length, start = chunk[at + 1], at + 2
        if length >= _SHORT:
            start = at + (4 if length == _SHORT else 10)
            length = int.from_bytes(chunk[at + 2 : start], "big")
        yield chunk[at], chunk[start : start + length]
        at = start + length


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        return bytes((first, length)) + payload
    if length < _MEDIUM:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload
