"""A peer that is not there: its wire, its words, and what it was told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from server.errors import Disconnect
    from server.model import Outbound

_HEAD = 16
T = TypeVar("T")


class RecordingCodec:
    """Frames that name what they were made of; `frame_bytes` long at least."""

    def __init__(self, name: str = "recording", frame_bytes: int = _HEAD) -> None:
        self.name = name
        self.frame_bytes = frame_bytes
        self.encoded: list[Outbound] = []
        self.silent: tuple[type, ...] = ()
        self.broken: tuple[type, ...] = ()
        self.fault = ValueError("this codec is broken")

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return a frame; None for what is `silent`; raise for what is `broken`."""
        if isinstance(outbound, self.broken):
            raise self.fault
        if isinstance(outbound, self.silent):
            return None
        self.encoded.append(outbound)
        size = max(self.frame_bytes, _HEAD)
        head = b"%08d%08d" % (len(self.encoded) - 1, size)
        return head.ljust(size, b".")

    def decode(self, chunk: bytes) -> list[Outbound]:
        """Return what the frames of a chunk were made of."""
        found = []
        while chunk:
            found.append(self.encoded[int(chunk[:8])])
            chunk = chunk[int(chunk[8:_HEAD]) :]
        return found


class FakeWire:
    """Takes chunks while it has room, and notes how it was closed."""

    def __init__(self, codec: RecordingCodec, room_bytes: int = 1 << 20) -> None:
        self._codec = codec
        self._room_bytes = room_bytes
        self._free = asyncio.Event()
        self._free.set()
        self.chunks: list[bytes] = []
        self.closed_with: list[Disconnect] = []
        self.waiters = 0
        self.most_waiters = 0
        self.lost = False
        self.fault: Exception | None = None

    @property
    def told(self) -> list[Outbound]:
        """All that was written, as it was before it was encoded."""
        return [each for chunk in self.chunks for each in self._codec.decode(chunk)]

    def told_of(self, kind: type[T]) -> list[T]:
        """What was written of one type."""
        return [each for each in self.told if isinstance(each, kind)]

    def stall(self) -> None:
        """Stop reading."""
        self._free.clear()

    def resume(self) -> None:
        """Read again."""
        self._free.set()

    def lose(self) -> None:
        """Be gone: whoever waits is told."""
        self.lost = True
        self._free.set()

    def room(self) -> int:
        """See `Wire.room`."""
        stalled = not self._free.is_set() or self.closed_with or self.lost
        return 0 if stalled else self._room_bytes

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""
        assert self.room() > 0, "written to without room"
        if self.fault is not None:
            raise self.fault
        self.chunks.append(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        if self.room() < len(chunk):
            return False
        self.write(chunk)
        return True

    async def writable(self) -> None:
        """See `Wire.writable`."""
        self.waiters += 1
        self.most_waiters = max(self.waiters, self.most_waiters)
        try:
            await self._free.wait()
        finally:
            self.waiters -= 1
        if self.lost:
            raise ConnectionResetError

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""
        self.closed_with.append(disconnect)
