"""Whether this node has room for one more session; asked before the handshake's end.

Who finds none is told when to try again, each another time, so that those who came
together do not come back together.
"""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..hub.hub import Hub
    from ..settings import Settings

Draw: TypeAlias = "Callable[[int, int], int]"
"""Returns a random whole number, at least the first and at most the second."""

RETRY_AFTER_S: Final = (5, 15)
FULL: Final = "This server has no room for one more session at the moment."

_chance = SystemRandom()


def is_full(hub: Hub, settings: Settings) -> bool:
    """Return whether there is no room; who asks is counted as turned away then."""
    full = len(hub.sessions) >= settings.max_sessions
    hub.stats.turned_away += full
    return full


def admit(hub: Hub, settings: Settings, draw: Draw = _chance.randint) -> None:
    """Let a session begin; raise HTTPServiceUnavailable where there is no room."""
    if is_full(hub, settings):
        raise web.HTTPServiceUnavailable(
            text=FULL + "\n",
            headers={hdrs.RETRY_AFTER: str(draw(*RETRY_AFTER_S))},
        )
