"""WebSocket frames as bytes (RFC 6455 section 5.2): unmasked, whole, uncompressed.

A frame is built once for all sessions of a codec, and written to each transport.
"""

from __future__ import annotations

_FIN = 0x80
_TEXT = _FIN | 0x1
_BINARY = _FIN | 0x2
_CLOSE = _FIN | 0x8
_PING = _FIN | 0x9
_PONG = _FIN | 0xA
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


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < _SHORT:
        return bytes((first, length)) + payload
    if length < _MEDIUM:
        return bytes((first, 126)) + length.to_bytes(2, "big") + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload
