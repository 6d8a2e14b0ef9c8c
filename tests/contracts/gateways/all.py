"""The gateways of the matrix, in the order of its columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contracts.gateways.native import Native
from tests.contracts.gateways.socketio import Polling, SocketIo
from tests.contracts.gateways.sse import Sse
from tests.contracts.gateways.yjs import Yjs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contracts.gateways.driver import Driver

GATEWAYS: Mapping[str, type[Driver]] = {
    "native": Native,
    "yjs": Yjs,
    "sse": Sse,
    "socketio": SocketIo,
    "polling": Polling,
}


def fellow(gateway: type[Driver]) -> type[Driver]:
    """Return another gateway, by which one can be in the same channel."""
    return Sse if gateway is Native else Native
