"""*Break it*: what visitors may do to a channel of their own, to see promises kept.

Only `open:lab-<user id>` and `open:lab-<user id>.<anything>` can be broken, and only by
that user: nobody else can even read them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ..errors import PERMISSION_DENIED, TOO_MANY_REQUESTS, Refusal
from ..keys import HUB, PRINCIPAL
from ..kinds.open import LAB
from ..model import Action, split_channel
from .body import read_words
from .flood import Flood, Wanted

if TYPE_CHECKING:
    from ..hub.hub import Hub
    from ..model import Principal
    from ..runtime.clock import Clock
    from .figures import Sleep

logger = logging.getLogger("hubbub.lab")

MAX_FLOODS: Final = 8
"""At once, of all users together."""
EPOCH_INTERVAL_S: Final = 1.0
"""A user may give a new epoch so often."""


class _Anew(msgspec.Struct, frozen=True):
    channel: str


class Lab:
    """Who floods, and who gave a new epoch lately."""

    def __init__(self, hub: Hub, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._hub = hub
        self._clock = clock
        self._sleep = sleep
        self.flooding: set[str] = set()
        """The ids of the users whose floods are under way."""
        self._anew_s: dict[str, float] = {}

    async def flood(self, who: Principal, wanted: Wanted) -> Flood:
        """Begin a flood; return it. Raises `Refusal`: not theirs, or too many."""
        await self._check_own(who, wanted.channel)
        if who.id in self.flooding or len(self.flooding) >= MAX_FLOODS:
            raise Refusal(TOO_MANY_REQUESTS.because("a flood is under way"))
        flood = Flood(
            self._hub, self._clock, self._hub.new_id("f_"), wanted, self._sleep
        )
        self.flooding.add(who.id)
        self._hub.tasks.spawn(self._run(who, flood), f"flood-{who.id}")
        return flood

    async def new_epoch(self, who: Principal, channel: str) -> None:
        """Give a channel a new epoch. Raises `Refusal`: not theirs, or too often."""
        await self._check_own(who, channel)
        now_s = self._clock.monotonic()
        oldest_s = now_s - EPOCH_INTERVAL_S
        self._anew_s = {id_: at for id_, at in self._anew_s.items() if at > oldest_s}
        if who.id in self._anew_s:
            raise Refusal(TOO_MANY_REQUESTS.because("one epoch a second"))
        self._anew_s[who.id] = now_s
        await self._hub.new_epoch(channel)

    async def _run(self, who: Principal, flood: Flood) -> None:
        try:
            await flood.send()
        except Refusal as refusal:
            logger.info("a flood of %s ended early: %s", who.id, refusal)
        finally:
            # Before its end is read: who reads it may begin the next one.
            self.flooding.discard(who.id)
        await flood.say_end()

    async def _check_own(self, who: Principal, channel: str) -> None:
        kind, name = split_channel(channel)
        if kind != "open" or not name.startswith(LAB):
            raise Refusal(PERMISSION_DENIED.because("not a lab channel"))
        await self._hub.registry.kind(channel).authorize(who, channel, Action.PUBLISH)


LAB_KEY = web.AppKey("LAB_KEY", Lab)


def setup(app: web.Application) -> None:
    """Add the calls of *Break it*. Wanted before: `app[HUB]`."""
    app[LAB_KEY] = Lab(app[HUB], app[HUB].clock)
    app.add_routes(
        [web.post("/api/lab/flood", flood), web.post("/api/lab/epoch", epoch)]
    )


async def flood(request: web.Request) -> web.StreamResponse:
    """`POST /api/lab/flood` `{"channel","per_s","seconds","mode","pad_bytes"}`: flood.

    Answers 202 with its id and how many will be sent; 403 where the channel is not the
    user's own lab, 429 while one is under way.
    """
    wanted = await read_words(request, Wanted)
    began = await request.app[LAB_KEY].flood(request[PRINCIPAL], wanted)
    told = {"flood": began.id, "total": wanted.total, "mode": wanted.mode.value}
    return web.json_response(told, status=202)


async def epoch(request: web.Request) -> web.StreamResponse:
    """`POST /api/lab/epoch` `{"channel"}`: make its stream a new one."""
    wanted = await read_words(request, _Anew)
    await request.app[LAB_KEY].new_epoch(request[PRINCIPAL], wanted.channel)
    return web.json_response({"channel": wanted.channel})
