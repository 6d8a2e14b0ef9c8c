"""What a node knows of the market: its floor is a fold of the tape.

Every node has one, the leader too: what is told to readers is what came by the tape, in
its order, and so the same on all nodes.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from ...errors import UNAVAILABLE, Refusal, Unrecoverable
from ...model import Position
from . import snapshots
from .bars import Bar, Interval
from .floor import Floor, Moved
from .symbols import Symbol
from .tape import TAPE, Strip, TornError, decode
from .ticks import Status

if TYPE_CHECKING:
    from ...model import Publication
    from ...runtime.clock import Clock
    from ...seams.log import Log

logger = logging.getLogger("hubbub.ticker")

READ_STRIPS = 200
STALE_S = 5.0
"""A market of which nothing was heard for so long is told to nobody who joins."""
CLOSINGS = 200
"""So many for each symbol may wait until the leader has published them."""

Closing: TypeAlias = "Bar | Status"
"""What is published of a symbol: a bar whose time is over, a halt or its end."""


class Follower:
    """A floor that follows the tape. `load` it, then `fold` each publication.

    `period_s` is the time between two strips, if all goes well.
    """

    def __init__(
        self, clock: Clock, symbols: Sequence[Symbol], period_s: float
    ) -> None:
        self.symbols = symbols
        self.floor: Floor | None = None
        """What was last known; None before there was a market."""
        self.at: Position | None = None
        """Up to where the floor is that of the tape; None: it is not."""
        self.closings: deque[tuple[int, Closing]] = deque(
            maxlen=CLOSINGS * len(symbols)
        )
        """What the leader may not have published yet, with the time it closed at."""
        self._clock = clock
        self._stale_s = max(STALE_S, 3 * period_s)
        self._taken_s = -math.inf
        self._moved = Moved()
        self._log: Log | None = None
        self._loading = asyncio.Lock()
        self._arrival = asyncio.Event()

    @property
    def log(self) -> Log:
        """The log of the tape. Raises `Refusal` before the first `load`."""
        if self._log is None:
            raise Refusal(UNAVAILABLE)
        return self._log

    @property
    def is_fresh(self) -> bool:
        """Whether the floor stands where the tape does, and that moves."""
        age_s = self._clock.monotonic() - self._taken_s
        return self.at is not None and age_s < self._stale_s

    # Following

    async def load(self, log: Log) -> Position:
        """Go to the tape's end: from where the floor is, or else from the snapshot.

        Returns the tape's end. Where neither leads there, `at` is None afterwards.
        """
        async with self._loading:
            self._log = log
            top = await log.top(TAPE)
            if self.at is not None and self.at.epoch != top.epoch:
                # The tape was lost. Its new stream begins with the market as it stood,
                # unless its first strip says otherwise.
                self.at = Position(top.epoch, 0)
            if not await self._read_on(log):
                await self._begin_anew(log)
            return self.at or top

    async def load_again(self) -> None:
        """Load from the log of before. Raises `Refusal` where there was none."""
        await self.load(self.log)

    def fold(self, publication: Publication) -> None:
        """Take the next publication of the tape; one that was taken is no harm."""
        position = publication.position
        if self.at is None or _has(self.at, position):
            return
        if not _joins(self.at, position):
            # While it is loading, what comes between is about to be read.
            if not self._loading.locked():
                self._lose(f"{position} does not follow {self.at}")
            return
        try:
            self._take(decode(publication.content))
        except TornError as error:
            self._lose(f"{position} {error}")
            return
        self.at = position
        self._arrived()

    def install(self, floor: Floor, at: Position) -> None:
        """Have a floor that stands for all of the tape up to `at`."""
        self.floor, self.at, self._moved = floor, at, _newest(floor)
        self._arrived()

    def lead_on(self, at: Position) -> Floor | None:
        """Let the floor as it is stand for the tape up to `at`; None: there is none."""
        if self.floor is not None:
            self.install(self.floor, at)
        return self.floor

    # Asking

    async def known(self) -> None:
        """Wait until there is a floor."""
        while self.floor is None:
            await self._arrival.wait()

    async def reach(self, position: Position) -> None:
        """Wait until the floor has all of the tape up to a position."""
        while self.at is None or not _has(self.at, position):
            await self._arrival.wait()

    async def reach_end(self, log: Log) -> Floor:
        """Wait for a floor that is fresh and has all that the tape has now."""
        while not self.is_fresh:
            await self._arrival.wait()
        await self.reach(await log.top(TAPE))
        if self.floor is None:
            raise Refusal(UNAVAILABLE)
        return self.floor

    def moved(self) -> Moved:
        """Return what happened since this was last asked."""
        moved, self._moved = self._moved, Moved()
        return moved

    def published(self, told_ms: int) -> None:
        """Know that what had closed by then has been published."""
        while self.closings and self.closings[0][0] <= told_ms:
            self.closings.popleft()

    # Inside

    def _take(self, strip: Strip) -> None:
        floor = self.floor
        if floor is None:
            raise TornError("nothing to add it to")
        if strip.steps and strip.was_ms != floor.now_ms:
            raise TornError(f"goes on from {strip.was_ms}, not {floor.now_ms}")
        self.published(strip.told_ms)
        for step in strip.steps:
            floor.take(step, self._moved)
            self._note_closings(floor.now_ms)

    def _note_closings(self, now_ms: int) -> None:
        moved = self._moved
        self.closings.extend((now_ms, status) for status in moved.statuses)
        self.closings.extend(
            (now_ms, bar)
            for bar in moved.closed_bars
            if bar.interval is not Interval.SECOND
        )
        moved.statuses.clear()
        moved.closed_bars.clear()

    def _arrived(self) -> None:
        self._taken_s = self._clock.monotonic()
        arrival, self._arrival = self._arrival, asyncio.Event()
        arrival.set()

    def _lose(self, reason: str) -> None:
        logger.warning("the market is read anew: %s", reason)
        self.at = None

    async def _read_on(self, log: Log) -> bool:
        """Take what the tape has after the floor; return whether that is all of it."""
        while self.at is not None:
            try:
                page = await log.read(TAPE, self.at, READ_STRIPS)
            except Unrecoverable:
                self.at = None
                break
            if not page.publications:
                # What was kept after this look joins, and is folded as it comes.
                break
            for publication in page.publications:
                self.fold(publication)
        return self.at is not None

    async def _begin_anew(self, log: Log) -> None:
        snapshot = await log.latest_snapshot(TAPE)
        if snapshot is None:
            return
        try:
            floor = await snapshots.floor_of(snapshot.state, self.symbols)
        except msgspec.DecodeError:
            logger.exception("the snapshot of the market cannot be read")
            return
        before = self.floor
        self.closings.clear()
        self.install(floor, snapshot.at)
        if not await self._read_on(log):
            # It will do for a leader that knows no better; it is not the tape's end.
            if before is not None and before.now_ms > floor.now_ms:
                self.floor = before
            return
        # Whoever reads here is brought up to date; the trades until now are past.
        self._moved = _newest(floor)


def _newest(floor: Floor) -> Moved:
    return Moved(quotes={quote.symbol: quote for quote in floor.quotes()})


def _has(at: Position, position: Position) -> bool:
    return at.epoch == position.epoch and position.offset <= at.offset


def _joins(at: Position, position: Position) -> bool:
    """Whether nothing is missing between; a new stream begins with its first one."""
    before = at.offset if position.epoch == at.epoch else 0
    return position.offset == before + 1
