"""One node does it: work that a single node at a time may do, under a lease.

The work is cancelled as soon as the lease can have passed to another node; its fence
lets the log refuse what it may still have under way then.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from ..errors import Refusal
from ..seams.backplane import LEASE_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..model import Fence
    from ..seams.backplane import Backplane

logger = logging.getLogger("hubbub.leading")

RENEW_S: Final = 1.0
"""So often is a lease asked for, by who has it and by who waits for it."""
MARGIN_S: Final = 1.0
"""So much before its lease ends stops who could not renew it."""


async def lead(
    backplane: Backplane,
    lease: str,
    work: Callable[[Fence], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Run `work` on one node at a time, until cancelled; again where it ends.

    `pause` waits so many seconds.
    """
    while True:
        fence = await _hold(backplane, lease)
        if fence is not None:
            logger.info("this node leads %s", lease)
            try:
                await _lead(backplane, fence, work, pause)
            except Exception:
                logger.exception("the work of %s failed", lease)
            finally:
                await backplane.release(lease)
        await pause(RENEW_S)


async def _hold(backplane: Backplane, lease: str) -> Fence | None:
    try:
        return await backplane.hold(lease)
    except Refusal:
        return None


async def _lead(
    backplane: Backplane,
    fence: Fence,
    work: Callable[[Fence], Awaitable[None]],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    async def run() -> None:
        await work(fence)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(), name=f"lead-{fence.lease}")
        try:
            await _keep(backplane, fence, task, pause)
        finally:
            task.cancel()


async def _keep(
    backplane: Backplane,
    fence: Fence,
    task: asyncio.Task[None],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Return when the lease is lost, may be lost, or the work is done."""
    loop = asyncio.get_running_loop()
    held_at = loop.time()
    while not task.done():
        await pause(RENEW_S)
        asked_at = loop.time()
        try:
            async with asyncio.timeout(held_at + LEASE_S - MARGIN_S - asked_at):
                held = await backplane.hold(fence.lease)
        except (Refusal, TimeoutError):
            if loop.time() - held_at > LEASE_S - MARGIN_S - RENEW_S:
                logger.warning("this node leads %s no longer: cut off", fence.lease)
                return
            continue
        if held != fence:
            logger.warning("another node leads %s now", fence.lease)
            return
        held_at = asked_at
