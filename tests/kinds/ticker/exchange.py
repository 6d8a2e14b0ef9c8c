"""A hub with a ticker whose time the test holds, and readers who fold what they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from server.backplanes.local import LocalBackplane
from server.errors import Disconnect
from server.hub.hub import Hub
from server.hub.session import Session
from server.kinds.ticker.floor import Floor
from server.kinds.ticker.kind import TickerKind
from server.kinds.ticker.symbols import SYMBOLS, Symbol
from server.model import (
    Outbound,
    Position,
    Principal,
    Publication,
    Signal,
    Subscribe,
    Subscribed,
)
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.stores.ring import Bounds
from tests.clocks import ManualClock

ANN = Principal("g_ann", "Ann")
START_MS = 1_700_000_000_000
PAST_S = 900

TURNS = 20
"""Turns of the loop in which everything that can be written is."""

State = dict[str, Any]


class Metronome:
    """The feed's sleep: it lasts until the test says `tick`."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._ticks: asyncio.Queue[float] = asyncio.Queue()
        self._asleep = asyncio.Event()
        self.delays_s: list[float] = []

    async def sleep(self, delay_s: float) -> None:
        """Wait for a tick, then let the delay pass, and what the tick is late."""
        self.delays_s.append(delay_s)
        self._asleep.set()
        late_s = await self._ticks.get()
        self._asleep.clear()
        self._clock.advance(delay_s + late_s)

    async def tick(self, times: int = 1, *, late_s: float = 0.0) -> None:
        """Let the feed work so many times; return when it sleeps again."""
        await self.settle()
        for _ in range(times):
            self.tick_later(late_s=late_s)
            await self.settle()

    def tick_later(self, *, late_s: float = 0.0) -> None:
        """Wake the feed, which works when the test gives the loop back."""
        self._asleep.clear()
        self._ticks.put_nowait(late_s)

    async def settle(self) -> None:
        """Return when the feed sleeps."""
        await self._asleep.wait()


@dataclass(slots=True)
class Exchange:
    """A running ticker."""

    hub: Hub
    kind: TickerKind
    floor: Floor
    metronome: Metronome
    clock: ManualClock

    def reader(self) -> Reader:
        """Return somebody who has joined nothing yet."""
        return Reader(self.hub)


class Names:
    """A codec whose frames name the values that they stand for."""

    name = "names"

    def __init__(self) -> None:
        self.values: list[Outbound] = []

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return eight bytes that stand for the value."""
        self.values.append(outbound)
        return (len(self.values) - 1).to_bytes(8, "big")


@dataclass(slots=True)
class Paper:
    """A wire that gathers what is written, unless it is `jammed`."""

    codec: Names
    got: list[Outbound] = field(default_factory=list)
    jammed: bool = False
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def room(self) -> int:
        """There is always room, or none."""
        return 0 if self.jammed else 1 << 20

    def write(self, chunk: bytes) -> None:
        """Take what the frames stand for."""
        for at in range(0, len(chunk), 8):
            number = int.from_bytes(chunk[at : at + 8], "big")
            self.got.append(self.codec.values[number])

    def offer(self, chunk: bytes) -> bool:
        """Take it at once, unless jammed."""
        if self.jammed:
            return False
        self.write(chunk)
        return True

    async def writable(self) -> None:
        """Wait until it is no more jammed."""
        await self.freed.wait()

    def close(self, disconnect: Disconnect) -> None:
        """Nothing needs to be said."""


class Reader:
    """One session that folds its channel as docs/reference/kinds.md says."""

    def __init__(self, hub: Hub) -> None:
        codec = Names()
        self.paper = Paper(codec)
        self.session: Session = hub.open_session(ANN, "test", codec, self.paper)
        self.reply: Subscribed | None = None
        self.state: State = {}
        self.position: Position | None = None
        self.doubled = 0
        self._seen = 0

    async def join(self, channel: str, since: Position | None = None) -> None:
        """Subscribe, and take the reply."""
        await self.session.dispatch(Subscribe(1, channel, since))
        # Signals leave in the turn in which they come, so that tests need not wait.
        self.session.intervals[channel] = 0.0
        await self.catch_up()

    async def catch_up(self) -> None:
        """Fold what has been written; return when nothing waits any more."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        for outbound in self.paper.got[self._seen :]:
            self._fold(outbound)
        self._seen = len(self.paper.got)

    @property
    def publications(self) -> list[Publication]:
        """The publications that came live."""
        return [each for each in self.paper.got if isinstance(each, Publication)]

    def signals(self, event: str) -> list[Signal]:
        """The signals of one event."""
        found = [each for each in self.paper.got if isinstance(each, Signal)]
        return [each for each in found if each.event == event]

    def _fold(self, outbound: Outbound) -> None:
        if isinstance(outbound, Subscribed):
            self._begin(outbound)
        elif isinstance(outbound, Publication):
            if self.position and outbound.position.offset <= self.position.offset:
                self.doubled += 1
            self.position = outbound.position
            self._event(outbound.event, outbound.content)
        elif isinstance(outbound, Signal):
            self._event(outbound.event, outbound.content)

    def _begin(self, reply: Subscribed) -> None:
        self.reply, self.position = reply, reply.position
        state: Any = reply.state
        if not reply.recovered:
            self.state = _copy(state)
            return
        for publication in reply.publications:
            self._event(publication.event, publication.content)
        bars = state.pop("bars")
        self.state |= state
        for interval, rows in bars.items():
            for row in rows:
                self._bar(interval, row)

    def _event(self, event: str, said: object) -> None:
        content: Any = said
        if event == "quote" and "symbols" in self.state:
            for row in self.state["symbols"]:
                if row["symbol"] == content["symbol"]:
                    row.update(content)
        elif event == "quote":
            self.state |= content
        elif event == "bar":
            self._bar(content["interval"], content["bar"])

    def _bar(self, interval: str, row: Sequence[int]) -> None:
        rows = self.state["bars"][interval]
        at = next((i for i, each in enumerate(rows) if each[0] == row[0]), None)
        if at is None:
            rows.append(list(row))
            rows.sort()
        elif row[6] >= rows[at][6]:
            rows[at] = list(row)


def _copy(state: State) -> State:
    copied = dict(state)
    if "bars" in copied:
        copied["bars"] = {name: list(rows) for name, rows in copied["bars"].items()}
    else:
        copied["symbols"] = [dict(row) for row in copied["symbols"]]
    return copied


@asynccontextmanager
async def a_hub(kind: TickerKind, clock: ManualClock) -> AsyncIterator[Hub]:
    """Run a hub with nothing but this kind, whose feed does not run yet."""
    policy, epochs, ids = kind.policy, count(), count()

    def bounds(channel: str) -> Bounds:
        return Bounds(policy.history_size, policy.history_age_s)

    store = MemoryStore(clock, lambda: f"e{next(epochs)}", bounds)
    hub = Hub(
        {"ticker": kind}, LocalBackplane(), clock, lambda prefix: f"{prefix}{next(ids)}"
    )
    await hub.start(dict.fromkeys(Keep, store.log))
    try:
        yield hub
    finally:
        await hub.stop()


@asynccontextmanager
async def an_exchange(
    seed: str = "test",
    *,
    hz: float = 10.0,
    symbols: Sequence[Symbol] = SYMBOLS[:3],
    start_ms: int = START_MS,
) -> AsyncIterator[Exchange]:
    """Run a ticker that is open and asleep."""
    clock = ManualClock(start_ms)
    metronome = Metronome(clock)
    kind = TickerKind(
        clock, seed, hz, past_s=PAST_S, symbols=symbols, sleep=metronome.sleep
    )
    async with a_hub(kind, clock) as hub:
        kind.board()
        hub.tasks.spawn(kind.run(hub), "market")
        await metronome.tick()
        floor = kind.floor
        assert floor is not None
        yield Exchange(hub, kind, floor, metronome, clock)
