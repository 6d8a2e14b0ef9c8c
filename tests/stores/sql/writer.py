"""A process that appends until it is killed, and says what was acknowledged.

    python writer.py CHECKOUT DIRECTORY RUN

Each line on stdout is `channel offset text`, written only after `append` returned.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from server.kinds.chat.rows import RoomTouched
from server.model import Principal
from server.runtime.clock import SystemClock
from server.seams.log import Append, Appended, Draft
from server.stores.datadir import DataDirectory
from server.stores.sql.store import SqlStore

ANN = Principal("u_ann", "Ann")
ROOMS = ("a", "b", "c")


def append(run: str, number: int) -> Append:
    """Return one message; every third is said in two rooms at once."""
    rooms = ROOMS[number % 3 :][: 1 + (number % 3 == 0)]
    text = f"{run}-{number}"
    return Append(
        tuple(Draft(f"chat:{room}", "message", text, ANN, 0) for room in rooms),
        tuple(RoomTouched(f"chat:{room}", room, text, "Ann", 0) for room in rooms),
        key=text,
    )


async def main() -> None:
    """Append batches of changing size, snapshot now and then."""
    run, number = sys.argv[3], 0
    with DataDirectory.open(Path(sys.argv[2])) as directory:
        async with SqlStore.open(directory, SystemClock()) as store:
            while True:
                size = 1 + number % 7
                batch = [append(run, number + extra) for extra in range(size)]
                number += size
                outcomes = await store.log.append(batch)
                lines = [
                    f"{draft.channel} {at.offset} {draft.content!s}\n"
                    for each, outcome in zip(batch, outcomes, strict=True)
                    if isinstance(outcome, Appended)
                    for draft, at in zip(each.drafts, outcome.positions, strict=True)
                ]
                os.write(1, "".join(lines).encode())


asyncio.run(main())
