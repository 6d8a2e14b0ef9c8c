"""The names of keys and Pub/Sub channels. Pure.

All that belongs to one channel has it as its hash tag, so that it stands on one server
of a cluster, and one script can touch all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Name: TypeAlias = str

_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True, slots=True)
class Names:
    """The names under one prefix: 1 to 32 letters, digits and `._-`.

    Databases of one server share their Pub/Sub, so `db` is part of the prefix.
    """

    prefix: str
    db: int = 0

    def __post_init__(self) -> None:
        if _PREFIX.fullmatch(self.prefix) is None:
            raise ValueError(f"{self.prefix!r} is no prefix")

    @property
    def _head(self) -> str:
        return f"{self.prefix}@{self.db}:{{" if self.db else f"{self.prefix}:{{"

    def voice(self, channel: str) -> Name:
        """Return the Pub/Sub channel that brings a channel."""
        return f"{self._head}{channel}}}"

    def channel(self, voice: bytes) -> str | None:
        """Return whose `voice` it is; None where it is a node's own."""
        head, tail = self._head.encode(), b"}"
        if not voice.startswith(head) or not voice.endswith(tail):
            return None
        channel = voice[len(head) : -len(tail)]
        return channel.decode(errors="replace") if b":" in channel else None

    def stream(self, channel: str) -> Sequence[Name]:
        """Return the keys of a channel's stream, as `lua/stream.lua` has them."""
        voice = self.voice(channel)
        return (*(f"{voice}:{each}" for each in ("meta", "log", "keys", "snap")), voice)

    def roll(self, channel: str) -> Name:
        """Return the key of what all nodes said in a channel."""
        return f"{self.voice(channel)}:roll"

    @property
    def orders(self) -> Name:
        """The Pub/Sub channel that all nodes listen to; it is no channel's: no kind."""
        return self.voice("orders")

    def probe(self, node: str, number: int) -> Name:
        """Return a Pub/Sub channel on which a node listens to itself."""
        return self.voice(f"{node}.{number}")

    @property
    def census(self) -> Sequence[Name]:
        """The keys of the nodes that live, and of their cards."""
        return f"{self.voice('nodes')}:living", f"{self.voice('nodes')}:cards"

    def lease(self, lease: str) -> Sequence[Name]:
        """Return the keys of a lease's holder, and of its newest fence."""
        voice = self.voice(f"lease:{lease}")
        return f"{voice}:holder", f"{voice}:fence"
