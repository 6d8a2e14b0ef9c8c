"""Many are sent away: few at a time, in random order, each with its own time."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from server.errors import FORCED, FORCED_RECONNECT, SHUTDOWN, Disconnect
from server.queues.farewells import BATCH, Farewells
from server.queues.flusher import SLICE_S
from server.runtime.arrivals import FLOOR_MS, SHARE, UNMEASURED_RATE, Arrivals
from tests.looptime import LoopTime, turns, until

STEP_MS = 1_000 / (UNMEASURED_RATE * SHARE)


@dataclass(eq=False)
class Peer:
    """A session that is told at once."""

    farewells: Farewells
    id: str
    heard: list[Disconnect] = field(default_factory=list)
    closed: bool = False
    fault: Exception | None = None

    def close(self, disconnect: Disconnect) -> None:
        """See `Leaving.close`."""
        if self.fault is not None:
            raise self.fault
        if self.closed:
            return
        self.closed = True
        self.heard.append(disconnect)
        self.farewells.told(self)

    @property
    def return_ms(self) -> int:
        """When it is to come back."""
        (disconnect,) = self.heard
        assert disconnect.return_ms is not None
        return disconnect.return_ms


@pytest.fixture
def farewells() -> Farewells:
    """With a chance that is the same in each run."""
    return Farewells(Arrivals(lambda: 0.0), random.Random(7).randrange)


def peers(farewells: Farewells, count: int) -> list[Peer]:
    """Sessions, in the order in which they came."""
    return [Peer(farewells, f"c_{number}") for number in range(count)]


def told(crowd: list[Peer]) -> int:
    """How many of them were told."""
    return sum(peer.closed for peer in crowd)


async def test_a_batch_is_told_in_each_turn(farewells: Farewells) -> None:
    """Never more, though they cost nothing; who wants the loop has it in between."""
    LoopTime()
    crowd = peers(farewells, 3_000)
    farewells.send_away(crowd, SHUTDOWN)
    steps = []
    before = 0
    while (now := told(crowd)) < len(crowd):
        steps.append(now - before)
        before = now
        await asyncio.sleep(0)
    assert set(steps) == {BATCH}
    assert len(steps) == len(crowd) // BATCH
    await turns(2)
    assert all(len(peer.heard) == 1 for peer in crowd)


async def test_a_turn_ends_with_its_slice(farewells: Farewells) -> None:
    """Where telling takes long, the batch is shorter."""
    LoopTime(step_s=SLICE_S / 4)
    crowd = peers(farewells, 100)
    farewells.send_away(crowd, SHUTDOWN)
    assert 0 < told(crowd) < 10
    await until(lambda: told(crowd) == len(crowd))


async def test_each_has_a_time_of_its_own(farewells: Farewells) -> None:
    """Evenly spread: N sessions over N / rate seconds, from the floor on."""
    crowd = peers(farewells, 3_000)
    farewells.send_away(crowd, SHUTDOWN)
    await farewells.all_told()
    returns_ms = sorted(peer.return_ms for peer in crowd)
    assert returns_ms == [FLOOR_MS + STEP_MS * each for each in range(3_000)]


async def test_the_order_is_random(farewells: Farewells) -> None:
    """So that those who came together do not come back together."""
    crowd = peers(farewells, 1_000)
    farewells.send_away(crowd, SHUTDOWN)
    await farewells.all_told()
    apart_ms = [abs(a.return_ms - b.return_ms) for a, b in pairwise(crowd)]
    # Two of 1,000 chosen at random are a third of the span apart.
    assert sum(apart_ms) / len(apart_ms) == pytest.approx(333 * STEP_MS, rel=0.1)


async def test_who_is_not_to_come_back_is_told_no_time(farewells: Farewells) -> None:
    """Only codes that mean: come back."""
    crowd = peers(farewells, 3)
    farewells.send_away(crowd, FORCED)
    assert [peer.heard[0].return_ms for peer in crowd] == [None] * 3
    crowd = peers(farewells, 3)
    farewells.send_away(crowd, FORCED_RECONNECT)
    assert {peer.heard[0].code for peer in crowd} == {FORCED_RECONNECT.code}
    assert {peer.return_ms for peer in crowd} == {1_000, 1_004, 1_008}


async def test_those_whose_turn_is_still_to_come_are_awaited(
    farewells: Farewells,
) -> None:
    """Also where all who had theirs were told."""
    crowd = peers(farewells, 10 * BATCH)
    farewells.send_away(crowd, SHUTDOWN)
    waiting = asyncio.Task(farewells.all_told())
    await turns(2)
    assert told(crowd) < len(crowd)
    assert not waiting.done()
    await waiting
    assert told(crowd) == len(crowd)


async def test_who_goes_before_their_turn_is_not_awaited(farewells: Farewells) -> None:
    """Nor told twice, nor does it hold up the others."""
    crowd = peers(farewells, 3 * BATCH)
    farewells.send_away(crowd, SHUTDOWN)
    early = [peer for peer in crowd if not peer.closed]
    for peer in early:
        peer.close(FORCED)
    assert not farewells
    await farewells.all_told()
    await turns(5)
    assert all(peer.heard == [FORCED] for peer in early)


async def test_one_that_cannot_be_told_keeps_no_other_from_it(
    farewells: Farewells, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and not waited for."""
    crowd = peers(farewells, 3 * BATCH)
    crowd[5].fault = ValueError("broken")
    farewells.send_away(crowd, SHUTDOWN)
    await farewells.all_told()
    assert told(crowd) == len(crowd) - 1
    assert "c_5: cannot be told to go" in caplog.text


async def test_two_at_once_tell_each_once(farewells: Farewells) -> None:
    """By whichever comes first."""
    crowd = peers(farewells, 5 * BATCH)
    farewells.send_away(crowd, SHUTDOWN)
    farewells.send_away([peer for peer in crowd if not peer.closed], SHUTDOWN)
    await farewells.all_told()
    await turns(5)
    assert all(len(peer.heard) == 1 for peer in crowd)
