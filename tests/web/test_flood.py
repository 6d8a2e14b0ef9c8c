from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from server.backplanes.local import LocalBackplane
from server.errors import TOO_MANY_REQUESTS, Refusal
from server.hub.hub import Hub
from server.kinds.open import OpenKind
from server.model import Publication, Signal
from server.runtime.clock import random_id
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.web.flood import UNHEARD_S, Flood, Mode, Wanted
from tests.clocks import ManualClock

CHANNEL = "open:lab-g_ada.1"


@dataclass
class Bench:
    """A hub, its clock, and what was heard in the channel, with the time."""

    hub: Hub
    clock: ManualClock
    heard: list[Publication | Signal]
    times_s: list[float]

    async def sleep(self, delay_s: float) -> None:
        """Let time pass, and the hub work."""
        self.clock.advance(max(delay_s, 0.0005))
        for _ in range(4):
            await asyncio.sleep(0)

    def flood(self, per_s: int, seconds: float, **more: object) -> Flood:
        """Make a flood into the channel."""
        words = {"channel": CHANNEL, "per_s": per_s, "seconds": seconds, **more}
        wanted = msgspec.convert(words, Wanted)
        return Flood(self.hub, self.clock, "f_1", wanted, self.sleep)

    async def run(self, flood: Flood) -> None:
        """Send it all, with its end, and hear it."""
        await flood.send()
        await flood.say_end()
        await self.sleep(0)

    async def listen(self) -> None:
        """Note what comes."""
        async for said in self.hub.subscribe(CHANNEL, signals=True):
            self.heard.append(said)
            self.times_s.append(self.clock.monotonic())

    def numbers(self) -> list[object]:
        """Return the numbers that came."""
        return [
            said.content["n"]
            for said in self.heard
            if said.event == "flood" and isinstance(said.content, dict)
        ]

    def end(self) -> object:
        """Return what was said at the end."""
        assert self.heard[-1].event == "end"
        return self.heard[-1].content


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A channel with a listener; somebody counts as subscribed."""
    clock = ManualClock()
    hub = Hub({"open": OpenKind(clock)}, LocalBackplane(), clock, random_id)
    memory = MemoryStore(clock, lambda: "e")
    await hub.start(dict.fromkeys(Keep, memory.log))
    bench = Bench(hub, clock, [], [])
    monkeypatch.setattr(Flood, "_is_heard", lambda _: True)
    hub.tasks.spawn(bench.listen(), "listener")
    await bench.sleep(0)
    assert hub.channels[CHANNEL].listeners
    yield bench
    await hub.stop()


async def test_it_sends_each_number_once_at_its_rate(bench: Bench) -> None:
    """One second at 500: 1 to 500 in order, spread over that second, and the end."""
    flood = bench.flood(500, 1)
    await bench.run(flood)
    assert bench.numbers() == list(range(1, 501))
    assert bench.end() == {"flood": "f_1", "sent": 500, "mode": "publications"}
    assert 0.95 <= bench.times_s[-1] <= 1.1
    halfway = sum(at < 0.5 for at in bench.times_s)
    assert 230 <= halfway <= 270


async def test_a_late_loop_is_caught_up_with(bench: Bench) -> None:
    """Pacing goes by the clock: after a stop of 0.4 s the same number is sent."""
    sleeps = 0

    async def sleep(delay_s: float) -> None:
        nonlocal sleeps
        sleeps += 1
        await bench.sleep(delay_s + (0.4 if sleeps == 5 else 0))

    flood = bench.flood(200, 1)
    flood._sleep = sleep  # noqa: SLF001 - the loop is what is late here
    await bench.run(flood)
    assert bench.numbers() == list(range(1, 201))
    assert bench.times_s[-1] < 1.1


async def test_signals_are_keyed_and_numbered(bench: Bench) -> None:
    """A flood of signals shares ten keys, and its end is a publication."""
    await bench.run(bench.flood(100, 0.5, mode="signals", pad_bytes=7))
    signals = [said for said in bench.heard if isinstance(said, Signal)]
    assert len(signals) == 50
    assert len({said.key for said in signals}) == 10
    assert signals[0].content == {"flood": "f_1", "n": 1, "pad": "." * 7}
    assert isinstance(bench.heard[-1], Publication)
    assert bench.end() == {"flood": "f_1", "sent": 50, "mode": Mode.SIGNALS}


async def test_it_stops_when_nobody_listens(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After longer than a reader may stall it stops."""
    monkeypatch.undo()
    flood = bench.flood(1, 10)
    flood._wanted = msgspec.structs.replace(  # noqa: SLF001 - longer than may be asked
        flood._wanted,  # noqa: SLF001
        seconds=100,
    )
    await flood.send()
    assert UNHEARD_S <= flood.sent <= UNHEARD_S + 2
    assert UNHEARD_S <= bench.clock.monotonic() <= UNHEARD_S + 2


async def test_a_refusal_ends_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub does not take any more is not pressed upon it."""

    async def full(*_: object) -> None:
        raise Refusal(TOO_MANY_REQUESTS)

    monkeypatch.setattr(bench.hub, "submit", full)
    flood = bench.flood(100, 1)
    with pytest.raises(Refusal):
        await flood.send()
    assert flood.sent == 0


@pytest.mark.parametrize(
    "words",
    [
        {"per_s": 2001, "seconds": 1},
        {"per_s": 0, "seconds": 1},
        {"per_s": 1, "seconds": 10.1},
        {"per_s": 1, "seconds": 0},
        {"per_s": 1, "seconds": 1, "mode": "noise"},
        {"per_s": 1, "seconds": 1, "pad_bytes": 1001},
    ],
)
def test_what_may_be_wanted_is_bounded(words: dict[str, object]) -> None:
    """At most 2,000 a second for 10 s, each at most 1,000 bytes longer."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"channel": CHANNEL, **words}, Wanted)


def test_a_flood_is_bounded_in_number() -> None:
    """The most that one call can cause is 20,000 messages; the least is one."""

    def total(per_s: int, seconds: float) -> int:
        return Wanted(CHANNEL, per_s, seconds).total

    assert total(2000, 10) == 20_000
    assert total(1, 0.1) == 1
