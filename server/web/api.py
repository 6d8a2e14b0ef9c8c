"""The few calls beside the sockets: one's name, lists, what a channel costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ..errors import PERMISSION_DENIED, UNKNOWN_CHANNEL, Refusal
from ..keys import CHAT_ROWS, HUB, IDENTIFY, NOTE_ROWS, PRINCIPAL
from ..model import Action, Principal
from .body import read_words
from .identity import VISITOR, Visitor, keep_guest
from .names import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..hub.hub import Hub
    from ..kinds.chat.rows import RoomRow
    from ..kinds.notes.rows import NoteRow

LIST_LIMIT: Final = 200


class _Naming(msgspec.Struct):
    name: str


async def rename(request: web.Request) -> web.StreamResponse:
    """`POST /api/name` `{"name"}`: call oneself something; answers `{"id","name"}`."""
    if request.app.get(IDENTIFY) is not None:
        # Names are the host application's to give.
        raise Refusal(PERMISSION_DENIED)
    name = check_name((await read_words(request, _Naming)).name)
    visitor = Visitor(
        Principal(request[VISITOR].principal.id, name), named=True, kept=False
    )
    response = _json({"id": visitor.principal.id, "name": name})
    keep_guest(request, response, visitor)
    return response


async def rooms(request: web.Request) -> web.StreamResponse:
    """`GET /api/rooms`: the rooms, the one spoken in last first."""
    found: Sequence[RoomRow] = await request.app[CHAT_ROWS].rooms(LIST_LIMIT)
    return _json({"rooms": found})


async def notes(request: web.Request) -> web.StreamResponse:
    """`GET /api/notes`: the notes, the one edited last first."""
    found: Sequence[NoteRow] = await request.app[NOTE_ROWS].notes(LIST_LIMIT)
    return _json({"notes": found})


async def explain(request: web.Request) -> web.StreamResponse:
    """`GET /api/channels/{channel}/explain`: what it costs here, and who is slow in it.

    For whom may subscribe. To others it is answered as where nobody uses the channel.
    """
    hub, name = request.app[HUB], request.match_info["channel"]
    found = None
    if await _may_follow(hub, request[PRINCIPAL], name):
        found = hub.explain(name)
    if found is None:
        raise Refusal(UNKNOWN_CHANNEL)
    words = msgspec.to_builtins(found, str_keys=True)
    return _json(words | {"top": None if found.top is None else str(found.top)})


async def _may_follow(hub: Hub, who: Principal, name: str) -> bool:
    try:
        await hub.registry.kind(name).authorize(who, name, Action.SUBSCRIBE)
    except Refusal as refusal:
        if refusal.error.temporary:
            raise
        return False
    return True


def _json(found: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(found), content_type="application/json"
    )
