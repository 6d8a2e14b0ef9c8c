"""The bounds of a hub."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The hub's bounds.

    `outbox_bytes` bounds what waits for one session; `in_flight` how many of a
    session's publications may wait for their commit; `idle_s` is how long an unused
    channel stays; `close_timeout_s` how long a closing session may take to be told.
    """

    outbox_bytes: int = 1024 * 1024
    subscriptions: int = 100
    channels: int = 20_000
    in_flight: int = 64
    idle_s: float = 60.0
    close_timeout_s: float = 2.0
