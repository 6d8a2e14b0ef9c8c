from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.hub.explain import explain
from server.model import Event
from tests.hub.stage import ANN, ROOM, Stage, raise_curtain
from tests.hub.wires import RecordingCodec
from tests.looptime import turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


async def test_a_publication_is_encoded_at_most_once_for_each_codec(
    stage: Stage,
) -> None:
    """And what comes together goes as one run: one entry, and one write, for each."""
    words = [RecordingCodec("one"), RecordingCodec("two")]
    crowd = [stage.guest(codec=words[n % 2]) for n in range(20)]
    for guest in crowd:
        await guest.join()
    await turns(3)
    before = stage.hub.stats.writes
    kept = [
        await stage.hub.submit(ANN, ROOM, Event("message", number))
        for number in range(16)
    ]
    await kept[-1]
    await turns(5)
    found = explain(stage.hub.channels[ROOM])
    assert found.subscribers == {"one": 10, "two": 10}
    assert (found.publications, found.runs) == (16, 1)
    # Of all that was told, the crowd's joining beside it, none is encoded twice.
    assert found.encodes <= 16 * len(found.subscribers) + 2 * len(crowd)
    assert found.deliveries == 16 * 20
    assert stage.hub.stats.writes - before == 20


async def test_it_shows_who_is_slow(stage: Stage) -> None:
    """By what waits in the outboxes."""
    crowd = [stage.guest() for _ in range(10)]
    for guest in crowd:
        await guest.join()
    await turns(3)
    crowd[0].wire.stall()
    await stage.say("hello")
    await turns(3)
    queued = explain(stage.hub.channels[ROOM]).queued_bytes
    assert queued[50] == queued[90] == 0
    assert queued[100] > 0


async def test_an_empty_channel_can_be_explained(stage: Stage) -> None:
    """Nobody is there, nothing waits; of one that nobody has opened there is none."""
    position = await stage.say("hello")
    found = stage.hub.explain(ROOM)
    assert found is not None
    assert stage.hub.explain("open:nobody") is None
    assert found.top == position
    assert found.subscribers == {}
    assert set(found.queued_bytes.values()) == {0}
