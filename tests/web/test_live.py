from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from server.backplanes.local import LocalBackplane
from server.hub.hub import Hub
from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.kinds.open import OpenKind
from server.runtime.clock import random_id
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.web.figures import ACTIVITY, STATS
from server.web.live import publish_stats
from tests.clocks import ManualClock
from tests.hub.nodes import NodeStage, raise_nodes
from tests.looptime import turns


class Rows:
    """No rooms and no notes; `failure` is raised instead."""

    failure: Exception | None = None

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """See `ChatRows.rooms`."""
        if self.failure is not None:
            raise self.failure
        return []

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """See `NoteRows.notes`."""
        return []


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A hub with the channels of the dashboard."""
    clock = ManualClock()
    hub = Hub({"hub": OpenKind(clock)}, LocalBackplane(), clock, random_id)
    memory = MemoryStore(clock, lambda: "e")
    await hub.start(dict.fromkeys(Keep, memory.log))
    yield hub
    await hub.stop()


async def run(hub: Hub, rows: Rows, until: int) -> list[object]:
    """Let the reports run until so many figures came; return them."""
    clock = ManualClock()

    async def sleep(delay_s: float) -> None:
        clock.advance(delay_s)
        await asyncio.sleep(0)

    hub.tasks.spawn(publish_stats(hub, clock, rows, rows, sleep=sleep), "stats")
    found: list[object] = []
    async for publication in hub.subscribe(STATS):
        found.append(publication.content)
        if len(found) == until:
            break
    return found


async def test_it_tells_figures_and_activity(hub: Hub) -> None:
    """A publication of figures each second; activity is retained, and told once."""
    found = await run(hub, Rows(), 3)
    for each in found:
        assert isinstance(each, dict)
        assert "lag_ms" in each
        assert [node["state"] for node in each["nodes"]] == ["live"]
        assert each["nodes"][0]["pid"] == os.getpid()
    retained = [signal.content for signal in hub.retained(ACTIVITY).values()]
    assert retained == [{"lines": [], "notes": []}]
    assert hub.stats.signals == 1


async def test_figures_go_on_while_rows_cannot_be_read(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that fails costs the tiles their news, and nothing else."""
    rows = Rows()
    rows.failure = OSError("no disk")
    with caplog.at_level(logging.ERROR, "hubbub.live"):
        assert len(await run(hub, rows, 3)) == 3
    assert "cannot be read" in caplog.text
    assert not hub.retained(ACTIVITY)


@pytest.fixture
async def pair(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[NodeStage]]:
    """Two nodes that report; a second of theirs takes some milliseconds."""

    async def pause(_seconds: float) -> None:
        await asyncio.sleep(0.01)

    def start(hub: Hub) -> None:
        clock = ManualClock()

        async def sleep(delay_s: float) -> None:
            clock.advance(delay_s)
            await asyncio.sleep(0.001)

        monkeypatch.setattr(hub, "pause", pause)
        hub.tasks.spawn(publish_stats(hub, clock, Rows(), Rows(), sleep=sleep), "stats")

    async with raise_nodes(2, "hub") as nodes:
        for node in nodes:
            start(node.hub)
        yield nodes


async def told(node: NodeStage, *states: str) -> dict[str, Any]:
    """Return the first report on a node that has nodes with these states."""
    async with asyncio.timeout(5):
        async for publication in node.hub.subscribe(STATS):
            found: Any = publication.content
            if [each["state"] for each in found["nodes"]] == list(states):
                return dict(found)
    raise AssertionError


async def test_one_node_reports_of_all(pair: list[NodeStage]) -> None:
    """On every node the same is heard, and the sums are of all."""
    one, two = pair
    guests = [one.guest(), two.guest(), two.guest()]
    await guests[1].join("open:x")
    found = await told(two, "live", "live")
    while found["sessions"] != {"test": 3}:
        found = await told(two, "live", "live")
    assert sorted(each["sessions"] for each in found["nodes"]) == [1, 2]
    assert {each["id"] for each in found["nodes"]} == {"n_1", "n_2"}
    published = [each.hub.stats.accepted["hub"] for each in pair]
    assert min(published) == 0 < max(published)
    heard = [each.hub.channels[STATS].top for each in pair]
    assert heard[0] == heard[1]


async def test_another_node_reports_when_the_first_dies(pair: list[NodeStage]) -> None:
    """What is told goes on, and shows for a while who has gone."""
    one, two = pair
    await told(two, "live", "live")
    assert one.hub.stats.accepted["hub"] > 0
    before = two.hub.channels[STATS].top
    one.backplane.fault = "dead"
    one.backplane.network.kill("n_1")
    found = await told(two, "gone", "live")
    assert [each["id"] for each in found["nodes"]] == ["n_1", "n_2"]
    assert two.hub.stats.accepted["hub"] > 0
    after = two.hub.channels[STATS].top
    assert before is not None
    assert after is not None
    assert (after.epoch, after.offset > before.offset) == (before.epoch, True)
    await turns(5)
    assert [each.node for each in two.hub.retained(ACTIVITY).values()] == ["n_2"]
