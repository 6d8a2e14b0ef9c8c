"""What can go wrong, by meaning; and the two tables that put it into words.

    HubbubError
    ├── Refusal(ReplyError)       a command is answered with an error, the session lives
    ├── Unrecoverable(reason)     the log no longer holds what follows a position
    ├── Away(reason)              the database or Redis does not answer
    ├── Lagged(position)          a Python subscriber was too slow; resume from there
    └── SettingsError(faults)     the process cannot start; all faults at once

The numbers are those of the Centrifuge client protocol, so that every gateway can use
them: reply codes 100-399; close codes 3000-3499 and 4000-4499 mean "come back",
3500-3999 and 4500-4999 mean "do not".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class HubbubError(Exception):
    """The root of everything that Hubbub raises on purpose."""


@dataclass(frozen=True, slots=True)
class ReplyError:
    """An answer to one command: `temporary` says that trying again may help."""

    code: int
    message: str
    temporary: bool = False

    def because(self, reason: str) -> ReplyError:
        """Return the same error with the reason in its message."""
        return ReplyError(self.code, f"{self.message}: {reason}", self.temporary)


INTERNAL = ReplyError(100, "internal error", temporary=True)
UNKNOWN_CHANNEL = ReplyError(102, "unknown channel")
PERMISSION_DENIED = ReplyError(103, "permission denied")
NOT_SUBSCRIBED = ReplyError(104, "not subscribed")
LIMIT_EXCEEDED = ReplyError(106, "limit exceeded")
BAD_REQUEST = ReplyError(107, "bad request")
UNAVAILABLE = ReplyError(108, "unavailable", temporary=True)
TOO_MANY_REQUESTS = ReplyError(111, "too many requests", temporary=True)
UNRECOVERABLE = ReplyError(112, "unrecoverable position")
NOT_YET = ReplyError(120, "not yet applicable", temporary=True)

REPLY_ERRORS = (
    INTERNAL,
    UNKNOWN_CHANNEL,
    PERMISSION_DENIED,
    NOT_SUBSCRIBED,
    LIMIT_EXCEEDED,
    BAD_REQUEST,
    UNAVAILABLE,
    TOO_MANY_REQUESTS,
    UNRECOVERABLE,
    NOT_YET,
)


RETURNING = (3000 // 500, 4000 // 500)
"""The half thousands of codes that mean: come back."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Why a session ends: plain words of at most 32 ASCII bytes beside the code.

    Clients of the Centrifuge protocol parse a reason as JSON, so it must never be a
    number, a quoted string or an object.
    """

    code: int
    reason: str
    return_ms: int | None = field(default=None, compare=False)
    """When the client is to come back, from now; None: by its own rules.

    No part of what the disconnect means, so two that differ in it alone are equal.
    """

    def retry(self, return_ms: int) -> Disconnect:
        """Return the same with a time to come back, of at most five digits."""
        return replace(self, return_ms=return_ms)

    @property
    def words(self) -> str:
        """The reason, and behind it the time: `shutdown; retry 2300 ms`."""
        if self.return_ms is None:
            return self.reason
        return f"{self.reason}; retry {self.return_ms} ms"

    @property
    def returns(self) -> bool:
        """Whether the client is told to come back (the code's range says it)."""
        return self.code // 500 in RETURNING


CLOSED = Disconnect(3000, "closed")
SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "server error")
SLOW = Disconnect(3008, "slow")
NO_PONG = Disconnect(3012, "no pong")
FORCED_RECONNECT = Disconnect(3011, "forced reconnect")
FLOODED = Disconnect(3013, "too many requests")
INVALID = Disconnect(3501, "bad request")
FORCED = Disconnect(3503, "forced")
DENIED = Disconnect(3507, "permission denied")
TOO_MANY_ERRORS = Disconnect(3509, "too many errors")

DISCONNECTS = (
    CLOSED,
    SHUTDOWN,
    SERVER_ERROR,
    SLOW,
    FORCED_RECONNECT,
    NO_PONG,
    FLOODED,
    INVALID,
    FORCED,
    DENIED,
    TOO_MANY_ERRORS,
)


class Refusal(HubbubError):
    """One command is refused; `error` is what its sender is told."""

    def __init__(self, error: ReplyError) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"{self.error.code} {self.error.message}"


class Unrecoverable(HubbubError):
    """The log does not hold everything after a position: another epoch, or trimmed."""


class Away(HubbubError):
    """The database or Redis cannot be reached, or did not answer in time.

    The text says why, without any password. What was to be written may have been: a
    key makes a second try safe.
    """


class Lagged(HubbubError):
    """A subscriber in Python did not keep up; what it saw last is `position`.

    Call `hub.subscribe(channel, since=error.position)` to go on without a gap. It is
    None where nothing had been seen.
    """

    def __init__(self, position: object) -> None:
        super().__init__(position)
        self.position = position


class SettingsError(HubbubError):
    """The settings cannot be used: every fault, each in a sentence."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(*faults)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(self.faults)
