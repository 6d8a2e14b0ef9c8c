"""The nodes together: what is summed, and what is not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from server.seams.backplane import Node
from server.web.figures import Figures
from server.web.whole import GONE_S, NODES_SHOWN, SILENT_S, Card, Whole
from tests.clocks import ManualClock


def figures(**more: Any) -> Figures:  # noqa: ANN401 - any of its fields
    """Return what a quiet node does, but for what is named."""
    quiet: dict[str, Any] = {
        "sessions": {"native": 1},
        "publications_per_s": 0.0,
        "deliveries_per_s": 0.0,
        "signals_per_s": 0.0,
        "merged_per_s": 0.0,
        "skipped_per_s": 0.0,
        "outbox_bytes": 0,
        "channels": 2,
        "lag_ms": 1.0,
        "total": {"publications": 5},
    }
    return Figures(**(quiet | more))


def node(name: str, beat: int, started_ms: int = 0, **more: Any) -> Node:  # noqa: ANN401
    """Return a node with its card, as it comes from the others."""
    card = Card(beat, "far", 77, started_ms, "1.0", figures(**more))
    return Node(name, msgspec.json.decode(msgspec.json.encode(card)))


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the tests advance."""
    return ManualClock()


def states(whole: Whole) -> dict[str, str]:
    """Return how each node is, in the order in which they are shown."""
    told: Any = whole.tell()
    return {each["id"]: each["state"] for each in told["nodes"]}


def test_nodes_are_summed(clock: ManualClock) -> None:
    """Sessions by gateway, rates, bytes, totals; of the lag the greatest."""
    whole = Whole(clock)
    whole.look(
        [
            node("n_a", 1, 5, publications_per_s=0.1, outbox_bytes=10, lag_ms=8.5),
            node("n_b", 1, 3, publications_per_s=0.2, sessions={"native": 2, "yjs": 1}),
        ]
    )
    told: Any = whole.tell()
    rows = told.pop("nodes")
    assert told == {
        "sessions": {"native": 3, "yjs": 1},
        "publications_per_s": 0.3,
        "deliveries_per_s": 0.0,
        "signals_per_s": 0.0,
        "merged_per_s": 0.0,
        "skipped_per_s": 0.0,
        "outbox_bytes": 10,
        "channels": 4,
        "lag_ms": 8.5,
        "total": {"publications": 10},
    }
    assert [row["id"] for row in rows] == ["n_b", "n_a"]
    assert rows[1] == {
        "id": "n_a",
        "host": "far",
        "pid": 77,
        "version": "1.0",
        "started": 5,
        "state": "live",
        "sessions": 1,
        "publications_per_s": 0.1,
        "deliveries_per_s": 0.0,
        "outbox_bytes": 10,
        "lag_ms": 8.5,
    }


def test_a_node_that_says_nothing_new_is_silent(clock: ManualClock) -> None:
    """It is shown, and not summed, until it is heard again."""
    whole = Whole(clock)
    for second in range(int(SILENT_S) + 2):
        whole.look([node("n_a", second), node("n_b", 1)])
        clock.advance(1)
    assert states(whole) == {"n_a": "live", "n_b": "silent"}
    assert whole.tell()["sessions"] == {"native": 1}
    whole.look([node("n_a", 99), node("n_b", 2)])
    assert states(whole) == {"n_a": "live", "n_b": "live"}


def test_a_node_that_has_gone_is_shown_for_a_while(clock: ManualClock) -> None:
    """It may come back meanwhile; then it is forgotten."""
    whole = Whole(clock)
    whole.look([node("n_a", 1), node("n_b", 1)])
    whole.look([node("n_a", 2)])
    assert states(whole) == {"n_a": "live", "n_b": "gone"}
    assert whole.tell()["sessions"] == {"native": 1}
    whole.look([node("n_a", 3), node("n_b", 1)])
    assert states(whole) == {"n_a": "live", "n_b": "live"}
    whole.look([node("n_a", 4)])
    clock.advance(GONE_S)
    whole.look([node("n_a", 5)])
    assert states(whole) == {"n_a": "live", "n_b": "gone"}
    clock.advance(1)
    whole.look([node("n_a", 6)])
    assert states(whole) == {"n_a": "live"}


def test_what_cannot_be_read_is_not_shown(clock: ManualClock) -> None:
    """A node that has just come has no card; one of another version an odd one."""
    whole = Whole(clock)
    whole.look([node("n_a", 1), Node("n_b"), Node("n_c", {"beat": "one"})])
    assert states(whole) == {"n_a": "live"}


def test_of_many_nodes_the_first_are_shown_and_all_summed(clock: ManualClock) -> None:
    """The list is bounded, the sums are not."""
    whole = Whole(clock)
    many = NODES_SHOWN + 5
    whole.look([node(f"n_{n}", 1, started_ms=n) for n in range(many)])
    assert list(states(whole)) == [f"n_{n}" for n in range(NODES_SHOWN)]
    assert whole.tell()["sessions"] == {"native": many}
