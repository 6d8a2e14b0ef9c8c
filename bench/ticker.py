"""1,000 sessions that watch twenty symbols, each changing 50 times a second.

A quote carries the time at which the market made it (`data.time`); load generator and
server share one clock, so its age when it is read is the difference.
"""

from __future__ import annotations

from typing import Final

from .field import HUBBUB, Contender
from .found import Visit, Watched
from .means import Means, rest
from .peers import Peer, Running
from .wires import MARKET

WHO: Final = (HUBBUB,)
WATCHERS: Final = 1_000
HZ: Final = 50
TIMES: Final = 5
"""So many runs long: the longest wait is what is asked for."""
PEER: Final = Peer(
    "ticker",
    ("-m", "server", "serve", "--memory", "--port", "0", "--market-hz", str(HZ)),
)


def measure(
    means: Means, contender: Contender, command: tuple[str, ...], found: Visit
) -> None:
    """Watch the whole board."""
    with means.started(PEER, command) as server:
        server.wake()
        found.watched = watch(means, server, WATCHERS)


def watch(means: Means, server: Running, people: int) -> Watched:
    """Let so many subscribe to the board, and read it for a while."""
    with means.crowd(MARKET, server) as crowd:
        crowd.connect("market", 1, people)
        rest(1.0)
        crowd.listen(means.seconds)
        server_s = server.cpu_s()
        read = crowd.listen(TIMES * means.seconds)
        server_s = server.cpu_s() - server_s
    return Watched(
        read.values / read.wall_s,
        read.p99_s,
        read.max_s,
        server_s / read.wall_s,
        read.generator_s / read.wall_s,
    )
