"""The channels that are open on this node: opened on demand, closed when idle."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..errors import UNAVAILABLE, UNKNOWN_CHANNEL, HubbubError, Refusal
from ..model import SERVER, split_channel
from ..seams.kind import Keep
from .channel import Channel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from ..model import Action, Principal
    from ..queues.commit import Committer
    from ..seams.kind import Kind
    from .hub import Hub

logger = logging.getLogger("hubbub.registry")

SWEEP_INTERVAL_S = 15.0


class Registry:
    """Finds channels by name, and makes their kinds ready."""

    def __init__(self, hub: Hub, kinds: Mapping[str, Kind]) -> None:
        self._hub = hub
        self._kinds = kinds
        self._committers: dict[Keep, Committer] = {}
        self.open: dict[str, Channel] = {}

    def start(self, committers: Mapping[Keep, Committer]) -> None:
        """Say where what is kept goes; before that every channel is unavailable."""
        self._committers.update(committers)
        self._hub.wheel.call_later(SWEEP_INTERVAL_S, self._sweep)

    def kind(self, name: str) -> Kind:
        """Return a channel's kind; raise `Refusal` (unknown channel)."""
        kind = self._kinds.get(split_channel(name)[0])
        if kind is None:
            raise Refusal(UNKNOWN_CHANNEL)
        return kind

    def is_carried(self, name: str) -> bool:
        """Whether a channel is one on all nodes, not one of this node alone."""
        return self.kind(name).policy.keep is not Keep.MEMORY

    def committer(self, name: str) -> Committer:
        """Return what commits a channel's publications; raise `Refusal`."""
        kind = self.kind(name)
        try:
            return self._committers[kind.policy.keep]
        except KeyError:
            raise Refusal(UNAVAILABLE) from None

    @asynccontextmanager
    async def entered(
        self, who: Principal, name: str, action: Action
    ) -> AsyncIterator[Channel]:
        """Authorize, and hold a channel open meanwhile. Raises `Refusal`."""
        kind = self.kind(name)
        if who is not SERVER:
            await kind.authorize(who, name, action)
        channel = self._find(name, kind)
        channel.users += 1
        channel.used_at = self._hub.now()
        try:
            if not channel.loaded:
                await self.load(channel)
            yield channel
        finally:
            channel.users -= 1
            channel.used_at = self._hub.now()

    def _find(self, name: str, kind: Kind) -> Channel:
        if self._hub.stopping:
            # An open channel too: nothing would ever commit what is submitted now.
            raise Refusal(UNAVAILABLE)
        channel = self.open.get(name)
        if channel is None:
            if len(self.open) >= self._hub.limits.channels:
                self._close_idle()
            if len(self.open) >= self._hub.limits.channels:
                raise Refusal(UNAVAILABLE.because("too many channels"))
            channel = Channel(self._hub, name, kind, self.committer(name))
            self.open[name] = channel
        return channel

    async def load(self, channel: Channel) -> None:
        """Make the kind ready to judge; raise `Refusal` (unavailable) if it cannot."""
        async with channel.opening:
            if channel.loaded:
                return
            # Others may have waited for it in vain meanwhile.
            channel.committer.check_fault()
            if not channel.entered and self.is_carried(channel.name):
                await self._enter(channel)
            # What is in flight must be kept first: the state is read from the log.
            if not channel.committer.idle:
                await channel.committer.barrier()
            before = channel.top
            try:
                top = await channel.kind.load(channel.name, channel.committer.log)
            except BaseException as error:
                channel.not_found()
                if not isinstance(error, Exception) or isinstance(error, Refusal):
                    raise
                trace = None if isinstance(error, HubbubError) else error
                logger.warning(
                    "channel %s: cannot be loaded", channel.name, exc_info=trace
                )
                raise Refusal(UNAVAILABLE) from None
            channel.loaded = True
            channel.found(before, top)

    async def _enter(self, channel: Channel) -> None:
        """Hear of the channel from all nodes, and who is there already."""
        backplane = self._hub.backplane
        await backplane.enter(channel.name)
        channel.call(await backplane.roll(channel.name), {})
        channel.entered = True

    async def renew(self, name: str) -> None:
        """Make an open channel's stream a new one, and tell everybody.

        Raises `Refusal` (unavailable) for one that is durable or not open.
        """
        channel = self.open.get(name)
        if channel is None or channel.top is None or channel.committer.log.durable:
            raise Refusal(UNAVAILABLE.because("only an open memory channel can"))
        await channel.committer.log.renew(name, channel.top.epoch)
        channel.forget()
        await self.load(channel)

    def _sweep(self) -> None:
        self._close_idle()
        self._hub.wheel.call_later(SWEEP_INTERVAL_S, self._sweep)

    def _close_idle(self) -> None:
        now = self._hub.now()
        for name, channel in tuple(self.open.items()):
            # Not asked: whether its log is at work. Under load it always is, with other
            # channels; and what is in flight of this one is kept, and read at its next
            # opening.
            if channel.idle and now > self._stays_to(channel):
                del self.open[name]
                self._hub.backplane.leave(name)
                channel.forget()
                self._drop(channel)

    def _stays_to(self, channel: Channel) -> float:
        if not channel.was_used:
            # Somebody asked for it: who makes up names must not fill the house.
            return channel.used_at
        idle_s = self._hub.limits.idle_s
        policy = channel.kind.policy
        if policy.keep is not Keep.DURABLE:
            # Who comes back within the history's age must find it.
            idle_s = max(idle_s, policy.history_age_s)
        return channel.used_at + idle_s

    @staticmethod
    def _drop(channel: Channel) -> None:
        log = channel.committer.log
        # Without a store a memory log stands in for it, and must not forget.
        if log.durable or channel.kind.policy.keep is not Keep.DURABLE:
            log.drop(channel.name)
