"""What is counted, for Prometheus: read from the hub at each scrape, kept nowhere."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from .package import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from ..hub.hub import Hub
    from .lag import LoopLag

Read: TypeAlias = "Callable[[Hub], float | Mapping[str, int] | Mapping[int, int]]"


@dataclass(frozen=True, slots=True)
class Counted:
    """One metric: a counter if `name` ends in `_total`; `label` None: one value."""

    name: str
    help: str
    read: Read
    label: str | None = None


def _waiting_bytes(hub: Hub) -> int:
    return sum(session.outbox.held_bytes for session in hub.sessions.values())


def _up(hub: Hub) -> Mapping[str, int]:
    cut_off = hub.backplane.fault is not None
    return {"backplane": int(not cut_off), "store": int(len(hub.faults) == cut_off)}


COUNTED: Final = (
    Counted(
        "hubbub_up",
        "Whether a part that this node needs answers: 1 or 0.",
        _up,
        "part",
    ),
    Counted(
        "hubbub_nodes",
        "Nodes that live, as this one sees it; itself included.",
        lambda hub: len(hub.backplane.nodes()),
    ),
    Counted(
        "hubbub_sessions",
        "Open sessions.",
        lambda hub: hub.stats.sessions,
        "gateway",
    ),
    Counted(
        "hubbub_sessions_opened_total",
        "Sessions opened.",
        lambda hub: hub.stats.opened,
        "gateway",
    ),
    Counted(
        "hubbub_sessions_turned_away_total",
        "Sessions that were not opened, because there was no room.",
        lambda hub: hub.stats.turned_away,
    ),
    Counted(
        "hubbub_sessions_closed_total",
        "Sessions that the server ended, by close code.",
        lambda hub: hub.stats.closed,
        "code",
    ),
    Counted(
        "hubbub_sessions_per_cpu_second",
        "Sessions that can be opened in a second of CPU: 500 until it was measured.",
        lambda hub: hub.arrivals.rate,
    ),
    Counted("hubbub_channels", "Open channels.", lambda hub: len(hub.channels)),
    Counted("hubbub_tasks", "Tasks of the hub that run.", lambda hub: len(hub.tasks)),
    Counted("hubbub_outbox_bytes", "Bytes that wait for all sessions.", _waiting_bytes),
    Counted(
        "hubbub_publications_total",
        "Publications kept.",
        lambda hub: hub.stats.accepted,
        "kind",
    ),
    Counted(
        "hubbub_commands_refused_total",
        "Commands refused, by error code.",
        lambda hub: hub.stats.refused,
        "code",
    ),
    Counted("hubbub_signals_total", "Signals sent.", lambda hub: hub.stats.signals),
    Counted(
        "hubbub_deliveries_total",
        "Frames put into outboxes by fan-out.",
        lambda hub: hub.stats.deliveries,
    ),
    Counted(
        "hubbub_encodes_total",
        "Frames encoded for fan-out: one for each codec, not for each session.",
        lambda hub: hub.stats.encodes,
    ),
    Counted("hubbub_writes_total", "Transport writes.", lambda hub: hub.stats.writes),
    Counted(
        "hubbub_written_bytes_total",
        "Bytes written to transports.",
        lambda hub: hub.stats.written_bytes,
    ),
    Counted(
        "hubbub_signals_merged_total",
        "Signals replaced in an outbox by a newer one of their key.",
        lambda hub: hub.stats.merged,
    ),
    Counted(
        "hubbub_signals_skipped_total",
        "Signals dropped because an outbox was full.",
        lambda hub: hub.stats.skipped,
    ),
    Counted(
        "hubbub_resumes_total",
        "Subscribes with a position that got all they had missed.",
        lambda hub: hub.stats.recovered,
    ),
    Counted(
        "hubbub_resumes_failed_total",
        "Subscribes whose position could not be resumed.",
        lambda hub: hub.stats.unrecovered,
    ),
    Counted(
        "hubbub_duplicates_total",
        "Publishes that their key showed to have been kept before.",
        lambda hub: hub.stats.duplicates,
    ),
    Counted(
        "hubbub_gaps_healed_total",
        "Publications read from the log because the backplane lost them.",
        lambda hub: hub.stats.healed,
    ),
    Counted(
        "hubbub_broadcasts_dropped_total",
        "Broadcasts dropped because too many waited in a channel of this node.",
        lambda hub: hub.stats.overflowed,
    ),
    Counted(
        "hubbub_streams_ended_total",
        "Streams ended because the log had lost what was delivered of them.",
        lambda hub: hub.stats.renewed,
    ),
    Counted(
        "hubbub_backplane_operations_total",
        "Commands sent to Redis.",
        lambda hub: hub.backplane.counts.operations,
    ),
    Counted(
        "hubbub_backplane_sent_total",
        "Broadcasts and orders that Redis took.",
        lambda hub: hub.backplane.counts.sent,
    ),
    Counted(
        "hubbub_backplane_dropped_total",
        "Those that were dropped because Redis was away or too slow.",
        lambda hub: hub.backplane.counts.dropped,
    ),
    Counted(
        "hubbub_backplane_heard_total",
        "Frames that came from Redis.",
        lambda hub: hub.backplane.counts.heard,
    ),
    Counted(
        "hubbub_backplane_undecodable_total",
        "Those of them that could not be read.",
        lambda hub: hub.backplane.counts.undecodable,
    ),
    Counted(
        "hubbub_backplane_reconnects_total",
        "How often this node was cut off from the others and came back.",
        lambda hub: hub.backplane.counts.reconnects,
    ),
    Counted("hubbub_commits_total", "Transactions.", lambda hub: hub.stats.commits),
    Counted(
        "hubbub_commits_failed_total",
        "Transactions that failed.",
        lambda hub: hub.stats.failed_commits,
    ),
    Counted(
        "hubbub_committed_total",
        "Appends kept by all transactions.",
        lambda hub: hub.stats.committed,
    ),
)
LAG_NAME: Final = "hubbub_event_loop_lag_seconds"
BUILD_NAME: Final = "hubbub_build_info"


class HubCollector(Collector):
    """Reads a hub and its loop's lag, on the loop."""

    def __init__(self, hub: Hub, lag: LoopLag) -> None:
        self._hub = hub
        self._lag = lag
        self._version = version()

    def collect(self) -> Iterable[Metric]:
        """Yield the families of `COUNTED`, the lag and the build."""
        for counted in COUNTED:
            yield _family(counted, counted.read(self._hub))
        yield GaugeMetricFamily(
            LAG_NAME,
            "Greatest lateness of the event loop in the last 15 seconds.",
            value=self._lag.worst_s,
        )
        build = GaugeMetricFamily(
            BUILD_NAME, "Versions; always 1.", labels=("version", "python")
        )
        build.add_metric((self._version, platform.python_version()), 1)
        yield build


class Metrics:
    """What `/metrics` says, for one application."""

    def __init__(self, hub: Hub, lag: LoopLag) -> None:
        self._hub = CollectorRegistry(auto_describe=False)
        self._hub.register(HubCollector(hub, lag))
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)

    async def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        # The process's part reads /proc, so it goes to a thread; the hub's part reads
        # what only the loop's own thread may.
        process = await asyncio.to_thread(generate_latest, self._process)
        return generate_latest(self._hub) + process


def _family(
    counted: Counted, found: float | Mapping[str, int] | Mapping[int, int]
) -> Metric:
    counter = counted.name.endswith("_total")
    make = CounterMetricFamily if counter else GaugeMetricFamily
    if not isinstance(found, Mapping):
        return make(counted.name, counted.help, value=found)
    family = make(counted.name, counted.help, labels=(counted.label or "",))
    for label, count in sorted(found.items()):
        family.add_metric((str(label),), count)
    return family
