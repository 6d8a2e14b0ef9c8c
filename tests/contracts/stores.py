"""The stores that the contract suites run on, and short ways to speak to them."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from server.model import Principal, Publication
from server.seams.log import Append, Appended, Draft
from server.stores.datadir import DataDirectory
from server.stores.memory import MemoryStore
from server.stores.recall import Recall
from server.stores.ring import Bounds
from server.stores.sql.store import SqlStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from server.kinds.chat.rows import ChatRows
    from server.kinds.notes.rows import NoteRows
    from server.model import JSON, Position
    from server.seams.log import Change, Log, Outcome
    from tests.clocks import ManualClock

Store: TypeAlias = "MemoryStore | SqlStore | RecallStore"

ANN = Principal("u_ann", "Ann")
BOB = Principal("u_bob", "Bob \N{GRINNING FACE}")
ROOM = "chat:lobby"


class Delivering(Recall):
    """A recall to which all that it keeps is delivered at once, as the hub does."""

    async def append(self, batch: Sequence[Append]) -> Sequence[Outcome]:
        """See `Log.append`."""
        outcomes = await super().append(batch)
        for append, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Appended):
                keys = (append.key, *[None] * len(append.drafts))
                for draft, position, key in zip(
                    append.drafts, outcome.positions, keys, strict=False
                ):
                    self.remember(
                        Publication(
                            draft.channel,
                            position,
                            draft.event,
                            draft.content,
                            draft.author,
                            draft.time_ms,
                            key,
                        )
                    )
        return outcomes


@dataclass(frozen=True)
class RecallStore:
    """A store behind a memory of what was delivered."""

    log: Recall
    chat: ChatRows
    notes: NoteRows


@asynccontextmanager
async def open_store(
    which: str, path: Path, clock: ManualClock, url: str = ""
) -> AsyncIterator[Store]:
    """Open the store that is meant by its name, without bounds of size or age.

    `url` is where "postgres" is.
    """
    if which == "memory":
        bounds = Bounds(size=100_000, age_s=math.inf, max_bytes=10**9)
        epochs = iter(f"epoch{count}" for count in range(100_000))
        yield MemoryStore(clock, lambda: next(epochs), lambda _: bounds)
    elif which == "postgres":
        async with SqlStore.open_shared(url, clock, alone=True) as store:
            yield store
    else:
        with DataDirectory.open(path / "data") as directory:
            async with SqlStore.open(directory, clock) as store:
                if which == "sql":
                    yield store
                else:
                    log = Delivering(store.log, clock)
                    yield RecallStore(log, store.chat, store.notes)


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
