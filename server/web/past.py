"""The past in a page: what its channels would answer a subscribe, in the page's HTML.

So the page shows what was said without waiting for its socket, and its socket
subscribes with `since`: the position in the HTML. What is said in between arrives once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from ..errors import HubbubError
from ..keys import HUB, WORDS
from .identity import VISITOR

if TYPE_CHECKING:
    from aiohttp import web

    from ..model import JSON

    Words: TypeAlias = dict[str, JSON]

logger = logging.getLogger("hubbub.past")

WITHIN_S: Final = 0.5
"""A page waits so long for its past, then leaves it to the socket."""


async def read_past(request: web.Request, *channels: str) -> list[Words]:
    """Return the subscribe replies of channels, as the native wire says them.

    Left out is what its visitor may not see, what cannot be had in time, and where
    nothing was said yet: of those the socket will tell.
    """
    found: list[Words] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(WITHIN_S):
            for channel in channels:
                words = await _read(request, channel)
                if words is not None:
                    found.append(words)
    return found


async def _read(request: web.Request, channel: str) -> Words | None:
    words_of = request.app.get(WORDS)
    if words_of is None:
        return None
    try:
        past = await request.app[HUB].past(request[VISITOR].principal, channel)
    except HubbubError as error:
        logger.debug("a page without the past of %s: %s", channel, error)
        return None
    except Exception:
        # A page that cannot show the past can still say so: its socket is told why.
        logger.exception("the past of %s cannot be read", channel)
        return None
    says_nothing = not past.publications and past.state is None and not past.signals
    return None if says_nothing else words_of(past)
