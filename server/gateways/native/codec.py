"""The native wire's words: JSON objects. Pure.

Specified in docs/reference/native-wire.md.
`decode` turns a text frame into a command; `NativeCodec` turns what a session is told
into a frame, ready to be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ...errors import Refusal
from ...model import Failed
from .. import frames
from ..commands import Rejected, command_of
from ..door import decode_json
from ..words import words_of

if TYPE_CHECKING:
    from ...model import Command, Outbound

_encode = msgspec.json.Encoder().encode


def decode(frame: bytes, channel: str | None = None) -> Command:
    """Return the command of a text frame.

    `channel` is the route's own, taken where the frame names none; None: it must.
    Raises `Rejected`.
    """
    try:
        return command_of(decode_json(frame), channel)
    except Refusal as refusal:
        raise Rejected(Failed(None, None, refusal.error)) from None


class NativeCodec:
    """JSON objects in text frames."""

    name = "native"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the text frame; None for an acknowledgement nobody asked for."""
        words = words_of(outbound)
        return None if words is None else frames.text(_encode(words))


NATIVE = NativeCodec()
