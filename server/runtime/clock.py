"""Time and ids, passed in so that tests need not sleep nor guess."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Time, so that tests need not sleep."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970, only shown, never compared for order."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back."""


NewId: TypeAlias = "Callable[[str], str]"
"""Makes a random id with the given prefix: `new_id("g_")` -> `g_k3f9...`."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()


def random_id(prefix: str) -> str:
    """Return the prefix and 16 letters and digits (79 bits) that nobody can guess."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def random_epoch() -> str:
    """Return the name of a stream that has just begun: 8 hexadecimal digits."""
    return secrets.token_hex(4)
