from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from server.backplanes.local import LocalBackplane
from server.errors import Disconnect
from server.hub.hub import Hub
from server.kinds.open import OpenKind
from server.model import Fence, Outbound, Principal, Publication, Signal, Subscribe
from server.runtime.clock import random_id
from server.seams.kind import Keep, Policy
from server.stores.memory import MemoryStore
from server.web.figures import ACTIVITY, STATS, Meter, Reporter, seconds
from tests.clocks import ManualClock
from tests.hub.nodes import raise_nodes
from tests.looptime import turns

if TYPE_CHECKING:
    from server.hub.session import Session

ADA = Principal("g_ada", "Ada")
FENCE = Fence("dashboard", 1)


class Words:
    """A codec whose frames are the events' names."""

    name = "words"

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return what a publication or a signal is called."""
        if isinstance(outbound, Publication | Signal):
            return outbound.event.encode()
        return b"."


class Pipe:
    """A wire with or without room, that keeps what is written."""

    def __init__(self) -> None:
        self.open = True
        self.written: list[bytes] = []

    def room(self) -> int:
        """Return whether the peer reads."""
        return 1_000_000 if self.open else 0

    def write(self, chunk: bytes) -> None:
        """Keep it."""
        self.written.append(chunk)

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        if not self.open:
            return False
        self.write(chunk)
        return True

    async def writable(self) -> None:
        """Never, once it is shut."""
        await asyncio.Event().wait()

    def close(self, disconnect: Disconnect) -> None:
        """Do nothing."""


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the tests advance."""
    return ManualClock()


@pytest.fixture
async def hub(clock: ManualClock) -> AsyncIterator[Hub]:
    """A hub with open channels and its own."""
    kinds = {
        "open": OpenKind(clock),
        "hub": OpenKind(clock, Policy(recent=3), writers=frozenset()),
    }
    hub = Hub(kinds, LocalBackplane(), clock, random_id)
    memory = MemoryStore(clock, lambda: "e")
    await hub.start(dict.fromkeys(Keep, memory.log))
    yield hub
    await hub.stop()


async def join(hub: Hub, channel: str, pipe: Pipe | None = None) -> Session:
    """Open a session and subscribe it."""
    session = hub.open_session(ADA, "native", Words(), pipe or Pipe())
    await hub.join(session, Subscribe(None, channel))
    return session


async def test_rates_go_by_the_time_that_passed(hub: Hub, clock: ManualClock) -> None:
    """Six publications to two readers in two seconds: three a second, and six."""
    meter = Meter(hub, clock, Reporter(hub))
    await join(hub, "open:x")
    await join(hub, "open:x")
    for _ in range(6):
        await hub.publish("open:x", 1)
    clock.advance(2)
    figures = meter.read(0.0123)
    assert figures.publications_per_s == 3.0
    assert figures.deliveries_per_s == 6.0
    assert figures.sessions == {"native": 2}
    assert figures.channels == 1
    assert figures.lag_ms == 12.3
    clock.advance(1)
    assert meter.read(0).publications_per_s == 0.0


async def test_looking_does_not_change_the_figures(
    hub: Hub, clock: ManualClock
) -> None:
    """What is told on the hub's own channels is in no rate and in no total."""
    reporter = Reporter(hub)
    meter = Meter(hub, clock, reporter)
    for channel in (STATS, ACTIVITY):
        hub.tasks.spawn(reporter.hear(channel), channel)
    for _ in range(3):
        await join(hub, STATS)
    await join(hub, ACTIVITY)
    for _ in range(5):
        await reporter.publish(STATS, {}, FENCE)
        reporter.show(ACTIVITY, {})
    stats = hub.stats
    assert (stats.publications, stats.signals, stats.deliveries) == (5, 5, 20)
    await turns(5)
    clock.advance(1)
    figures = meter.read(0)
    assert figures.publications_per_s == 0
    assert figures.deliveries_per_s == 0
    assert figures.signals_per_s == 0
    total = figures.total
    assert (total["publications"], total["deliveries"], total["signals"]) == (0, 0, 0)


async def test_reports_of_other_nodes_are_left_out_too(clock: ManualClock) -> None:
    """Each node leaves out what they cost it, whoever sent them."""
    async with raise_nodes(2, "hub") as (one, two):
        reporters = [Reporter(each.hub) for each in (one, two)]
        meter = Meter(two.hub, clock, reporters[1])
        two.hub.tasks.spawn(reporters[1].hear(STATS), "hear")
        await join(two.hub, STATS)
        await join(two.hub, "open:x")
        await reporters[0].publish(STATS, {}, FENCE)
        await one.say(1, "open:x")
        await turns(5)
        assert two.hub.stats.deliveries == 2
        clock.advance(1)
        assert meter.read(0).deliveries_per_s == 1.0


async def test_it_hears_on_when_the_stream_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A listener that was ended by that begins again."""
    paused = asyncio.Event()

    async def pause(_seconds: float) -> None:
        paused.set()
        await asyncio.sleep(0)

    async with raise_nodes(1, "hub") as (one,):
        monkeypatch.setattr(one.hub, "pause", pause)
        reporter = Reporter(one.hub)
        one.hub.tasks.spawn(reporter.hear(STATS), "hear")
        await join(one.hub, STATS)
        await turns(5)
        await one.hub.new_epoch(STATS)
        await paused.wait()
        await turns(5)
        before = reporter.deliveries
        await reporter.publish(STATS, {}, FENCE)
        await turns(5)
        assert reporter.deliveries == before + 1


async def test_what_waits_is_summed(hub: Hub, clock: ManualClock) -> None:
    """A reader that does not read has bytes in its outbox; all are added up."""
    meter = Meter(hub, clock, Reporter(hub))
    pipe = Pipe()
    session = await join(hub, "open:x", pipe)
    pipe.open = False
    await hub.publish("open:x", 1)
    clock.advance(1)
    figures = meter.read(0)
    assert figures.outbox_bytes == session.outbox.held_bytes > 0


async def test_what_is_shown_last_waits_for_joiners(hub: Hub) -> None:
    """A shown report is retained; who hears its channel keeps it open for that."""
    reporter = Reporter(hub)
    hub.tasks.spawn(reporter.hear(ACTIVITY), "hear")
    await turns(5)
    reporter.show(ACTIVITY, {"lines": []})
    reporter.show(ACTIVITY, {"lines": ["new"]})
    retained = hub.retained(ACTIVITY)
    assert [each.content for each in retained.values()] == [{"lines": ["new"]}]


async def test_a_second_does_not_drift_and_sees_lateness(clock: ManualClock) -> None:
    """Late wakes shorten the next wait; the worst is told; a long stop is let go."""
    late = {3: 0.05, 25: 2.0}
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)
        clock.advance(delay_s + late.get(len(slept), 0.0))

    at: list[float] = []
    worst: list[float] = []
    async for lag_s in seconds(clock, sleep):
        at.append(clock.monotonic())
        worst.append(lag_s)
        if len(at) == 4:
            break
    assert at[:2] == pytest.approx([1.0, 2.0])
    assert worst == pytest.approx([0.05, 0.0, 2.0, 0.0], abs=1e-9)
    assert at[3] - at[2] == pytest.approx(1.0)
