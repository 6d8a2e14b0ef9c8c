"""Nodes on one Redis, and what they hear, for the tests of the backplane."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from server.backplanes.redis.backplane import Bounds, RedisBackplane
from server.model import Attendance, Principal, Publication, Signal
from server.runtime.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from server.model import Broadcast
    from server.seams.backplane import Backplane, Order

ROOM = "open:lobby"
ANN = Principal("u_ann", "Ann")
BOB = Principal("u_bob", "Bob \N{GRINNING FACE}")
KEPT = Bounds(size=100_000, age_s=float("inf"), max_bytes=10**9)

_numbers = count(1)


@dataclass
class Heard:
    """A receiver that writes down what it is told."""

    came: list[Broadcast] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """`cut off`, `reunited` and `lost <node>`, in their order."""
    reasons: list[str] = field(default_factory=list)
    """Why it was cut off, each time."""

    def deliver(self, broadcast: Broadcast) -> None:
        """See `Receiver.deliver`."""
        self.came.append(broadcast)

    def obey(self, order: Order) -> None:
        """See `Receiver.obey`."""
        self.orders.append(order)

    def cut_off(self, reason: str) -> None:
        """See `Receiver.cut_off`."""
        self.told.append("cut off")
        self.reasons.append(reason)

    def reunited(self) -> None:
        """See `Receiver.reunited`."""
        self.told.append("reunited")

    def lost(self, node: str) -> None:
        """See `Receiver.lost`."""
        self.told.append(f"lost {node}")

    def publications(self) -> list[Publication]:
        """Return the publications among what came."""
        return [each for each in self.came if isinstance(each, Publication)]


@dataclass
class Member:
    """A node: its backplane, its tasks, and what it heard."""

    backplane: RedisBackplane
    tasks: Tasks
    heard: Heard

    async def die(self) -> None:
        """End without a word, as a crash would: the connections go, nothing is said."""
        await self.tasks.stop()
        # What it would say at its end is what a crash leaves unsaid.
        self.backplane._link.fault = "dead"  # noqa: SLF001
        await self.backplane.stop()


@asynccontextmanager
async def running(
    url: str,
    bounds: Callable[[str], Bounds] = lambda _: KEPT,
    prefix: str = "hubbub",
    heard: Heard | None = None,
) -> AsyncIterator[Member]:
    """Run one node."""
    node = f"n_{next(_numbers)}"
    backplane = RedisBackplane(url, node, bounds=bounds, prefix=prefix)
    member = Member(backplane, Tasks(), heard or Heard())
    backplane.attach(member.heard)
    await member.tasks.start()
    try:
        await backplane.start(member.tasks)
        yield member
    finally:
        await backplane.stop()
        await member.tasks.stop()


async def holds(condition: Callable[[], object], within_s: float = 5.0) -> float:
    """Wait until something holds; return after how many seconds it did."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while not condition():
        assert loop.time() - began_s < within_s, "it does not come to hold"
        await asyncio.sleep(0.01)
    return loop.time() - began_s


def attendance(
    backplane: Backplane, who: Principal, sessions: int, stamp: int
) -> Attendance:
    """Return that somebody has so many sessions on a node."""
    return Attendance(ROOM, backplane.node, who, sessions, stamp)


def cursor(backplane: Backplane, key: str, stamp: int, *, fell: bool = False) -> Signal:
    """Return a retained signal."""
    return Signal(
        ROOM,
        "cursor",
        {"x": [1, None, "\N{SNOWMAN}"]},
        ANN,
        5,
        key,
        retained=True,
        owner="c_1",
        fell=fell,
        node=backplane.node,
        stamp=stamp,
    )


def contents(publications: Sequence[Publication]) -> list[object]:
    """Return the contents alone."""
    return [each.content for each in publications]
