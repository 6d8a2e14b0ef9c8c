from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from server.backplanes.local import LocalBackplane
from server.hub.hub import Hub
from server.hub.kind import Keep
from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.kinds.open import OpenKind
from server.runtime.clock import random_id
from server.stores.memory import MemoryStore
from server.web.figures import ACTIVITY, STATS
from server.web.live import publish_stats
from tests.clocks import ManualClock


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
    assert all(isinstance(each, dict) and "lag_ms" in each for each in found)
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
