"""Keeps the dashboard's channels alive: figures each second, activity as it changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..errors import Refusal
from .activity import Activity
from .figures import ACTIVITY, STATS, Meter, Reporter, seconds

if TYPE_CHECKING:
    from ..hub.hub import Hub
    from ..kinds.chat.rows import ChatRows
    from ..kinds.notes.rows import NoteRows
    from ..runtime.clock import Clock
    from .figures import Sleep

logger = logging.getLogger("hubbub.live")


async def publish_stats(
    hub: Hub,
    clock: Clock,
    chat: ChatRows,
    notes: NoteRows,
    *,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Publish to `hub:stats` and `hub:activity` until cancelled. `sleep` waits."""
    reporter = Reporter(hub)
    activity = Activity(hub, chat, notes)
    # Two tasks: figures go on while the rows' store is slow to answer.
    async with asyncio.TaskGroup() as group:
        group.create_task(_tell_figures(hub, clock, reporter, sleep))
        group.create_task(_tell_activity(activity, clock, reporter, sleep))


async def _tell_figures(
    hub: Hub, clock: Clock, reporter: Reporter, sleep: Sleep
) -> None:
    meter = Meter(hub, clock, reporter)
    async for lag_s in seconds(clock, sleep):
        try:
            await reporter.publish(STATS, meter.read(lag_s))
        except Refusal as refusal:
            # While stopping, or full: the next second may be better.
            logger.debug("no figures: %s", refusal)


async def _tell_activity(
    activity: Activity, clock: Clock, reporter: Reporter, sleep: Sleep
) -> None:
    async for _ in seconds(clock, sleep):
        try:
            await reporter.keep_open(ACTIVITY)
            news = await activity.news()
        except Refusal as refusal:
            logger.debug("no activity: %s", refusal)
        except Exception:
            # A store that cannot be read must not end the figures.
            logger.exception("the rows for the dashboard cannot be read")
        else:
            if news is not None:
                reporter.show(ACTIVITY, news)
