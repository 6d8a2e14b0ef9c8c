"""The few calls that pages make beside their socket: one's name, and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from ..errors import PERMISSION_DENIED, Refusal
from ..keys import CHAT_ROWS, IDENTIFY, NOTE_ROWS
from ..model import Principal
from .body import read_words
from .identity import VISITOR, Visitor, keep_guest
from .names import check_name

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def _json(found: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(found), content_type="application/json"
    )
