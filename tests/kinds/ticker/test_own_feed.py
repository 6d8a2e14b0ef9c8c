"""The page about one's own feed says what is true: its code runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

from server.backplanes.local import LocalBackplane
from server.hub.hub import Hub
from server.hub.kind import Keep
from server.kinds.open import OpenKind
from server.model import Publication, Signal
from server.stores.memory import MemoryStore
from tests.clocks import ManualClock

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "own-feed.md"


async def readings() -> AsyncIterator[tuple[str, float]]:
    """Two sensors, one of which gets hot."""
    for reading in (("north", 20.5), ("south", 79.0), ("north", 81.0)):
        yield reading


async def test_readings_are_signals_and_alarms_publications() -> None:
    """Each reading comes under its sensor's key; the alarm gets a position."""
    found = re.search(r"```python\n(import asyncio.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    code: dict[str, Any] = {}
    exec(found[1].replace("from hubbub.", "from server."), code)  # noqa: S102 our own page
    clock, ids = ManualClock(), count()
    store = MemoryStore(clock, lambda: f"e{next(ids)}")
    hub = Hub({"open": OpenKind(clock)}, LocalBackplane(), clock, lambda prefix: prefix)
    await hub.start(dict.fromkeys(Keep, store.log))
    heard: list[Publication | Signal] = []

    async def listen() -> None:
        async for each in hub.subscribe("open:boiler", signals=True):
            heard.append(each)  # noqa: PERF401 it never ends

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        listener = group.create_task(listen())
        await asyncio.sleep(0)
        await code["feed"](hub, "open:boiler", readings())
        await asyncio.sleep(0)
        listener.cancel()
    await hub.stop()
    signals = [(each.key, each.event) for each in heard if isinstance(each, Signal)]
    assert signals == [
        ("north", "reading"),
        ("south", "reading"),
        ("north", "reading"),
    ]
    (alarm,) = [each for each in heard if isinstance(each, Publication)]
    assert (alarm.event, alarm.content) == (
        "alarm",
        {"sensor": "north", "celsius": 81.0},
    )
