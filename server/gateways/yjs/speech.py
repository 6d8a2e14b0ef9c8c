"""What a session that speaks Yjs is told, as frames. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ...model import (
    Difference,
    Failed,
    Publication,
    Signal,
    Standing,
    Subscribed,
)
from .. import frames
from . import codec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...model import Outbound

KEEP_ALIVE = frames.binary(codec.awareness(()))
"""Stock clients leave when no message came for 30 s; pings do not count."""


class YjsCodec:
    """y-websocket messages, one in a binary frame."""

    name = "yjs"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the frames; None for what the protocol has no words for."""
        match outbound:
            case Publication(content=bytes() as update):
                return frames.binary(codec.update(update))
            case Signal(event="awareness"):
                return awareness_frame((outbound,))
            case Subscribed(state=Difference() as difference):
                return _synced(difference, outbound.signals)
            case Standing():
                # Its receiver sees to it that only those are told who know the word.
                return frames.binary(codec.standing(live=outbound.live))
            case Failed():
                return frames.binary(codec.denied(outbound.error.message))
            case _:
                return None


def _synced(difference: Difference, signals: Iterable[Signal]) -> bytes:
    """Answer a sync step 1, and ask in turn: else offline edits would never come."""
    told = [
        frames.binary(codec.sync_step2(difference.update)),
        frames.binary(codec.sync_step1(difference.vector)),
    ]
    present = awareness_frame(signals)
    if present is not None:
        told.append(present)
    return b"".join(told)


def awareness_frame(signals: Iterable[Signal]) -> bytes | None:
    """Return the awareness of some clients in one frame; None if there is none."""
    entries = [entry for signal in signals if (entry := _entry(signal)) is not None]
    return frames.binary(codec.awareness(entries)) if entries else None


def _entry(signal: Signal) -> codec.AwarenessEntry | None:
    content = signal.content
    if signal.event != "awareness" or not isinstance(content, dict):
        return None
    client, clock = content.get("client"), content.get("clock")
    if not isinstance(client, int) or not isinstance(clock, int):
        return None
    # A removal is taken at an equal clock, and must not be given a greater one: the
    # client that returns would stay invisible.
    state = None if signal.fell else msgspec.json.encode(content.get("state")).decode()
    return codec.AwarenessEntry(client, clock, state)


YJS = YjsCodec()
"""One for all sessions: what it encodes is shared."""
