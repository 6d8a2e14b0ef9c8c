from __future__ import annotations

import pytest

from server.errors import Unrecoverable
from server.model import JSON, Position, Publication
from server.stores.memory import MemoryLog
from server.stores.recall import KEPT, Recall
from tests.clocks import ManualClock
from tests.contracts.stores import Delivering, fill, offsets, say
from tests.hub.logs import FaultyLog

ROOM = "chat:lobby"


@pytest.fixture
def log() -> FaultyLog:
    """The log behind, whose reads are counted."""
    return FaultyLog(MemoryLog(ManualClock(), lambda: "e"))


@pytest.fixture
def recall(log: FaultyLog) -> Recall:
    """A recall to which everything is delivered."""
    return Delivering(log, ManualClock())


async def test_what_was_delivered_is_read_from_memory(
    log: FaultyLog, recall: Recall
) -> None:
    """The store is not asked: not for what was missed, nor for pages of it."""
    positions = await fill(recall, 10)
    assert offsets((await recall.read(ROOM, positions[3], 3)).publications) == [5, 6, 7]
    assert (await recall.read(ROOM, positions[-1], 3)).publications == ()
    assert offsets((await recall.page(ROOM, None, 2)).publications) == [9, 10]
    assert offsets((await recall.page(ROOM, 5, 2)).publications) == [3, 4]
    assert offsets((await recall.page(ROOM, 3, 9)).publications) == [1, 2]
    assert log.reads == 0


async def test_what_is_older_is_read_from_the_store(
    log: FaultyLog, recall: Recall
) -> None:
    """Only the newest few are remembered."""
    positions = await fill(recall, KEPT.size + 5)
    found = await recall.read(ROOM, positions[1], 2)
    assert offsets(found.publications) == [3, 4]
    assert offsets((await recall.page(ROOM, 7, 4)).publications) == [3, 4, 5, 6]
    assert log.reads == 2


async def test_it_does_not_answer_for_what_it_was_not_given(
    log: FaultyLog,
) -> None:
    """The page before an offset that is ahead of its memory is the store's."""
    recall = Recall(log, ManualClock())
    positions = await fill(recall, 9)
    recall.remember(Publication(ROOM, positions[0], "message", 1, None, 0))
    recall.remember(Publication(ROOM, positions[1], "message", 2, None, 0))
    found = await recall.page(ROOM, 7, 4)
    assert offsets(found.publications) == [3, 4, 5, 6]
    assert log.reads == 1


async def test_a_hole_starts_the_memory_anew(log: FaultyLog) -> None:
    """So does another epoch; what was seen is passed over."""
    recall = Recall(log, ManualClock())
    positions = await fill(recall, 9)

    def remember(position: Position) -> None:
        recall.remember(Publication(ROOM, position, "message", 0, None, 0))

    for index in (0, 1, 1, 0, 6, 7):
        remember(positions[index])
    assert offsets((await recall.read(ROOM, positions[5], 9)).publications) == [7, 8]
    assert log.reads == 0
    await recall.read(ROOM, positions[0], 9)
    assert log.reads == 1
    remember(Position("f", 4))
    found = await recall.read(ROOM, Position("f", 3), 9)
    assert offsets(found.publications) == [4]


async def test_a_position_that_memory_cannot_serve_is_the_stores_to_judge(
    recall: Recall,
) -> None:
    """Ahead, or of another epoch: it raises."""
    await fill(recall, 3)
    for position in (Position("e", 4), Position("f", 1)):
        with pytest.raises(Unrecoverable):
            await recall.read(ROOM, position, 9)


async def test_a_snapshot_leaves_the_memory_too(log: FaultyLog, recall: Recall) -> None:
    """What it stands for can no longer be read."""
    positions = await fill(recall, 5)
    await recall.snapshot(ROOM, positions[2], b"state")
    with pytest.raises(Unrecoverable):
        await recall.read(ROOM, positions[0], 9)
    assert offsets((await recall.read(ROOM, positions[2], 9)).publications) == [4, 5]
    snapshot = await recall.latest_snapshot(ROOM)
    assert snapshot is not None
    assert snapshot.state == b"state"
    await recall.snapshot(
        "chat:unremembered", await recall.top("chat:unremembered"), b""
    )


async def test_what_is_dropped_is_read_from_the_store(
    log: FaultyLog, recall: Recall
) -> None:
    """Its top was never its own to say."""
    await fill(recall, 2)
    await recall.top(ROOM)
    assert log.reads == 1
    recall.drop(ROOM)
    assert (await recall.page(ROOM, None, 9)).publications == ()
    assert log.reads == 2


async def test_it_is_as_durable_as_its_log(log: FaultyLog, recall: Recall) -> None:
    """It keeps nothing itself."""
    assert not recall.durable
    log.durable = True
    assert recall.durable


@pytest.mark.parametrize("content", [b"x" * 3_000, "x" * 3_000, {"text": "x" * 3_000}])
async def test_its_memory_is_bounded_in_bytes(
    log: FaultyLog, recall: Recall, content: JSON | bytes
) -> None:
    """Whatever the contents are; half a megabyte is kept of a channel."""
    await recall.append([say(content) for _ in range(KEPT.size)])
    start = Position("e", KEPT.size - 100)
    assert len((await recall.read(ROOM, start, 999)).publications) == 100
    assert log.reads == 0
    await recall.read(ROOM, Position("e", 0), 999)
    assert log.reads == 1


async def test_its_memory_is_bounded_in_number(log: FaultyLog, recall: Recall) -> None:
    """What is neither text, bytes nor an object is taken to be small."""
    await recall.append([say([1]) for _ in range(KEPT.size)])
    await recall.read(ROOM, Position("e", 0), 999)
    assert log.reads == 0
    await recall.append([say([1])])
    await recall.read(ROOM, Position("e", 0), 999)
    assert log.reads == 1


async def test_a_stream_that_the_store_began_anew_is_forgotten() -> None:
    """By another node, or for a restored backup: memory says no more what was."""
    epochs = iter(["e", "f"])
    store = MemoryLog(ManualClock(), lambda: next(epochs))
    recall = Delivering(store, ManualClock())
    positions = await fill(recall, 3)
    await store.renew(ROOM, "e")
    assert offsets((await recall.page(ROOM, None, 9)).publications) == [1, 2, 3]
    assert await recall.tops([ROOM]) == {ROOM: Position("f", 0)}
    assert (await recall.page(ROOM, None, 9)).top == Position("f", 0)
    with pytest.raises(Unrecoverable):
        await recall.read(ROOM, positions[1], 9)


async def test_what_is_kept_shows_a_new_stream_too() -> None:
    """Who appends learns it at once."""
    epochs = iter(["e", "f"])
    store = MemoryLog(ManualClock(), lambda: next(epochs))
    recall = Recall(store, ManualClock())
    for position in await fill(recall, 3):
        recall.remember(Publication(ROOM, position, "message", 0, None, 0))
    await store.renew(ROOM, "e")
    await fill(recall, 1)
    assert (await recall.page(ROOM, None, 9)).top == Position("f", 1)
