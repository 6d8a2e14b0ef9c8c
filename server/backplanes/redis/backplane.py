"""What the hub holds of Redis: the port, and the log beside it."""

from __future__ import annotations

import asyncio
import logging
from secrets import token_hex
from typing import TYPE_CHECKING

from ...errors import UNAVAILABLE, Away, Refusal, SettingsError
from ...model import Publication, Signal
from ...runtime.clock import SystemClock
from .codec import encode, encode_order
from .lane import Command
from .leases import Leases
from .link import Link
from .log import Bounds, RedisLog
from .names import Names
from .rolls import Rolls
from .servers import Servers, Unfit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model import JSON, Attendance, Fence
    from ...runtime.clock import Clock
    from ...runtime.stats import Traffic
    from ...runtime.tasks import Tasks
    from ...seams.backplane import Node, NodeRoll, Order, Receiver
    from .log import BoundsOf

__all__ = ["Bounds", "RedisBackplane"]

logger = logging.getLogger("hubbub.redis")

RELEASE_S = 0.5
FRAME_BYTES = 200
"""What a queued frame takes beside its own length."""


class RedisBackplane:
    """A `Backplane`; `log` is the log that it shares with the other nodes.

    `url` is `redis://` or `rediss://`, of a server of version 7 or newer (Valkey too)
    or of any node of a cluster. `bounds` says what a channel's stream may
    keep. `prefix` is 1 to 32 letters, digits and `._-`. Raises `SettingsError`.
    """

    def __init__(
        self,
        url: str,
        node: str,
        *,
        bounds: BoundsOf,
        prefix: str = "hubbub",
        clock: Clock | None = None,
    ) -> None:
        try:
            servers = Servers(url)
            names = Names(prefix, servers.db)
        except (Unfit, ValueError) as error:
            raise SettingsError([f"redis: {error}"]) from error
        self.node = node
        self.alone = False
        self._names = names
        self._link = link = Link(servers, names, node, clock or SystemClock())
        self._rolls = Rolls(link.reads, names)
        self._leases = Leases(link.reads, names, node)
        self.log = RedisLog(
            servers,
            names,
            bounds=bounds,
            new_epoch=lambda: token_hex(8),
            appends=link.appends,
            reads=link.reads,
        )

    @property
    def fault(self) -> str | None:
        """See `Backplane.fault`; no address stands in it, and no password."""
        return self._link.fault

    @property
    def counts(self) -> Traffic:
        """What was sent, dropped and heard since the start."""
        return self._link.counts

    def attach(self, receiver: Receiver) -> None:
        """See `Backplane.attach`."""
        self._link.receiver = receiver

    async def start(self, tasks: Tasks) -> None:
        """Connect; see `Backplane.start`. `reunited` is told before it returns."""
        try:
            await self._link.start(tasks)
        except (Away, Unfit) as error:
            where = self._link.servers
            raise SettingsError([f"redis at {where}: {error}"]) from error

    async def stop(self) -> None:
        """Send what waits, leave the others, and close; the log is closed with it."""
        await self._link.stop()

    async def enter(self, channel: str) -> None:
        """See `Backplane.enter`."""
        self._check_whole()
        await self._link.entrance.enter(channel)

    def leave(self, channel: str) -> None:
        """See `Backplane.leave`."""
        self._link.entrance.leave(channel)

    def publish(self, broadcast: Publication | Signal | Attendance) -> None:
        """See `Backplane.publish`. Raises `Refusal` (bad request) for what is no text.

        While this node is cut off it raises `Refusal` (unavailable).
        """
        self._check_whole()
        frame = encode(broadcast)
        if isinstance(broadcast, Publication) or (
            isinstance(broadcast, Signal) and not broadcast.retained
        ):
            self._send(self._names.voice(broadcast.channel), frame)
        else:
            command = self._rolls.say(broadcast, broadcast.node or self.node, frame)
            self._link.sender.put(command, len(frame) + FRAME_BYTES)

    async def roll(self, channel: str) -> Sequence[NodeRoll]:
        """See `Backplane.roll`."""
        self._check_whole()
        try:
            return await self._rolls.read(channel, self._link.census.forgiven)
        except Away as away:
            raise Refusal(UNAVAILABLE) from away

    def order(self, order: Order) -> None:
        """See `Backplane.order`."""
        self._check_whole()
        self._send(self._names.orders, encode_order(order))

    def describe(self, card: JSON) -> None:
        """See `Backplane.describe`: the others hear it within two seconds."""
        self._link.census.describe(card)

    def nodes(self) -> Sequence[Node]:
        """See `Backplane.nodes`."""
        return self._link.census.nodes()

    async def hold(self, lease: str) -> Fence | None:
        """See `Backplane.hold`."""
        self._check_whole()
        try:
            return await self._leases.hold(lease)
        except Away as away:
            raise Refusal(UNAVAILABLE) from away

    async def release(self, lease: str) -> None:
        """See `Backplane.release`; cut off, it is left to run out."""
        if self.fault is not None:
            return
        try:
            # It runs out anyway: who stops must not be kept by a Redis that hangs.
            async with asyncio.timeout(RELEASE_S):
                await self._leases.release(lease)
        except (Away, TimeoutError) as away:
            logger.warning("lease %s is left to run out: %s", lease, away)

    def _send(self, voice: str, frame: bytes) -> None:
        command = Command(voice, ("SPUBLISH", voice, frame))
        self._link.sender.put(command, len(frame) + FRAME_BYTES)

    def _check_whole(self) -> None:
        if self.fault is not None:
            raise Refusal(UNAVAILABLE.because(self.fault))
