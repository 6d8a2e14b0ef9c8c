"""Whether it lives, whether it can serve, and what it counts."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ..keys import CHAT_ROWS, HUB
from .lag import LoopLag
from .metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger("hubbub.web")

READ_TIMEOUT_S: Final = 2.0

LAG = web.AppKey("LAG", LoopLag)
METRICS = web.AppKey("METRICS", Metrics)
STOPPING = web.AppKey("STOPPING", asyncio.Event)


def setup(app: web.Application) -> None:
    """Count from the start of the application, and know when it stops."""
    app[LAG] = LoopLag()
    app[METRICS] = Metrics(app[HUB], app[LAG])
    app[STOPPING] = asyncio.Event()
    app.cleanup_ctx.append(_watch)
    app.on_shutdown.append(_stop)


async def healthz(request: web.Request) -> web.StreamResponse:
    """`/healthz`: the process lives and its loop turns."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.StreamResponse:
    """`/readyz`: 200 when it serves whole, else 503 and why, a line for each reason."""
    hub = request.app[HUB]
    if request.app[STOPPING].is_set() or hub.stopping:
        return _not_ready("stopping")
    if hub.faults:
        return _not_ready(*hub.faults)
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            await request.app[CHAT_ROWS].rooms(1)
    except TimeoutError:
        return _not_ready("the store does not answer")
    except Exception:
        logger.exception("the store cannot be read")
        return _not_ready("the store cannot be read")
    return web.Response(text="ready\n")


def _not_ready(*reasons: str) -> web.Response:
    return web.Response(status=503, text="".join(f"{each}\n" for each in reasons))


async def metrics(request: web.Request) -> web.StreamResponse:
    """`/metrics`: in the text format of Prometheus."""
    body = await request.app[METRICS].text()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _watch(app: web.Application) -> AsyncIterator[None]:
    app[LAG].start(asyncio.get_running_loop())
    yield
    app[LAG].stop()


async def _stop(app: web.Application) -> None:
    app[STOPPING].set()
