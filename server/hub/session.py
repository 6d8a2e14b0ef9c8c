"""One connection, by any gateway: its subscriptions, its outbox, its commands.

A session never waits for its peer: what it is told goes into the outbox, and the
flusher writes what fits. Its gateway feeds it commands one at a time, so a client's
commands are judged in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from ..errors import SLOW
from ..model import HistoryPage, Standing, Subscribed
from ..queues.writer import Writer
from .dispatch import dispatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import Disconnect, ReplyError
    from ..model import Command, Event, Outbound, Principal
    from ..seams.log import Outcome
    from ..seams.wire import Codec, Wire
    from .hub import Hub
    from .subscription import Subscription

    Kept: TypeAlias = asyncio.Future["Outcome | None"]


class Session(Writer):
    """One connection. Made by a gateway, ended by `close` or `gone`."""

    __slots__ = (
        "_farewell",
        "_has_reply",
        "_hub",
        "_in_flight",
        "_knows_live",
        "_slot",
        "gateway",
        "heed",
        "subscriptions",
        "who",
    )

    def __init__(
        self,
        hub: Hub,
        who: Principal,
        gateway: str,
        codec: Codec,
        wire: Wire,
    ) -> None:
        super().__init__(
            hub.new_id("c_"),
            codec,
            wire,
            hub.flusher,
            stats=hub.stats,
            limit_bytes=hub.limits.outbox_bytes,
        )
        self._hub = hub
        self.who = who
        self.gateway = gateway
        self.subscriptions: dict[str, Subscription] = {}
        self.heed: Callable[[Standing], None] | None = None
        """What its gateway does when the hub's standing changed; None: it is told."""
        self._knows_live = True
        self._has_reply = False
        self._farewell: Disconnect | None = None
        self._in_flight = 0
        self._slot: asyncio.Future[None] | None = None

    def speak(self, gateway: str, codec: Codec) -> None:
        """Change the wire's words, before anything was said."""
        self._hub.stats.sessions[self.gateway] -= 1
        self._hub.stats.sessions[gateway] += 1
        self.gateway = gateway
        self.codec = codec

    # As a writer

    def only_reader(self) -> Subscription | None:
        """See `Writer.only_reader`."""
        if len(self.subscriptions) != 1:
            return None
        (subscription,) = self.subscriptions.values()
        return subscription if subscription.held is None else None

    def is_to_be_told(self) -> bool:
        """See `Writer.is_to_be_told`."""
        return self._farewell is not None

    def drained(self) -> None:
        """See `Writer.drained`."""
        if self._farewell is not None:
            self._say_farewell()

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
        elif self._farewell is not None:
            # What was written before is with the wire already.
            self._say_farewell()

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
        self.go_round()
        self.heed = None
        self.counted_gaps()
        self.wake()
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


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
