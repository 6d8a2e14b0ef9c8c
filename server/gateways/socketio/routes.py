"""The Socket.IO gateway's routes: connections, joined with what is done with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...keys import IDENTIFY, PRINCIPAL, SECRET, SETTINGS
from . import front
from .codec import SharedCodec
from .entrance import Hall
from .receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from ...hub.hub import Hub
    from .connection import Connection
    from .namespace import Namespace


class _All:
    """Every namespace: for clients that ask for no recovery, by `?recovery=0`."""

    def __contains__(self, namespace: object) -> bool:
        return True


_ALL = _All()


def routes(hub: Hub, namespaces: Iterable[Namespace] = ()) -> list[web.RouteDef]:
    """Return the routes; `namespaces` are those with handlers in Python.

    Raises ValueError where one of them is given twice.
    """
    by_name: dict[str, Namespace] = {}
    for namespace in namespaces:
        if namespace.name in by_name:
            raise ValueError(f"the namespace {namespace.name} is given twice")
        by_name[namespace.name] = namespace
        namespace.attach(hub)
    forgetful = frozenset(each.name for each in by_name.values() if not each.recovery)
    hall, codec, plain = Hall(hub, by_name), SharedCodec(forgetful), SharedCodec(_ALL)

    def open_peer(request: web.Request, connection: Connection) -> Receiver:
        shared = plain if request.query.get("recovery") == "0" else codec
        who = request[PRINCIPAL]
        return Receiver(
            hall,
            hub.open_session(who, "socketio", shared, connection),
            shared,
            secret=request.app[SECRET],
            anonymous=_is_anonymous(request),
            max_frame_bytes=request.app[SETTINGS].max_frame_bytes,
        )

    return front.routes(open_peer)


def _is_anonymous(request: web.Request) -> bool:
    """Whether nobody says who this is: neither a cookie nor the host application."""
    return IDENTIFY not in request.app and "Cookie" not in request.headers
