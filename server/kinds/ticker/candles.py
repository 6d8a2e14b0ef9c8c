"""The candles of one symbol, in all intervals, from its trades.

Every trade enters every interval as the same one-second part, so intervals agree
exactly. A bar is closed by the clock, not by the next trade, for that may not come;
spans without a trade have no bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .bars import Bar, Interval, bar_of, join, widen
from .ticks import Trade

LATE_MS = 2_000
"""How long after its time a trade may still amend bars that are closed."""

KEPT = {
    Interval.SECOND: 600,
    Interval.FIVE_SECONDS: 720,
    Interval.MINUTE: 720,
    Interval.FIVE_MINUTES: 576,
    Interval.HOUR: 336,
}
"""How many bars of each interval stay in memory: 10 min, 1 h, 12 h, 2 d, 14 d."""


class Candles:
    """The newest bars of one symbol, and the open ones.

    Feed it with `add`, call `close_due` with the feed's time after each step, and
    answer readers from `bars`.
    """

    def __init__(self, symbol: str) -> None:
        """Start without a bar."""
        self.symbol = symbol
        self.late_trades = 0
        """Trades that came more than `LATE_MS` late and were left out."""
        self._closed_to_ms = 0
        self._series = {each: _Series(each, KEPT[each]) for each in Interval}

    @classmethod
    def resume(cls, symbol: str, closed_to_ms: int, bars: Iterable[Bar]) -> Candles:
        """Go on from bars that were kept, oldest first within each interval.

        `closed_to_ms` is the time of the newest `close_due`.
        """
        candles = cls(symbol)
        candles._closed_to_ms = closed_to_ms
        for bar in bars:
            candles._series[bar.interval].bars.append(bar)
        return candles

    def add(self, trade: Trade) -> list[Bar]:
        """Count a trade in, and return the bars it changed, shortest interval first.

        Those are the open ones, but for a late trade, which amends closed bars
        (`closed` is true on them: send them again). Returns nothing for a trade
        that is too late; it is counted in `late_trades`.
        """
        if trade.time_ms < self._closed_to_ms - LATE_MS:
            self.late_trades += 1
            return []
        return self._absorb(bar_of(trade))

    def take(self, bar: Bar) -> None:
        """Count in a whole bar from before: of a warm-up, or from a store.

        It enters its own interval and the longer ones. Give each span once, the
        oldest first; what is older than all that is kept is ignored.
        """
        self._absorb(bar)

    def close_due(self, now_ms: int) -> list[Bar]:
        """Close the bars whose time is over, and return them, now `closed`.

        Shortest interval first, then by time. A time before an earlier call's
        changes nothing.
        """
        before_ms, self._closed_to_ms = (
            self._closed_to_ms,
            max(self._closed_to_ms, now_ms),
        )
        # All bars end on a whole second, so within one nothing can fall due.
        if self._closed_to_ms // 1000 == before_ms // 1000:
            return []
        return [
            bar
            for series in self._series.values()
            for bar in series.close(self._closed_to_ms)
        ]

    def bars(
        self, interval: Interval, limit: int, before_ms: int | None = None
    ) -> list[Bar]:
        """Return the newest `limit` bars, oldest first, the open one last.

        `before_ms` leaves out those that start at or after it, to page back;
        None begins at the newest.
        """
        found: list[Bar] = []
        for bar in reversed(self._series[interval].bars):
            if len(found) >= limit:
                break
            if before_ms is None or bar.start_ms < before_ms:
                found.append(bar)
        return found[::-1]

    def since(self, interval: Interval, start_ms: int) -> list[Bar]:
        """Return the bars that start at `start_ms` or later, oldest first."""
        found: list[Bar] = []
        for bar in reversed(self._series[interval].bars):
            if bar.start_ms < start_ms:
                break
            found.append(bar)
        return found[::-1]

    def oldest_ms(self, interval: Interval) -> int:
        """Return the start of the oldest bar; 0 where there is none."""
        bars = self._series[interval].bars
        return bars[0].start_ms if bars else 0

    def _absorb(self, part: Bar) -> list[Bar]:
        length_ms = part.interval.ms
        changed = (
            series.absorb(part, self._closed_to_ms)
            for series in self._series.values()
            if series.length_ms >= length_ms
        )
        return [bar for bar in changed if bar is not None]


class _Series:
    """The bars of one interval by time; all closed ones stand before all open ones."""

    __slots__ = ("bars", "interval", "length_ms")

    def __init__(self, interval: Interval, kept: int) -> None:
        self.interval = interval
        self.length_ms = interval.ms
        self.bars: deque[Bar] = deque(maxlen=kept)

    def absorb(self, part: Bar, closed_to_ms: int) -> Bar | None:
        """Join `part` to its bar, or begin that; None if it is too old to keep."""
        bars = self.bars
        start_ms = part.start_ms - part.start_ms % self.length_ms
        closed = start_ms + self.length_ms <= closed_to_ms
        # From the newest back: all but late trades end at the first look.
        at = len(bars)
        while at and bars[at - 1].start_ms > start_ms:
            at -= 1
        if at and bars[at - 1].start_ms == start_ms:
            bars[at - 1] = joined = join(bars[at - 1], part, closed=closed)
            return joined
        if len(bars) == bars.maxlen:
            if at == 0:
                return None
            bars.popleft()
            at -= 1
        begun = widen(part, self.interval, closed=closed)
        bars.insert(at, begun)
        return begun

    def close(self, closed_to_ms: int) -> list[Bar]:
        """Close what ends by `closed_to_ms`; return it by time."""
        bars = self.bars
        at = len(bars)
        while at and not bars[at - 1].closed:
            at -= 1
        shut: list[Bar] = []
        while at < len(bars) and bars[at].start_ms + self.length_ms <= closed_to_ms:
            bars[at] = bar = widen(bars[at], self.interval, closed=True)
            shut.append(bar)
            at += 1
        return shut
