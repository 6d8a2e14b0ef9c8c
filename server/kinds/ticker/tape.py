"""The tape: what the market did, step by step, as it travels to all nodes.

One node moves the market and writes it down here; every node's floor is a fold of it.
Each step has its times, so that a market of a snapshot can take the same steps again,
and then stands where the tape ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .ticks import Tick

if TYPE_CHECKING:
    from ...model import JSON
    from .market import Market

TAPE = "ticker:tape"
"""The channel of the tape. Only the server reads it."""

STEP_MS = 1_000
"""The longest single step; who is later than that takes several."""

CATCH_UP_MS = 60_000
"""Who is later than this leaves out the rest: its bars have a hole there."""


class TornError(Exception):
    """What stands on the tape is no strip of it."""


class Step(msgspec.Struct, frozen=True, array_like=True):
    """What happened from `from_ms` to `to_ms`, of the market's time, in its order."""

    from_ms: int
    to_ms: int
    ticks: list[Tick]


class Strip(msgspec.Struct, frozen=True, array_like=True):
    """One publication of the tape: the steps of one update.

    `was_ms` is where the market stood before; it joins the tape only there. What had
    closed by `told_ms` has been published. Without steps it is the mark of a node that
    has taken the lead.
    """

    was_ms: int
    told_ms: int
    steps: list[Step]


MARK = Strip(0, 0, [])
"""It moves nothing; what an earlier leader writes after it is refused by its fence."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Strip).decode


def encode(strip: Strip) -> bytes:
    """Return a strip as it travels: about 1 KB for a step of twenty symbols."""
    return _encode(strip)


def decode(content: JSON | bytes) -> Strip:
    """Return the strip of a publication. Raises `TornError`."""
    if not isinstance(content, bytes):
        raise TornError(type(content).__name__)
    try:
        return _decode(content)
    except msgspec.DecodeError as error:
        raise TornError(str(error)) from error


def advance(market: Market, to_ms: int) -> Step | None:
    """Move a market one step towards `to_ms`; None where it has arrived already.

    Call it again until then. A time before the market's is one at which it has arrived.
    """
    from_ms = max(market.now_ms, to_ms - CATCH_UP_MS)
    if to_ms <= from_ms:
        return None
    return _step(market, from_ms, min(to_ms, from_ms + STEP_MS))


def repeat(market: Market, step: Step) -> None:
    """Take a step of the tape again. Raises ValueError where no market took it."""
    _step(market, step.from_ms, step.to_ms)


def _step(market: Market, from_ms: int, to_ms: int) -> Step:
    market.now_ms = from_ms
    ticks = market.step((to_ms - from_ms) / 1_000)
    return Step(from_ms, to_ms, ticks)
