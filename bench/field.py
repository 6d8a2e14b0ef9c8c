"""The field: all servers that a run compares, in the order of its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from . import wires
from .peers import Peer
from .wires import Wire
from .workshop import RIVALS, Runtime

HUBBUB: Final = "hubbub"
HUBBUB_SOCKETIO: Final = "hubbub-socketio"
C: Final = "c"
JOINED: Final = "joined"
JOINED_LONG: Final = "joined-long"
SOCKETIFY: Final = "socketify"
WS: Final = "ws"
SOCKETIO: Final = "socketio"
PYTHON_SOCKETIO: Final = "python-socketio"

_RIVAL_QUIET_S = 0.5
# The market would take its share of the core; so it all but sleeps.
SERVE_FLAGS: Final = (
    *("--memory", "--port", "0", "--market-hz", "0.1"),
    # One speaker says what thousands would.
    *("--frames-per-s", "0"),
)
_SERVE = ("-m", "server", "serve", *SERVE_FLAGS)


@dataclass(frozen=True, slots=True)
class Contender:
    """One server: the word that chooses it, its name in the table, how it is run.

    `arguments` follow what its runtime begins with.
    """

    word: str
    title: str
    arguments: tuple[str, ...]
    runtime: Runtime = Runtime.OWN
    wire: Wire = field(default=wires.BARE)

    @property
    def peer(self) -> Peer:
        """The process to be started."""
        if self.arguments == _SERVE:
            return Peer(self.title, self.arguments)
        return Peer(self.title, self.arguments, quiet_s=_RIVAL_QUIET_S)


def _rival(name: str) -> str:
    return str(RIVALS / name)


FIELD: Final = (
    Contender(HUBBUB, "**Hubbub**, native wire", _SERVE, wire=wires.NATIVE),
    Contender(
        HUBBUB_SOCKETIO, "**Hubbub**, Socket.IO", _SERVE, wire=wires.HUBBUB_SOCKETIO
    ),
    Contender("hubbub-sse", "**Hubbub**, SSE", _SERVE, wire=wires.SSE),
    Contender(C, "plain epoll server in C", (), Runtime.C),
    Contender(JOINED, "aiohttp, joined", ("-m", "bench.rivals.bare", "joined")),
    Contender(
        JOINED_LONG,
        "aiohttp, joined, frames as long as Hubbub's",
        ("-m", "bench.rivals.bare", "joined"),
        wire=wires.LONG,
    ),
    Contender("once", "aiohttp, framed once", ("-m", "bench.rivals.bare", "once")),
    Contender("each", "aiohttp, `await send_str`", ("-m", "bench.rivals.bare", "each")),
    Contender(SOCKETIFY, "uWebSockets (socketify)", (_rival("uws.py"),), Runtime.PYPI),
    Contender("picows", "picows", (_rival("picows_each.py"),), Runtime.PYPI),
    Contender(
        "websockets",
        "`websockets`, `broadcast()`",
        (_rival("websockets_broadcast.py"),),
        Runtime.PYPI,
    ),
    Contender(WS, "`ws` (Node)", (_rival("ws.cjs"),), Runtime.NODE),
    Contender(
        SOCKETIO,
        "Socket.IO (Node)",
        (_rival("socketio.cjs"),),
        Runtime.NODE,
        wires.SOCKETIO,
    ),
    Contender(
        PYTHON_SOCKETIO,
        "python-socketio on aiohttp",
        (_rival("python_socketio.py"),),
        Runtime.PYPI,
        wires.SOCKETIO,
    ),
)


def chosen(words: str) -> tuple[Contender, ...]:
    """Return the servers that words between commas choose; empty: all.

    Raises ValueError, with all words that there are, for one that is none.
    """
    wanted = [word for word in words.split(",") if word]
    known = {contender.word: contender for contender in FIELD}
    if unknown := [word for word in wanted if word not in known]:
        raise ValueError(f"no server {unknown[0]}; there are {', '.join(known)}")
    return tuple(each for each in FIELD if not wanted or each.word in wanted)
