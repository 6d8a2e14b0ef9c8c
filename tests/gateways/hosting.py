"""A hub in an application of a test's own, behind the routes of one gateway."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web
from aiohttp.test_utils import TestServer

from server import keys
from server.hub.limits import Limits
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.stores.ring import Bounds
from tests.hub.logs import FaultyLog

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from server.hub.hub import Hub
    from server.hub.session import Session
    from server.model import Principal
    from server.settings import Settings
    from tests.clocks import ManualClock


class PatientServer(TestServer):
    """A server that lets handlers go on whose client is gone, as aiohttp's default."""

    async def _make_runner(self, **kwargs: Any) -> web.AppRunner:  # noqa: ANN401
        kwargs["handler_cancellation"] = False
        return cast("web.AppRunner", await super()._make_runner(**kwargs))


def counted_log(clock: ManualClock, bounds: Bounds | None = None) -> FaultyLog:
    """Return a log in memory whose epochs count up; `bounds` None: the usual ones."""
    epochs = (f"epoch{count}" for count in itertools.count(1))
    kept = bounds or Bounds()
    return FaultyLog(MemoryStore(clock, lambda: next(epochs), lambda _: kept).log)


def limits_of(settings: Settings) -> Limits:
    """Return a hub's bounds, as far as its gateways' tests set them."""
    return Limits(
        outbox_bytes=settings.outbox_bytes,
        subscriptions=settings.subscriptions_per_session,
        close_timeout_s=settings.close_timeout_s,
    )


async def leave_waiting(hub: Hub, session: Session) -> None:
    """Say so much in `open:a` that 50,000 bytes wait for one who does not read it."""
    while session.outbox.waiting_bytes < 50_000:
        await hub.publish("open:a", "x" * 5_000)


def introduced(who: Callable[[web.Request], Principal]) -> Middleware:
    """Return a sign-in that believes `who`."""

    @web.middleware
    async def introduce(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[keys.PRINCIPAL] = who(request)
        return await handler(request)

    return introduce


def give_hub(
    app: web.Application, hub: Hub, settings: Settings, log: FaultyLog
) -> None:
    """Give an application its hub, which keeps everything in one log.

    It starts and stops with the application, and its sessions are sent away first.
    """
    app[keys.HUB], app[keys.SETTINGS] = hub, settings

    async def life(_: web.Application) -> AsyncIterator[None]:
        await hub.start(dict.fromkeys(Keep, log))
        yield
        await hub.stop()

    async def send_away(_: web.Application) -> None:
        await hub.send_away()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(send_away)
