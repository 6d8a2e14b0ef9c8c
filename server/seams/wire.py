"""What a gateway gives a session: its words, and the way to its peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..errors import Disconnect
    from ..model import Outbound


class Codec(Protocol):
    """A wire's words. Pure; its identity is the key under which frames are shared."""

    @property
    def name(self) -> str:
        """The codec's name in metrics."""

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the frame, ready to be written; None where this wire shows nothing."""


class Wire(Protocol):
    """The way to one peer. None of these waits, but `writable`."""

    def room(self) -> int:
        """Return how many bytes may be written now; 0 while the peer does not read."""

    def write(self, chunk: bytes) -> None:
        """Write whole frames.

        Only called when `room` has just said that there is some, once for each time,
        and never after `close`.
        """

    def offer(self, chunk: bytes) -> bool:
        """Write whole frames at once, if nothing stands before them.

        False: nothing was written, and what goes by the outbox may be, later.
        """

    async def writable(self) -> None:
        """Wait until there is room again; raise OSError when the peer is gone."""

    def close(self, disconnect: Disconnect) -> None:
        """Tell the peer why, and end the connection, by force after a deadline."""
