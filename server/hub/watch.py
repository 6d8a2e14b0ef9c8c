"""Compares what this node has delivered with the log, so that no loss stays silent.

A publication that the backplane lost shows by the next one; the last of a channel shows
only here. Each log is asked every few seconds for the tops of its open channels, which
also tells whether it answers:

    the log is ahead            what is missing is read and delivered
    another epoch               the stream is a new one, everybody is told
    below what was delivered    its tail was lost: the stream is ended, for all nodes
    no answer                   it is at fault: publishing to it is refused meanwhile

Beside it the rolls of the channels are read again once in a while, where there can be
other nodes: what they do not say of this node is said.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ..errors import Refusal
from ..queues.commit import AWAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..model import Position
    from ..queues.commit import Committer
    from .channel import Channel
    from .hub import Hub

logger = logging.getLogger("hubbub.watch")

CHECK_INTERVAL_S: Final = 5.0
RETRY_S: Final = 0.5
"""So often is a log asked that does not answer."""
ANSWER_S: Final = 2.0
"""A log that takes longer does not answer."""
ROLL_INTERVAL_S: Final = 30.0
CHANNELS_AT_ONCE: Final = 500


class Alarm:
    """A wait that can be cut short."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the wait, or the next one."""
        self._rung.set()

    async def wait(self, most_s: float) -> None:
        """Wait until it rings, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._rung.wait()
        self._rung.clear()


class Watch:
    """Watches the logs and the rolls of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._logs: list[Alarm] = []
        self._rolls = Alarm()
        self._again = False

    def start(self, committers: Iterable[Committer]) -> None:
        """Begin. Called once, on the running loop."""
        for committer in committers:
            alarm = Alarm()
            self._logs.append(alarm)
            self._hub.tasks.spawn(self._watch_log(committer, alarm), "watch-log")
        self._hub.tasks.spawn(self._watch_rolls(), "watch-rolls")

    def look(self) -> None:
        """Ask the logs now: one has failed, or what came may not be all."""
        for alarm in self._logs:
            alarm.ring()

    def call_rolls(self, *, again: bool = False) -> None:
        """Read the rolls now; `again`: say all of this node's own anew."""
        self._again |= again
        self._rolls.ring()

    # Logs

    async def _watch_log(self, committer: Committer, alarm: Alarm) -> None:
        while True:
            await alarm.wait(RETRY_S if committer.fault else CHECK_INTERVAL_S)
            try:
                for channels in _chunks(self._channels_of(committer)):
                    await self._compare(committer, channels)
            except Exception:
                if committer.fault is None:
                    logger.warning("a log does not answer", exc_info=True)
                committer.fault = AWAY
            else:
                committer.fault = None
            self._hub.neighbours.stand()

    def _channels_of(self, committer: Committer) -> list[Channel]:
        return [
            channel
            for channel in self._hub.channels.values()
            if channel.committer is committer and channel.top is not None
        ]

    async def _compare(self, committer: Committer, channels: Sequence[Channel]) -> None:
        delivered = [(channel, channel.top) for channel in channels]
        names = [channel.name for channel in channels]
        async with asyncio.timeout(ANSWER_S):
            tops = await committer.log.tops(names)
        for channel, before in delivered:
            top = tops[channel.name]
            if before is None or top == before or self._is_held(channel):
                continue
            if _is_short(top, before):
                await self._end_stream(channel, top)
            else:
                channel.reaches(top)

    def _is_held(self, channel: Channel) -> bool:
        """Whether nothing is fanned out: this node may be the only one to hear of it.

        It looks again as soon as the nodes are reunited.
        """
        cut_off = self._hub.backplane.fault is not None
        return cut_off and self._hub.registry.is_carried(channel.name)

    async def _end_stream(self, channel: Channel, top: Position) -> None:
        """Make a stream that lost its tail a new one, before its offsets come again."""
        logger.warning("channel %s: the log lost its tail", channel.name)
        self._hub.stats.renewed += 1
        async with asyncio.timeout(ANSWER_S):
            renewed = await channel.committer.log.renew(channel.name, top.epoch)
        channel.reaches(renewed)

    # Rolls

    async def _watch_rolls(self) -> None:
        while True:
            await self._rolls.wait(ROLL_INTERVAL_S)
            again, self._again = self._again, False
            if self._hub.backplane.fault is not None:
                continue
            if self._hub.backplane.alone:
                continue
            for channel in tuple(self._hub.channels.values()):
                if channel.entered:
                    await self._try_roll(channel, again=again)

    async def _try_roll(self, channel: Channel, *, again: bool) -> None:
        try:
            await self._call_roll(channel, again=again)
        except Refusal as refusal:
            logger.debug("channel %s: no roll: %s", channel.name, refusal)
            self._again |= again
        except Exception:
            # One roll that cannot be read must not keep the others from being.
            logger.exception("channel %s: the roll cannot be read", channel.name)

    async def _call_roll(self, channel: Channel, *, again: bool) -> None:
        hub, before = self._hub, channel.roster.marks()
        rolls = await hub.backplane.roll(channel.name)
        own = next((roll for roll in rolls if roll.node == hub.node), None)
        if own is not None:
            hub.publishing.take_back(channel, own)
        # The others may have taken this node for dead, though the roll has it still.
        hub.publishing.resay(channel, None if again else own)
        channel.call(rolls, before)


def _is_short(top: Position, before: Position) -> bool:
    return top.epoch == before.epoch and top.offset < before.offset


def _chunks(channels: Sequence[Channel]) -> Iterator[Sequence[Channel]]:
    """Cut into runs; one run without channels still asks whether the log answers."""
    for start in range(0, max(len(channels), 1), CHANNELS_AT_ONCE):
        yield channels[start : start + CHANNELS_AT_ONCE]
