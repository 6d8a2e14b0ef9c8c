"""Keeps the dashboard's channels alive: figures each second, activity as it changes.

Each node describes itself to the others; one of them at a time, under a lease, tells of
all. So every dashboard shows the same, whichever node it is connected to.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Final

import msgspec

from ..errors import Refusal
from .activity import Activity
from .figures import ACTIVITY, STATS, Meter, Reporter, seconds
from .package import version
from .whole import Card, Whole

if TYPE_CHECKING:
    from ..hub.hub import Hub
    from ..kinds.chat.rows import ChatRows
    from ..kinds.notes.rows import NoteRows
    from ..model import Fence
    from ..runtime.clock import Clock
    from .figures import Sleep

logger = logging.getLogger("hubbub.live")

LEASE: Final = "dashboard"


class Beat:
    """Something that happens again and again, for those who wait for the next time."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def strike(self) -> None:
        """Wake all who wait."""
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next time."""
        await self._next.wait()


async def publish_stats(
    hub: Hub,
    clock: Clock,
    chat: ChatRows,
    notes: NoteRows,
    *,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Describe this node, and report of all in its turn, until cancelled.

    Reports go to `hub:stats` and `hub:activity`. `sleep` waits.
    """
    reporter, whole, beat = Reporter(hub), Whole(clock), Beat()

    async def report(fence: Fence) -> None:
        activity = Activity(hub, chat, notes)
        # Two tasks: figures go on while the rows' store is slow to answer.
        async with asyncio.TaskGroup() as group:
            group.create_task(_tell_figures(whole, beat, reporter, fence))
            group.create_task(_tell_activity(activity, beat, reporter))

    async with asyncio.TaskGroup() as group:
        group.create_task(reporter.hear(STATS))
        group.create_task(reporter.hear(ACTIVITY))
        group.create_task(
            _describe(hub, Meter(hub, clock, reporter), whole, beat, sleep)
        )
        group.create_task(hub.lead(LEASE, report))


async def _describe(
    hub: Hub, meter: Meter, whole: Whole, beat: Beat, sleep: Sleep
) -> None:
    host, pid, own_version = socket.gethostname(), os.getpid(), version()
    started_ms, number = meter.clock.now_ms(), 0
    async for lag_s in seconds(meter.clock, sleep):
        number += 1
        card = Card(number, host, pid, started_ms, own_version, meter.read(lag_s))
        hub.backplane.describe(msgspec.to_builtins(card))
        whole.look(hub.backplane.nodes())
        beat.strike()


async def _tell_figures(
    whole: Whole, beat: Beat, reporter: Reporter, fence: Fence
) -> None:
    while True:
        await beat.wait()
        try:
            await reporter.publish(STATS, whole.tell(), fence)
        except Refusal as refusal:
            # While stopping, or full: the next second may be better.
            logger.debug("no figures: %s", refusal)


async def _tell_activity(activity: Activity, beat: Beat, reporter: Reporter) -> None:
    while True:
        await beat.wait()
        try:
            news = await activity.news()
        except Refusal as refusal:
            logger.debug("no activity: %s", refusal)
        except Exception:
            # A store that cannot be read must not end the figures.
            logger.exception("the rows for the dashboard cannot be read")
        else:
            if news is not None:
                reporter.show(ACTIVITY, news)
