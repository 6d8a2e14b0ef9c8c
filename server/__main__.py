"""The command: `hubbub serve`, or `python -m server serve` in the checkout."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Final

from .errors import SettingsError
from .flags import help_text, load
from .observability import set_up_logging
from .serving import address, listen, serve
from .web.package import version
from .workers import supervise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .settings import Settings

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
            return run(flags)
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


def run(flags: Sequence[str]) -> int:
    """Serve until SIGINT or SIGTERM; return 2 where that cannot even begin."""
    if "-h" in flags or "--help" in flags:
        print(help_text(), end="")
        return 0
    try:
        settings = load(flags)
        set_up_logging(settings.log_level)
        if settings.workers > 1:
            return supervise(settings)
        with listen(settings) as listener, asyncio.Runner() as runner:
            runner.run(_serve(settings, listener))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return USAGE_FAULT
    return 0


async def _serve(settings: Settings, listener: socket.socket) -> None:
    def tell() -> None:
        print(f"Hubbub is at {address(settings.host, listener)}", flush=True)

    await serve(settings, listener, tell, asyncio.Event())


if __name__ == "__main__":
    sys.exit(main())
