"""A process whose files cannot grow for a while, as on a full disk.

    python cramped.py CHECKOUT DIRECTORY

It prints how many appends failed, whether what was kept agrees with what was
acknowledged, and whether appending goes on when there is space again.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from sqlalchemy.exc import DBAPIError

from server.runtime.clock import SystemClock
from server.seams.log import Append, Draft
from server.stores.datadir import DataDirectory
from server.stores.sql.store import SqlStore

ROOM = "chat:lobby"


def limit_file_size(size_bytes: int) -> None:
    """Let no file of this process grow beyond a size."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))


async def main() -> None:
    """Append until the files are full, then some more, then with space again."""
    batch = [Append((Draft(ROOM, "message", "x" * 20_000, None, 0),))] * 5
    kept = failed = 0
    agrees = True
    with DataDirectory.open(Path(sys.argv[2])) as directory:
        async with SqlStore.open(directory, SystemClock()) as store:
            limit_file_size(1_000_000)
            for _ in range(20):
                try:
                    kept += len(await store.log.append(batch))
                except DBAPIError:
                    failed += 1
                agrees &= (await store.log.top(ROOM)).offset == kept
            limit_file_size(resource.RLIM_INFINITY)
            kept += len(await store.log.append(batch))
            goes_on = (await store.log.top(ROOM)).offset == kept
            faults = await store.integrity_check()
    sys.stdout.write(f"{failed} {agrees} {goes_on} {faults}\n")


asyncio.run(main())
