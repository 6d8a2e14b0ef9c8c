"""One process that serves: listens, runs the application, and stops in good order."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .app import build_app
from .errors import SettingsError
from .gateways.raw import tune
from .keys import HUB
from .runtime.garbage import Garbage
from .settings import Settings
from .web.callers import Callers

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("hubbub")

BACKLOG: Final = 1024
# The wait for requests under way, twice: until they end, and until they are cancelled.
# Sessions were told before. With `close_timeout_s` it stays below 5 s altogether.
SHUTDOWN_TIMEOUT_S: Final = 0.4


def listen(settings: Settings, *, shared: bool = False) -> socket.socket:
    """Return a listening socket; what it accepts has the settings' bounds.

    `shared` lets other processes listen on the same port (SO_REUSEPORT): the kernel
    then deals the connections out. Raises `SettingsError` where the address cannot be
    used.
    """
    host, port = settings.host, settings.port
    try:
        family = family_of(host, port)
        both = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            (host, port),
            family=family,
            backlog=BACKLOG,
            reuse_port=shared,
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise unusable(settings, error) from error
    tune(listener, settings)
    return listener


def family_of(host: str, port: int) -> socket.AddressFamily:
    """Return which kind of address a host has; raise OSError where it has none."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]


def unusable(settings: Settings, error: OSError) -> SettingsError:
    """Return what to tell where an address cannot be listened on."""
    # asyncio's own text repeats the address; a resolver's number is no errno.
    number = error.errno or 0
    why = os.strerror(number) if number > 0 else error.strerror or str(error)
    fault = (
        f"Hubbub cannot listen on {settings.host}, port {settings.port}: {why.lower()}."
        " Choose others by --host and --port (HUBBUB_HOST, HUBBUB_PORT)."
    )
    return SettingsError([fault])


async def serve(
    settings: Settings,
    listener: socket.socket,
    listening: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`; call `listening` once it does.

    Raises `SettingsError` where the store or the backplane cannot be used.
    """
    allow_connections()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    app = build_app(settings)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=settings.keepalive_timeout_s,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    try:
        await runner.setup()
        await Callers(runner, listener, settings, backlog=BACKLOG).start()
        with Garbage(app[HUB].wheel, app[HUB].stats.ended).tuned():
            listening()
            await stop.wait()
        logger.info("stopping")
    finally:
        await runner.cleanup()


def allow_connections() -> None:
    """Let this process have as many connections as it may give itself (RLIMIT_NOFILE).

    The usual limit is made for processes that use select(2): 1,024.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def address(host: str, listener: socket.socket) -> str:
    """Return the URL by which this machine's browsers reach a listener."""
    port = listener.getsockname()[1]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
