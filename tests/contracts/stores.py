"""The stores that the contract suites run on, and short ways to speak to them."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from server.hub.history import Bounds
from server.hub.ports import Append, Appended, Draft
from server.model import Principal
from server.stores.datadir import DataDirectory
from server.stores.memory import MemoryStore
from server.stores.sql.store import SqlStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from server.hub.ports import Change, Log
    from server.model import JSON, Position, Publication
    from tests.clocks import ManualClock

Store: TypeAlias = "MemoryStore | SqlStore"

ANN = Principal("u_ann", "Ann")
BOB = Principal("u_bob", "Bob \N{GRINNING FACE}")
ROOM = "chat:lobby"


@asynccontextmanager
async def open_store(
    which: str, path: Path, clock: ManualClock
) -> AsyncIterator[Store]:
    """Open the store that is meant by its name, without bounds of size or age."""
    if which == "memory":
        bounds = Bounds(size=100_000, age_s=math.inf, max_bytes=10**9)
        epochs = iter(f"epoch{count}" for count in range(100_000))
        yield MemoryStore(clock, lambda: next(epochs), lambda _: bounds)
    else:
        with DataDirectory.open(path / "data") as directory:
            async with SqlStore.open(directory, clock) as store:
                yield store


def say(
    content: JSON | bytes,
    *,
    channel: str = ROOM,
    author: Principal | None = ANN,
    key: str | None = None,
    changes: tuple[Change, ...] = (),
) -> Append:
    """Return an Append of one message."""
    draft = Draft(channel, "message", content, author, 1_000)
    return Append((draft,), changes, key)


async def keep(log: Log, *appends: Append) -> list[Position]:
    """Append and return the first position of each; all must be kept."""
    outcomes = await log.append(appends)
    kept = [each for each in outcomes if isinstance(each, Appended)]
    assert len(kept) == len(appends)
    return [each.positions[0] for each in kept]


async def fill(log: Log, count: int, channel: str = ROOM) -> list[Position]:
    """Append numbers 1 ... count, one publication each."""
    numbers = range(1, count + 1)
    return await keep(log, *(say(number, channel=channel) for number in numbers))


def offsets(publications: Iterable[Publication]) -> list[int]:
    """Return the offsets alone."""
    return [each.position.offset for each in publications]
