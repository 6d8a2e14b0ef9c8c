"""The command: `hubbub serve`, or `python -m server serve` in the checkout."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .app import build_app
from .errors import SettingsError
from .flags import help_text, load
from .gateways.base import tune
from .observability import set_up_logging
from .web.package import version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings import Settings

logger = logging.getLogger("hubbub")

BACKLOG: Final = 1024
# The wait for requests under way, twice: until they end, and until they are cancelled.
# Sessions were told before. With `close_timeout_s` it stays below 5 s altogether.
SHUTDOWN_TIMEOUT_S: Final = 0.4
USAGE_FAULT: Final = 2

HELP: Final = """usage: hubbub serve [--flag value ...]
       hubbub --version

An all-in-one realtime server: chat, a live ticker and shared notes through one hub.

  serve      serve on http://127.0.0.1:8080; hubbub serve --help tells all flags
  --version  print the version
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; `argv` None takes the process's own."""
    match list(sys.argv[1:] if argv is None else argv):
        case ["serve", *flags]:
            return serve(flags)
        case ["--version"]:
            print(f"hubbub {version()}")
            return 0
        case ["-h" | "--help"]:
            print(HELP, end="")
            return 0
        case []:
            print(HELP, end="", file=sys.stderr)
        case [word, *_]:
            print(f"There is no command {word!r}.\n\n{HELP}", end="", file=sys.stderr)
    return USAGE_FAULT


def serve(flags: Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; return 2 where that cannot even begin."""
    if "-h" in flags or "--help" in flags:
        print(help_text(), end="")
        return 0
    try:
        settings = load(flags)
        set_up_logging(settings.log_level)
        with listen(settings) as listener, asyncio.Runner() as runner:
            runner.run(_serve(settings, listener))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return USAGE_FAULT
    return 0


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket; what it accepts has the settings' bounds.

    Raises `SettingsError` where the address cannot be used.
    """
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = family is socket.AF_INET6 and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        # asyncio's own text repeats the address; a resolver's number is no errno.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror or str(error)
        fault = (
            f"Hubbub cannot listen on {host}, port {port}: {why.lower()}."
            " Choose others by --host and --port (HUBBUB_HOST, HUBBUB_PORT)."
        )
        raise SettingsError([fault]) from error
    tune(listener, settings)
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        build_app(settings),
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=settings.keepalive_timeout_s,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        print(f"Hubbub is at {address(settings.host, listener)}", flush=True)
        await stop.wait()
        logger.info("stopping")
    finally:
        await runner.cleanup()


def address(host: str, listener: socket.socket) -> str:
    """Return the URL by which this machine's browsers reach a listener."""
    port = listener.getsockname()[1]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
