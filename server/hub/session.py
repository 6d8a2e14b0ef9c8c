"""One connection, by any gateway: its subscriptions, its outbox, its commands.

A session never waits for its peer: what it is told goes into the outbox, and the
flusher writes what fits. Its gateway feeds it commands one at a time, so a client's
commands are judged in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from ..errors import SLOW
from ..model import Gap, HistoryPage, Standing, Subscribed
from ..queues.outbox import Outbox
from .dispatch import dispatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import Disconnect, ReplyError
    from ..model import Command, Event, Outbound, Principal
    from ..queues.outbox import Entry
    from ..seams.log import Outcome
    from ..seams.wire import Codec, Wire
    from .hub import Hub
    from .subscription import Subscription

    Kept: TypeAlias = asyncio.Future["Outcome | None"]

GAP_INTERVAL_S = 1.0
"""A session is told of what it missed at most this often."""


class Session:
    """One connection. Made by a gateway, ended by `close` or `gone`."""

    __slots__ = (
        "_caught_up",
        "_farewell",
        "_has_reply",
        "_hub",
        "_in_flight",
        "_knows_live",
        "_next_gap",
        "_slot",
        "closed",
        "codec",
        "gateway",
        "heed",
        "id",
        "intervals",
        "outbox",
        "subscriptions",
        "who",
        "wire",
    )

    def __init__(
        self,
        hub: Hub,
        who: Principal,
        gateway: str,
        codec: Codec,
        wire: Wire,
    ) -> None:
        self._hub = hub
        self.id = hub.new_id("c_")
        self.who = who
        self.gateway = gateway
        self.codec = codec
        self.wire = wire
        self.outbox = Outbox(hub.limits.outbox_bytes)
        self.subscriptions: dict[str, Subscription] = {}
        self.intervals: dict[str, float] = {}
        self.closed = False
        self.heed: Callable[[Standing], None] | None = None
        """What its gateway does when the hub's standing changed; None: it is told."""
        self._knows_live = True
        self._has_reply = False
        self._farewell: Disconnect | None = None
        self._in_flight = 0
        self._slot: asyncio.Future[None] | None = None
        self._caught_up: asyncio.Future[None] | None = None
        self._next_gap = 0.0

    def speak(self, gateway: str, codec: Codec) -> None:
        """Change the wire's words, before anything was said."""
        self._hub.stats.sessions[self.gateway] -= 1
        self._hub.stats.sessions[gateway] += 1
        self.gateway = gateway
        self.codec = codec

    # What it is told

    def tell(self, outbound: Outbound, channel: str | None = None) -> None:
        """Queue something for this session alone."""
        self._has_reply = True
        frame = self.codec.encode(outbound)
        if frame is not None:
            exempt = isinstance(outbound, Subscribed | HistoryPage)
            self.push(frame, channel, exempt=exempt)

    def stand(self, *, live: bool) -> None:
        """Tell whether the hub is live (`Standing`), if that is not what it knows.

        A client takes it for live until it hears otherwise, behind its first reply.
        """
        if live is not self._knows_live and self._has_reply:
            self._knows_live = live
            (self.heed or self.tell)(Standing(live))

    def push(self, frame: bytes, channel: str | None, *, exempt: bool = False) -> None:
        """Queue a frame that must not be lost; too much of it ends the session."""
        if self.closed:
            return
        if self.outbox.put(frame, channel, exempt=exempt):
            self._hub.flusher.mark(self)
        else:
            self.close(SLOW)

    def takes(self, entry: Entry) -> bool:
        """Queue what others are given too, without a flush; return whether it did.

        The short way of `push`: whoever calls it marks all its sessions together.
        """
        if self.closed:
            return False
        if self.outbox.put_entry(entry):
            return True
        self.close(SLOW)
        return False

    def push_signal(self, frame: bytes, channel: str, key: str | None) -> None:
        """Queue a frame that may be merged or dropped."""
        if self.closed:
            return
        if key is None:
            queued = self.outbox.put_signal(frame, channel)
        else:
            queued = self.outbox.put_keyed(frame, channel, key)
        if queued:
            self._hub.flusher.mark(self)

    def flush(self, now: float) -> float | None:
        """Write what fits; called by the flusher, once in a turn of the loop.

        Returns when there is more to write; None: nothing waits.
        """
        if self.closed and self._farewell is None:
            return None
        room = self.wire.room()
        if room <= 0:
            return self._due(now)
        chunk = self.outbox.take_all(room)
        if chunk is None:
            self._flush_some(room, now)
        else:
            self._write(chunk)
            if not self.closed:
                return None
        if self._farewell is not None and not self.outbox:
            self._say_farewell()
        return self._due(now)

    def _write(self, chunk: bytes) -> None:
        self.wire.write(chunk)
        stats = self._hub.stats
        stats.writes += 1
        stats.written_bytes += len(chunk)

    def _flush_some(self, room: int, now: float) -> None:
        frames = self.outbox.take(room, now, self.intervals)
        if self.outbox.has_gaps and now >= self._next_gap:
            self._next_gap = now + GAP_INTERVAL_S
            frames += filter(None, map(self.codec.encode, self._counted_gaps()))
        if frames:
            self._write(b"".join(frames))
        if self._caught_up is not None and not self.outbox.catching_up:
            _wake(self._caught_up)
            self._caught_up = None

    def _due(self, now: float) -> float | None:
        due = self.outbox.next_due(now)
        if not self.outbox.has_gaps:
            return due
        return self._next_gap if due is None else min(due, self._next_gap)

    def _counted_gaps(self) -> list[Gap]:
        gaps = self.outbox.take_gaps()
        for gap in gaps:
            self._hub.stats.merged += gap.merged
            self._hub.stats.skipped += gap.skipped
        return gaps

    # How it ends

    def close(self, disconnect: Disconnect) -> None:
        """End it from this side: tell the peer why, in its wire's words.

        What waits is written first, within the close timeout; but for a slow peer,
        whose outbox is dropped: it resumes by position.
        """
        if self.closed:
            return
        self._hub.stats.closed[disconnect.code] += 1
        self._farewell = disconnect
        self._hub.farewells.begin(self)
        self.outbox.drop_keyed()
        self._leave()
        if disconnect is SLOW:
            self._say_farewell()
            return
        self._hub.wheel.call_later(self._hub.limits.close_timeout_s, self._say_farewell)
        self.flush(self._hub.now())
        if self.outbox:
            self._hub.flusher.mark(self)

    def gone(self) -> None:
        """End it because the peer went."""
        self._farewell = None
        self._hub.farewells.told(self)
        if not self.closed:
            self._leave()
        self.outbox.clear()

    def _say_farewell(self) -> None:
        farewell, self._farewell = self._farewell, None
        self._hub.farewells.told(self)
        if farewell is not None:
            self.outbox.clear()
            self.wire.close(farewell)

    def _leave(self) -> None:
        self.closed = True
        self.heed = None
        self._counted_gaps()
        _wake(self._caught_up)
        _wake(self._slot)
        self._hub.ended(self)

    # What it asks for

    async def dispatch(self, command: Command) -> ReplyError | None:
        """Carry out one command and tell the answer; raises only cancellation.

        Returns why it was refused; None where it was not.
        """
        return await dispatch(self._hub, self, command)

    async def submit(
        self, channel: str, event: Event, then: Callable[[Kept], None]
    ) -> None:
        """Publish as this session; `then` gets the done future while it lives.

        Waits while too many of its publications wait for their commit: a client may
        pipeline; beyond the bound its reader waits, and TCP holds it. Raises `Refusal`.
        """
        await self._take_slot()
        kept = await self._hub.submit(self.who, channel, event)
        self._in_flight += 1

        def answer(future: Kept) -> None:
            self._in_flight -= 1
            _wake(self._slot)
            if not self.closed and not future.cancelled():
                then(future)

        kept.add_done_callback(answer)

    async def _take_slot(self) -> None:
        while self._in_flight >= self._hub.limits.in_flight and not self.closed:
            if self._slot is None or self._slot.done():
                self._slot = asyncio.get_running_loop().create_future()
            await self._slot

    async def caught_up(self) -> None:
        """Wait until no catch-up waits in the outbox: they go one at a time."""
        while self.outbox.catching_up and not self.closed:
            if self._caught_up is None or self._caught_up.done():
                self._caught_up = asyncio.get_running_loop().create_future()
            await self._caught_up


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
