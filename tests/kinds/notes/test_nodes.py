"""A note on two nodes: readers in words see every edit, whoever made it."""

from __future__ import annotations

import math
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from server.hub.hub import Hub
from server.kinds.notes.changes import apply_changes
from server.kinds.notes.kind import NotesKind
from server.model import Publication, Subscribed
from server.runtime.clock import random_id
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.hub.logs import FaultyLog
from tests.hub.nodes import Network, NodeBackplane, NodeStage
from tests.hub.stage import ANN, BOB, Guest
from tests.looptime import turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.model import JSON, Principal

NOTE = "notes:plan"


@pytest.fixture
async def nodes() -> AsyncIterator[list[NodeStage]]:
    """Two of them on one log."""
    clock, network = ManualClock(), Network()
    bounds = Bounds(size=10**6, age_s=math.inf, max_bytes=1 << 30)
    store = MemoryStore(clock, lambda: "e", lambda _: bounds)
    async with AsyncExitStack() as stack:
        raised = []
        for name in ("n_1", "n_2"):
            backplane = NodeBackplane(network, name)
            hub = Hub({"notes": NotesKind(clock)}, backplane, clock, random_id)
            log = FaultyLog(store.log)
            await hub.start(dict.fromkeys(Keep, log))
            stack.push_async_callback(hub.stop)
            raised.append(NodeStage(hub, backplane, log))
        yield raised


async def insert(
    node: NodeStage, at: int, text: str, who: Principal, key: str | None = None
) -> None:
    """Edit the note in words."""
    edit: JSON = {"at": at, "text": text}
    await node.hub.publish(NOTE, edit, event="insert", who=who, key=key)


def read(guest: Guest) -> str:
    """Return the text as a reader in words has it: the state, and what was shown."""
    (first,) = guest.wire.told_of(Subscribed)
    text = str(first.state["text"]) if isinstance(first.state, dict) else ""
    for publication in guest.wire.told_of(Publication):
        assert isinstance(publication.shown, dict)
        changes = publication.shown["changes"]
        assert isinstance(changes, list)
        text = apply_changes(text, changes)
    return text


async def test_a_repeated_edit_hides_no_other(nodes: list[NodeStage]) -> None:
    """Its key was used: what was accepted is taken back, what was delivered stays."""
    guest = nodes[0].guest()
    await guest.join(NOTE)
    for _ in range(2):
        await insert(nodes[0], 0, "one ", ANN, key="k1")
    await insert(nodes[1], 4, "two", BOB)
    await turns(20)
    assert read(guest) == "one two"


async def test_an_edit_under_way_is_shown_when_it_comes(nodes: list[NodeStage]) -> None:
    """Also where the note was judged anew meanwhile, from a log that has it already."""
    guest = nodes[0].guest()
    await guest.join(NOTE)
    await insert(nodes[0], 0, "one ", ANN, key="k1")
    await turns(20)
    network = nodes[0].backplane.network
    under_way: deque[object] = deque()
    send = network.send
    setattr(network, "send", under_way.append)  # noqa: B010 - for a moment
    await insert(nodes[1], 4, "two ", BOB)
    await insert(nodes[0], 0, "one ", ANN, key="k1")
    await nodes[0].hub.registry.load(nodes[0].hub.channels[NOTE])
    setattr(network, "send", send)  # noqa: B010
    for each in under_way:
        send(each)  # type: ignore[arg-type]
    await turns(2)
    await insert(nodes[0], 8, "three", ANN)
    await turns(20)
    assert read(guest) == "one two three"


async def test_an_edit_that_was_not_kept_is_not_there(nodes: list[NodeStage]) -> None:
    """After a failed commit the note is as it was, on all nodes."""
    guest = nodes[0].guest()
    await guest.join(NOTE)
    await insert(nodes[0], 0, "one ", ANN)
    nodes[0].log.append_fault = OSError("disk full")
    with pytest.raises(Exception, match="unavailable"):
        await insert(nodes[0], 4, "lost ", ANN)
    nodes[0].log.append_fault = None
    await insert(nodes[1], 4, "two ", BOB)
    await insert(nodes[0], 8, "three", ANN)
    await turns(20)
    assert read(guest) == "one two three"
