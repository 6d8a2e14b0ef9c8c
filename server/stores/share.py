"""How channels share memory: what each content takes, and who must give. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import JSON

VALUE_BYTES: Final = 64
CONTAINER_BYTES: Final = 128


def memory_bytes(content: JSON | bytes, encoded: bytes) -> int:
    """Return about how much memory a content takes, from its encoded form.

    Decoded, `[[],[],[]]` takes twenty times its text: who sends that must not have
    twenty times the room. Signs inside strings count too, which only errs upwards.
    """
    if isinstance(content, bytes | str):
        return len(encoded)
    values = encoded.count(b",") + encoded.count(b":")
    containers = encoded.count(b"[") + encoded.count(b"{")
    return len(encoded) + VALUE_BYTES * values + CONTAINER_BYTES * containers


def fair_level(costs: Sequence[int], total: int) -> int:
    """Return the most that each may keep, so that all together keep at most `total`.

    Who has less than that gives nothing: the biggest give first.
    """
    left, sharers = total, len(costs)
    for cost in sorted(costs):
        if cost * sharers > left:
            return left // sharers
        left -= cost
        sharers -= 1
    return total
