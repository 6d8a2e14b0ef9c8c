"""permessage-deflate (RFC 7692), agreed on so that what is compressed can be shared.

Rules:
1. We compress each message by itself (server_no_context_takeover, section 7.1.1.1), so
   the frame is the same for all who read it: a publication is compressed once, not once
   for each reader, and nothing is kept for a connection.
2. There are two windows, the whole one and the smallest that zlib has, for whoever asks
   for less than the whole (section 7.1.2.1 allows a smaller one than was asked for). So
   clients cannot make us compress one publication more often than that for each wire.
3. Clients must not build on their earlier messages either (section 7.1.1.2), see
   `inflate`.
4. A message goes as it is (section 6 leaves that to the sender) where it is too short
   to gain, where it does not shrink, and where it would hold up the loop for long.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from . import frames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model import Outbound
    from ..seams.wire import Codec

LEAST_BYTES: Final = 200
"""A shorter message goes as it is: it would save less than it costs its reader."""

MOST_BYTES: Final = 128 * 1024
"""A longer one, too: it takes milliseconds. A publication is never so long."""

WHOLE_BITS: Final = 15
SMALL_BITS: Final = 9
"""zlib has no raw stream with a window of 8 bits."""

_MOST_OFFERS: Final = 16
"""So many are looked at; browsers make one."""

_LEVEL: Final = 3
"""64 KiB take less than a millisecond; by 6 thrice that, for an eighth less."""

TAIL: Final = b"\x00\x00\xff\xff"
"""How each message would end; it is left out (section 7.2.1)."""

_ANSWER: Final = (
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)
_PART = re.compile(r'[ \t]*([\w-]+)[ \t]*(?:=[ \t]*(?:"(\w+)"|(\w+))[ \t]*)?', re.ASCII)
_BITS: Final = {str(bits): bits for bits in range(8, 16)}


@dataclass(frozen=True, slots=True)
class Deflate:
    """What was agreed on with a peer: the window of what we send, and our answer."""

    window_bits: int
    answer: str


class _Unacceptable(Exception):
    """An offer is malformed, or asks for what we cannot do."""


def agree(headers: Iterable[str]) -> Deflate | None:
    """Return what is agreed on, by the peer's Sec-WebSocket-Extensions headers.

    The first offer that we can accept counts (section 7.1), bad ones are declined; None
    where nothing is left.
    """
    for offer in ",".join(headers).split(",", _MOST_OFFERS)[:_MOST_OFFERS]:
        try:
            return _agree(offer)
        except _Unacceptable:
            continue
    return None


def _agree(offer: str) -> Deflate:
    parts = [_part(part) for part in offer.split(";")]
    if parts.pop(0) != ("permessage-deflate", None):
        raise _Unacceptable
    asked = dict(parts)
    if len(asked) < len(parts):
        raise _Unacceptable
    for name, value in asked.items():
        _check(name, value)
    limit = asked.get("server_max_window_bits")
    if limit is None:
        return Deflate(WHOLE_BITS, _ANSWER)
    if _BITS[limit] < SMALL_BITS:
        raise _Unacceptable
    bits = WHOLE_BITS if _BITS[limit] == WHOLE_BITS else SMALL_BITS
    return Deflate(bits, f"{_ANSWER}; server_max_window_bits={bits}")


def _part(text: str) -> tuple[str, str | None]:
    """Return a name and its value, None without one (RFC 6455 section 9.1)."""
    found = _PART.fullmatch(text)
    if found is None:
        raise _Unacceptable
    return found[1], found[2] or found[3]


def _check(name: str, value: str | None) -> None:
    """Hold one parameter against sections 7.1.1 and 7.1.2."""
    match name:
        case "server_no_context_takeover" | "client_no_context_takeover":
            good = value is None
        case "server_max_window_bits":
            good = value in _BITS
        case "client_max_window_bits":
            good = value is None or value in _BITS
        case _:
            good = False
    if not good:
        raise _Unacceptable


class Deflated:
    """The words of another codec, compressed; one for all who agreed on a window."""

    def __init__(self, plain: Codec, window_bits: int) -> None:
        self._plain = plain
        self._window_bits = window_bits
        self.name = f"{plain.name}-deflate"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the other codec's frames, compressed where that helps."""
        chunk = self._plain.encode(outbound)
        return None if chunk is None else squeeze(chunk, self._window_bits)


_spoken: Final[dict[tuple[Codec, int], Deflated]] = {}


def spoken(plain: Codec, deflate: Deflate | None) -> Codec:
    """Return what a session speaks instead of a codec, by what its peer agreed to.

    The codec must be one that is there for good, for all its sessions.
    """
    if deflate is None:
        return plain
    key = plain, deflate.window_bits
    if key not in _spoken:
        _spoken[key] = Deflated(*key)
    return _spoken[key]


def squeeze(chunk: bytes, window_bits: int) -> bytes:
    """Return whole frames of our own with each message compressed where that helps."""
    if len(chunk) < LEAST_BYTES:
        return chunk
    return b"".join(
        _squeezed(head, payload, window_bits) for head, payload in frames.cut(chunk)
    )


def _squeezed(head: int, payload: bytes, window_bits: int) -> bytes:
    if LEAST_BYTES <= len(payload) <= MOST_BYTES:
        small = deflate(payload, window_bits)
        if len(small) < len(payload):
            return frames.compressed(head, small)
    return frames.plain(head, payload)


def deflate(payload: bytes, window_bits: int) -> bytes:
    """Return a message's payload, compressed by itself (section 7.2.1)."""
    engine = zlib.compressobj(_LEVEL, zlib.DEFLATED, -window_bits)
    blocks = engine.compress(payload) + engine.flush(zlib.Z_SYNC_FLUSH)
    return blocks.removesuffix(TAIL)
