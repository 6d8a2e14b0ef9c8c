"""Time and ids, passed in so that tests need not sleep nor guess."""

from __future__ import annotations

import base64
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

_READABLE = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijkmnpqrstuvwxyz23456789"
)
"""Base 32 in letters and digits that are not taken for each other: no l, o, 0, 1."""


class SystemClock:
    """The machine's own time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()


def random_id(prefix: str) -> str:
    """Return the prefix and 16 letters and digits (80 bits) that nobody can guess."""
    text = base64.b32encode(secrets.token_bytes(10)).translate(_READABLE)
    return prefix + text.decode()


def random_epoch() -> str:
    """Return the name of a stream that has just begun: 8 hexadecimal digits."""
    return secrets.token_hex(4)
