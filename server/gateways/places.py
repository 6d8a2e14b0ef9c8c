"""Where a client stands in several channels at once, as one opaque string. Pure.

For wires that let a client keep one string and say it when it comes back: Socket.IO's
connection state recovery, and the `Last-Event-ID` of a stream of several channels.
`chat:lobby=3f2a.17,ticker:ACME=9c1d.4`; each part is a channel and its position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..errors import BAD_REQUEST, Refusal
from ..model import Position, split_channel

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PLACES: Final = 20
"""Above this many channels the string would outweigh what it comes with."""


def write_places(places: Mapping[str, Position]) -> str:
    """Return the string; empty for no channel at all."""
    return ",".join(f"{channel}={position}" for channel, position in places.items())


def read_places(text: str) -> dict[str, Position]:
    """Return where the string says to stand.

    Raises `Refusal` (bad request) for what `write_places` never wrote, and for more
    than `MAX_PLACES` channels.
    """
    places: dict[str, Position] = {}
    parts = text.split(",", MAX_PLACES) if text else []
    if len(parts) > MAX_PLACES:
        raise Refusal(BAD_REQUEST.because(f"more than {MAX_PLACES} channels"))
    for part in parts:
        channel, _, position = part.partition("=")
        try:
            split_channel(channel)
        except Refusal:
            raise Refusal(BAD_REQUEST.because("not a list of positions")) from None
        if channel in places:
            raise Refusal(BAD_REQUEST.because("a channel stands there twice"))
        places[channel] = Position.parse(position)
    return places
