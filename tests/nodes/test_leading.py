from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.errors import UNAVAILABLE, Refusal
from server.model import Fence
from server.nodes.leading import lead
from server.seams.backplane import LEASE_S
from tests.hub.nodes import Network, NodeBackplane
from tests.looptime import LoopTime, turns

if TYPE_CHECKING:
    import pytest


@dataclass
class Work:
    """What is led: it notes its fences, and goes on until it is cancelled."""

    fences: list[Fence] = field(default_factory=list)
    running: int = 0
    fault: Exception | None = None

    async def __call__(self, fence: Fence) -> None:
        """Work."""
        self.fences.append(fence)
        self.running += 1
        try:
            if self.fault is not None:
                raise self.fault
            await asyncio.Event().wait()
        finally:
            self.running -= 1


class Stuck(NodeBackplane):
    """A backplane whose `hold` never answers while it is stuck."""

    stuck = False

    async def hold(self, lease: str) -> Fence | None:
        """See `Backplane.hold`."""
        if self.stuck:
            await asyncio.Event().wait()
        return await super().hold(lease)


@dataclass
class House:
    """Some nodes that all want to lead."""

    time: LoopTime = field(default_factory=LoopTime)
    network: Network = field(default_factory=Network)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def node(self, group: asyncio.TaskGroup, name: str) -> tuple[Stuck, Work]:
        """Add one, whose work is beside it."""
        backplane, work = Stuck(self.network, name), Work()
        self.network.nodes[name] = backplane
        running = lead(backplane, "market", work, asyncio.sleep)
        self.tasks.append(group.create_task(running))
        await turns(5)
        return backplane, work

    def end(self) -> None:
        """Stop them all."""
        for task in self.tasks:
            task.cancel()


async def test_one_node_leads_and_keeps_it() -> None:
    """With one fence, as long as it renews the lease."""
    house = House()
    async with asyncio.TaskGroup() as group:
        _, one = await house.node(group, "n_1")
        _, two = await house.node(group, "n_2")
        for _ in range(20):
            await house.time.advance(1.0)
        assert (len(one.fences), one.running, two.running) == (1, 1, 0)
        house.end()


async def test_another_takes_over_with_a_greater_fence() -> None:
    """When the first is gone."""
    house = House()
    async with asyncio.TaskGroup() as group:
        await house.node(group, "n_1")
        _, two = await house.node(group, "n_2")
        house.tasks[0].cancel()
        await turns(5)
        await house.time.advance(1.1)
        assert two.running == 1
        assert two.fences == [Fence("market", 2)]
        house.end()


async def test_who_cannot_renew_stops_before_the_lease_ends() -> None:
    """So that there are never two, whether it is refused or not answered."""
    for stuck in (False, True):
        house = House()
        async with asyncio.TaskGroup() as group:
            backplane, work = await house.node(group, "n_1")
            backplane.stuck = stuck
            backplane.fault = None if stuck else "cut off"
            seconds = 0
            while work.running:
                await house.time.advance(1.0)
                seconds += 1
                assert seconds < LEASE_S
            house.end()


async def test_a_moment_without_answer_is_no_end() -> None:
    """It renews at the next try."""
    house = House()
    async with asyncio.TaskGroup() as group:
        backplane, work = await house.node(group, "n_1")
        backplane.fault = "a blink"
        await house.time.advance(1.1)
        backplane.fault = None
        for _ in range(10):
            await house.time.advance(1.1)
        assert (len(work.fences), work.running) == (1, 1)
        house.end()


async def test_who_was_taken_for_dead_stops() -> None:
    """Another holds the lease by then."""
    house = House()
    async with asyncio.TaskGroup() as group:
        _, one = await house.node(group, "n_1")
        house.network.leases["market"] = ("n_9", 7)
        await house.time.advance(1.1)
        assert one.running == 0
        house.end()


async def test_work_that_fails_is_begun_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After a moment, under a new fence."""
    house = House()
    async with asyncio.TaskGroup() as group:
        backplane = NodeBackplane(house.network, "n_1")
        work = Work(fault=Refusal(UNAVAILABLE))
        task = group.create_task(lead(backplane, "market", work, asyncio.sleep))
        await turns(5)
        work.fault = None
        await house.time.advance(1.1)
        assert [each.number for each in work.fences] == [1, 2]
        assert work.running == 1
        assert "the work of market failed" in caplog.text
        task.cancel()
