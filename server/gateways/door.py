"""JSON from outside: poison is refused here, before anybody else sees it.

Refused are: what is no JSON (NaN and Infinity are none), what is not UTF-8, lone
surrogates, U+0000 (PostgreSQL cannot keep it), nesting deeper than 32, and integers
that do not fit into 64 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import BAD_REQUEST, Refusal

if TYPE_CHECKING:
    from ..model import JSON

MAX_DEPTH = 32
_INT64 = 2**63
_OPENING = b"[{"
_CLOSING = b"]}"
_QUOTE, _BACKSLASH = b'"\\'

_decoder = msgspec.json.Decoder()


def decode_json(frame: bytes) -> JSON:
    """Return the value; raise `Refusal` (bad request) with the reason."""
    # Depth is checked before decoding: the decoder itself recurses.
    if frame.count(b"[") + frame.count(b"{") > MAX_DEPTH and _depth(frame) > MAX_DEPTH:
        raise Refusal(BAD_REQUEST.because(f"nested deeper than {MAX_DEPTH}"))
    try:
        found: JSON = _decoder.decode(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refusal(BAD_REQUEST.because("not JSON")) from None
    if b"\\u" in frame or len(frame) >= len("9223372036854775808"):
        _check(found)
    return found


def check_text(text: str) -> str:
    """Return a text that may be kept and sent; raise `Refusal` otherwise."""
    if "\0" in text:
        raise Refusal(BAD_REQUEST.because("U+0000 in text"))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(BAD_REQUEST.because("lone surrogate in text")) from None
    return text


def _depth(frame: bytes) -> int:
    deepest = depth = 0
    in_string = escaped = False
    for byte in frame:
        if in_string:
            if escaped:
                escaped = False
            elif byte == _BACKSLASH:
                escaped = True
            elif byte == _QUOTE:
                in_string = False
        elif byte == _QUOTE:
            in_string = True
        elif byte in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
            if depth > MAX_DEPTH:
                return depth
        elif byte in _CLOSING:
            depth -= 1
    return deepest


def _check(value: JSON) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -_INT64 <= value < _INT64:
            raise Refusal(BAD_REQUEST.because("integer out of range"))
    elif isinstance(value, dict):
        for name, part in value.items():
            check_text(name)
            _check(part)
    elif isinstance(value, list):
        for part in value:
            _check(part)
