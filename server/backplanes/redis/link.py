"""This node's link with the others: whole, cut off, and whole again.

Rules:
1. It is whole while all of this holds: what is sent is taken, it comes back, all that
   was entered is subscribed, and the others know that this node lives.
2. The first task that finds one of them broken ends all; `cut_off` is told once.
3. To be whole again everything is made anew, and only then `reunited` is told.
"""

from __future__ import annotations

import asyncio
import logging
from operator import methodcaller
from random import SystemRandom
from typing import TYPE_CHECKING

from ...errors import Away
from ...runtime.stats import Traffic
from .census import Census
from .codec import Undecodable, decode, decode_order
from .ears import Deaf, Ears
from .entrance import Entrance
from .lane import Lane
from .sender import Sender
from .servers import Unfit
from .wire import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...runtime.clock import Clock
    from ...runtime.tasks import Tasks
    from ...seams.backplane import Receiver
    from .names import Names
    from .servers import Servers

logger = logging.getLogger("hubbub.redis")

BEAT_S = 1.0
BEAT_DEADLINE_S = 1.5
"""Together: after so long at most it is known that Redis is away."""
RETRY_S = 0.5
STOP_S = 1.0
READERS = 4

NOT_YET = "the backplane is not connected yet"
AWAY = "the backplane is away"
DEAF = "the backplane is not heard"
"""Clients may be told these: no address stands in them."""


class _Stopped(Away):
    """This node is to be whole no longer, because it stops."""


class Link:
    """All connections, and the tasks that keep them.

    `fault` is None while it is whole. `receiver` may be set once, before `start`.
    """

    def __init__(self, servers: Servers, names: Names, node: str, clock: Clock) -> None:
        self.servers = servers
        self.names = names
        self.fault: str | None = NOT_YET
        self.receiver: Receiver | None = None
        self.counts = Traffic()
        self.appends, self.reads = self._lane(1), self._lane(READERS)
        sends, self._beats = self._lane(1), self._lane(1, BEAT_DEADLINE_S)
        self._lanes = (self.appends, self.reads, sends, self._beats)
        self.sender = Sender(sends, self.counts)
        self.census = Census(names, node, clock)
        self.entrance = Entrance(names, clock)
        self._ears = Ears(servers, names, node, self._hear, self.entrance.confirm)
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, tasks: Tasks) -> None:
        """Become whole, and stay so in `tasks`. Raises `Away` or `Unfit`."""
        try:
            await self._unite()
        except BaseException:
            await self._close()
            raise
        self._whole()
        tasks.spawn(self._live(), "redis")

    async def stop(self) -> None:
        """Send what waits, within a second; leave the others, and close."""
        try:
            async with asyncio.timeout(STOP_S):
                if self.fault is None:
                    await self.sender.flush()
                    self._stopping.set()
                    # A beat after the departure would call this node back to life.
                    await self._idle.wait()
                    await self._beats.get([self.census.depart()])
        except (Away, TimeoutError) as error:
            logger.warning("left without a word: %s", error)
        finally:
            self._stopping.set()
            self.fault = AWAY
            await self._close()

    async def _live(self) -> None:
        """Stay whole, and become it again, until the node stops."""
        self._idle.clear()
        try:
            while not self._stopping.is_set():
                self._cut(await self._while_whole())
                await self._ears.close()
                await self._reunite()
        finally:
            await self._close()
            self._idle.set()

    async def _while_whole(self) -> Exception:
        """Do all that a whole node does; return what ended it."""
        found: list[Exception] = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._ears.listen())
                group.create_task(self.entrance.run(self._ears))
                group.create_task(self.sender.run())
                group.create_task(self._beat())
                moved = Away("the servers have changed")
                group.create_task(_end_at(self.servers.doubt, moved))
                group.create_task(_end_at(self._stopping, _Stopped()))
        except* Away as cut:
            found += _leaves(cut)
        except* Exception as bugs:
            logger.exception("a fault of our own")
            found += _leaves(bugs)
        return found[0]

    async def _reunite(self) -> None:
        """Try to become whole until it is, or the node stops."""
        said = ""
        while not self._stopping.is_set():
            await asyncio.sleep(RETRY_S * SystemRandom().uniform(0.5, 1.0))
            try:
                await self._unite()
            except (Away, Unfit) as error:
                if str(error) != said:
                    logger.warning("redis is still away: %s", error)
                said = str(error)
            except Exception:
                logger.exception("a fault of our own")
            else:
                if not self._stopping.is_set():
                    self.counts.reconnects += 1
                    self._whole()
                return

    async def _unite(self) -> None:
        """Make everything anew. Raises `Away` or `Unfit`."""
        await self.servers.survey()
        for lane in self._lanes:
            await lane.distrust()
        await self._ears.open([self.names.orders, *self.entrance.voices()])
        await self._beat_once()

    def _whole(self) -> None:
        self.fault = None
        self._tell(methodcaller("reunited"))

    def _tell(self, tell: Callable[[Receiver], None]) -> None:
        """Tell the receiver something; that it fails must not end this link."""
        if self.receiver is None:
            return
        try:
            tell(self.receiver)
        except Exception:
            logger.exception("what was told was not taken")

    def _cut(self, error: Exception) -> None:
        self.fault = DEAF if isinstance(error, Deaf) else AWAY
        self.sender.clear()
        self.entrance.cut()
        if not isinstance(error, _Stopped):
            self._tell(methodcaller("cut_off", str(error)))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if not await self._beat_once():
                # The others took it for dead, or Redis lost all.
                self._tell(methodcaller("reunited"))

    async def _beat_once(self) -> bool:
        """Say that this node lives; return whether the others had known it."""
        commands = [self.census.beat(), *self._ears.probe()]
        reply, *_ = await self._beats.get(commands)
        was_known, gone = self.census.hear(reply)
        for node in gone:
            self._tell(methodcaller("lost", node))
        return was_known

    def _hear(self, voice: bytes, frame: bytes) -> None:
        self.counts.heard += 1
        channel = self.names.channel(voice)
        receiver = self.receiver
        if receiver is None:
            return
        try:
            if channel is None:
                receiver.obey(decode_order(frame))
            elif channel in self.entrance:
                receiver.deliver(decode(channel, frame))
        except Undecodable as error:
            self.counts.undecodable += 1
            logger.warning("channel %s: a strange frame (%s)", channel, error)
        except Exception:
            logger.exception("what came could not be delivered")

    def _lane(self, width: int, deadline_s: float = DEADLINE_S) -> Lane:
        return Lane(self.servers, self.counts, width, deadline_s)

    async def _close(self) -> None:
        await self._ears.close()
        for lane in self._lanes:
            await lane.close()


async def _end_at(event: asyncio.Event, end: Away) -> None:
    await event.wait()
    raise end


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """Return the exceptions of a group and of the groups in it."""
    found: list[Exception] = []
    for each in group.exceptions:
        found += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return found
