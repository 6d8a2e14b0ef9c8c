"""How an application's own handlers are called, and what becomes of what they raise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...errors import INTERNAL, Refusal
from ...model import Failed
from . import speech
from .codec import refusal
from .namespace import ConnectRefused, call
from .socket import SocketGone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...model import JSON
    from .namespace import EventHandler, Namespace
    from .packets import Packet
    from .socket import Socket

logger = logging.getLogger("hubbub.socketio")


async def ask_in(namespace: Namespace | None, socket: Socket) -> None:
    """Ask who has a say whether a client comes in.

    Raises `ConnectRefused`, and `SocketGone` where it went meanwhile.
    """
    if namespace is None:
        return
    came = namespace.handler("connect")
    asked = [*namespace.checks, *([came.handler] if came else ())]
    try:
        for each in asked:
            await call(each, socket, socket.auth)
    except (ConnectRefused, SocketGone):
        raise
    except Refusal as refused:
        error = refused.error
        words: JSON = {"code": error.code, "temporary": error.temporary}
        raise ConnectRefused(error.message, words) from None
    except Exception:
        # Its text may be sensitive: it stays in the log.
        logger.exception("namespace %s: a connect handler failed", namespace.name)
        raise ConnectRefused(INTERNAL.message) from None


async def went(namespace: Namespace, socket: Socket, reason: str) -> None:
    """Tell the application that a client is gone."""
    handler = namespace.handler("disconnect")
    if handler is None:
        return
    try:
        await call(handler.handler, socket, reason)
    except Exception:
        logger.exception("namespace %s: a disconnect handler failed", namespace.name)


async def answer(handler: EventHandler, socket: Socket, packet: Packet) -> None:
    """Have an event handled; what the handler returns acknowledges it."""
    name, *arguments = packet.arguments
    try:
        result = await handler(socket, *arguments)
        if packet.id is not None:
            frame = speech.ack(packet.namespace, packet.id, _values(result))
            socket.session.push(frame, None)
        return
    except SocketGone:
        return
    except Refusal as refused:
        error = refused.error
    except Exception:
        error = INTERNAL
        if name not in socket.faults:
            socket.faults.add(str(name))
            logger.exception("namespace %s: %s failed", packet.namespace, name)
    failed = Failed(packet.id, None, error)
    socket.session.push(refusal(packet.namespace, failed), None)


def words_of_refusal(refused: ConnectRefused) -> dict[str, JSON]:
    """Return what the client's error says."""
    words: dict[str, JSON] = {"message": refused.message}
    return words if refused.content is None else words | {"data": refused.content}


def _values(result: object) -> Sequence[object]:
    if result is None:
        return ()
    return result if isinstance(result, tuple) else (result,)
