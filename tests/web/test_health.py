"""Probes and metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from server.backplanes.local import LocalBackplane
from server.keys import HUB
from server.web import health
from server.web.lag import INTERVAL_S, LoopLag
from server.web.metrics import COUNTED
from tests.hub.nodes import raise_nodes
from tests.looptime import until

if TYPE_CHECKING:
    import pytest

    from server.kinds.chat.rows import RoomRow

    from .conftest import Client, Rows

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"


async def status(client: Client, path: str) -> int:
    """The status of a probe."""
    async with client.get(path) as answer:
        return answer.status


async def test_it_is_ready_when_the_store_answers(client: Client, rows: Rows) -> None:
    """And not, but alive, when it does not."""
    assert await status(client, "/readyz") == 200
    rows.failure = OSError("disk")
    assert await status(client, "/readyz") == 503
    assert await status(client, "/healthz") == 200


async def test_a_store_that_hangs_is_not_ready(
    client: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe does not hang with it."""

    async def hang(limit: int) -> Sequence[RoomRow]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(rows, "rooms", hang)
    monkeypatch.setattr(health, "READ_TIMEOUT_S", 0.0)
    assert await status(client, "/readyz") == 503


async def test_it_is_not_ready_while_it_is_cut_off(client: Client) -> None:
    """It says why, a line for each reason, and which part it is."""
    assert client.app is not None
    hub = client.app[HUB]
    assert isinstance(hub.backplane, LocalBackplane)
    hub.backplane.fault = "no way to the other nodes"
    async with client.get("/readyz") as answer:
        assert (answer.status, await answer.text()) == (
            503,
            "no way to the other nodes\n",
        )
    assert await status(client, "/healthz") == 200
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'hubbub_up{part="backplane"} 0.0' in text
    assert 'hubbub_up{part="store"} 1.0' in text
    assert "hubbub_nodes 1.0" in text


async def test_which_part_does_not_answer_is_told_apart() -> None:
    """A log that is away is not the backplane's fault."""
    (up,) = [each for each in COUNTED if each.name == "hubbub_up"]
    async with raise_nodes(1) as (node,):
        assert up.read(node.hub) == {"backplane": 1, "store": 1}
        node.log.read_fault = OSError("gone")
        node.hub.watch.look()
        await until(lambda: node.hub.faults)
        assert up.read(node.hub) == {"backplane": 1, "store": 0}
        node.backplane.fault = "cut off"
        assert up.read(node.hub) == {"backplane": 0, "store": 0}


async def test_it_is_not_ready_while_it_stops(client: Client) -> None:
    """A balancer sends nobody there any more."""
    assert client.app is not None
    client.app[health.STOPPING].set()
    assert await status(client, "/readyz") == 503
    assert await status(client, "/healthz") == 200


async def test_metrics_read_the_hub_and_are_the_documented_ones(client: Client) -> None:
    """Each name with its type stands in the docs, and none stands there in vain."""
    assert client.app is not None
    stats = client.app[HUB].stats
    stats.sessions["native"] = 2
    stats.opened["native"] = 3
    stats.accepted["chat"] = 5
    stats.closed[3008] = 1
    stats.refused[107] = 4
    stats.deliveries = 7
    async with client.get("/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["hubbub_sessions", "native"] == 2
    assert samples["hubbub_publications_total", "chat"] == 5
    assert samples["hubbub_sessions_closed_total", "3008"] == 1
    assert samples[("hubbub_deliveries_total",)] == 7
    assert samples[("hubbub_outbox_bytes",)] == 0
    assert samples[("process_resident_memory_bytes",)] > 0
    told = set(re.findall(r"^# TYPE (hubbub_\w+) (\w+)$", text, re.MULTILINE))
    rows = re.findall(
        r"^\| `(hubbub_\w+)` \| (\w+) \|", DOCS.read_text("utf-8"), re.MULTILINE
    )
    assert told == set(rows)


def test_a_blocked_loop_shows() -> None:
    """What did not yield is seen as the lateness of a timer."""
    now = 100.0
    calls: list[tuple[float, tuple[object, ...]]] = []

    class Timer:
        cancelled = False

        def cancel(self) -> None:
            self.cancelled = True

    timer = Timer()

    class Loop:
        def time(self) -> float:
            return now

        def call_at(self, when: float, _call: object, *args: object) -> Timer:
            calls.append((when, args))
            return timer

    lag = LoopLag()
    assert lag.worst_s == 0
    fake = Loop()
    lag.start(fake)  # type: ignore[arg-type] # the two methods that it uses
    assert calls[-1][0] == 100 + INTERVAL_S
    now = 100 + INTERVAL_S + 0.3
    lag._note(fake, calls[-1][0])  # type: ignore[arg-type] # noqa: SLF001 - the timer's call
    assert round(lag.worst_s, 6) == 0.3
    assert len(calls) == 2
    lag.stop()
    assert timer.cancelled
