"""The native wire without JSON: what people say, as plain text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model import Failed, Publication, Subscribed
from .. import frames

if TYPE_CHECKING:
    from ...model import Outbound


class TextCodec:
    """Plain text: one greeting line, then each message as `name: text`."""

    name = "native-text"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the text frame; None for what plain text does not show."""
        line = _line(outbound)
        return None if line is None else frames.text(line.encode())


def _line(outbound: Outbound) -> str | None:
    match outbound:
        case Publication(event="message", content={"text": str(text)}):
            name = outbound.author.name if outbound.author else "Server"
            return f"{name}: {text}"
        case Subscribed():
            room = outbound.channel.partition(":")[2]
            return f"Welcome to {room}. What you send, everybody here gets."
        case Failed():
            return f"Not sent: {outbound.error.message}"
        case _:
            return None


TEXT = TextCodec()
