"""The hub's committers: one for each log, whichever kinds are kept in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..queues.commit import Committer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..seams.kind import Keep
    from ..seams.log import Append, Log
    from .hub import Hub

DRAIN_S: Final = 5.0
"""How long what was submitted may take to be kept, when the hub stops."""


class Committers:
    """Made when the hub starts; before that there are none."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._all: tuple[Committer, ...] = ()

    def __iter__(self) -> Iterator[Committer]:
        return iter(self._all)

    def make(self, logs: Mapping[Keep, Log]) -> Mapping[Keep, Committer]:
        """Make one for each log; return which is for which `Keep`."""
        by_log = {id(log): self._one(log) for log in logs.values()}
        self._all = tuple(by_log.values())
        return {keep: by_log[id(log)] for keep, log in logs.items()}

    def _one(self, log: Log) -> Committer:
        hub = self._hub
        kept = hub.publishing.counted if log.carries else hub.publishing.kept
        return Committer(log, hub.tasks, hub.stats, kept, self._failed)

    def _failed(self, appends: Sequence[Append]) -> None:
        self._hub.publishing.failed(appends)
        self._hub.watch.look()
        self._hub.neighbours.stand()

    async def drain(self) -> None:
        """Wait until all that was submitted is kept, but not for ever."""
        for committer in self._all:
            if not committer.idle:
                await asyncio.wait([committer.barrier()], timeout=DRAIN_S)

    def close(self) -> None:
        """Refuse what still waits, and all that comes."""
        for committer in self._all:
            committer.close()
