"""What the memory log does on its own: bounds, epochs, and forgetting."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from server.errors import Unrecoverable
from server.kinds.chat.rows import RoomTouched
from server.kinds.notes.rows import NoteTouched
from server.model import Position
from server.seams.log import Appended, Duplicate
from server.stores.memory import (
    LOOKS,
    MAX_BLANKS,
    MemoryLog,
    MemoryStore,
)
from server.stores.memory_rows import MemoryChatRows, MemoryNoteRows
from server.stores.ring import ENTRY_BYTES, Bounds
from tests.clocks import ManualClock
from tests.contracts.stores import ROOM, fill, keep, offsets, say

if TYPE_CHECKING:
    from collections.abc import Callable


def epochs() -> Callable[[], str]:
    """Return what makes one epoch after another."""
    numbers = count()
    return lambda: f"epoch{next(numbers)}"


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that stands still."""
    return ManualClock()


def bounded(clock: ManualClock, bounds: Bounds) -> MemoryLog:
    """Return a log with the same bounds for all channels."""
    return MemoryLog(clock, epochs(), lambda _: bounds)


async def test_it_says_that_nothing_is_durable(clock: ManualClock) -> None:
    """So that no reply claims more."""
    assert MemoryStore(clock, epochs()).log.durable is False


async def test_what_was_trimmed_is_unrecoverable(clock: ManualClock) -> None:
    """What is left is still served."""
    log = bounded(clock, Bounds(size=3))
    positions = await fill(log, 5)
    assert offsets((await log.read(ROOM, positions[1], 10)).publications) == [3, 4, 5]
    with pytest.raises(Unrecoverable):
        await log.read(ROOM, positions[0], 10)


async def test_age_trims_without_another_append(clock: ManualClock) -> None:
    """Reading and paging look at the clock."""
    log = bounded(clock, Bounds(age_s=60.0))
    positions = await fill(log, 2)
    clock.advance(61.0)
    assert (await log.page(ROOM, None, 10)).publications == ()
    with pytest.raises(Unrecoverable):
        await log.read(ROOM, positions[0], 10)
    assert await log.top(ROOM) == positions[1]


async def test_bytes_are_counted_as_encoded(clock: ManualClock) -> None:
    """JSON by its text, bytes by their number."""
    log = bounded(clock, Bounds(max_bytes=10))
    await keep(log, say("12345678"))
    assert len((await log.page(ROOM, None, 10)).publications) == 1
    await keep(log, say(b"1"))
    assert offsets((await log.page(ROOM, None, 10)).publications) == [2]


async def test_a_key_lives_as_long_as_its_publication(clock: ManualClock) -> None:
    """Keys are bounded by what bounds the ring: number, age, snapshots."""
    log = bounded(clock, Bounds(size=2, age_s=60.0))
    await keep(log, say(1, key="k"), say(2))
    assert isinstance((await log.append([say(1, key="k")]))[0], Duplicate)
    await keep(log, say(3))
    assert isinstance((await log.append([say(4, key="k")]))[0], Appended)
    clock.advance(61.0)
    (outcome,) = await log.append([say(5, key="k")])
    assert isinstance(outcome, Appended)
    await log.snapshot(ROOM, outcome.positions[0], b"")
    assert isinstance((await log.append([say(6, key="k")]))[0], Appended)


async def test_a_dropped_channel_is_another_stream(clock: ManualClock) -> None:
    """A new epoch, offsets from one, and nothing of the past."""
    log = bounded(clock, Bounds())
    (old,) = await keep(log, say(1, key="k"))
    await log.snapshot(ROOM, old, b"state")
    log.drop(ROOM)
    assert await log.latest_snapshot(ROOM) is None
    with pytest.raises(Unrecoverable):
        await log.read(ROOM, old, 10)
    (new,) = await keep(log, say(2, key="k"))
    assert (new.epoch != old.epoch, new.offset) == (True, 1)


async def test_channels_that_are_only_asked_for_are_forgotten(
    clock: ManualClock,
) -> None:
    """Forged names take a bounded place; written channels keep theirs."""
    log = bounded(clock, Bounds())
    (kept,) = await fill(log, 1)
    first = await log.top("open:n0")
    for number in range(1, MAX_BLANKS):
        await log.top(f"open:n{number}")
    assert await log.top("open:n0") == first
    await log.top("open:one-more")
    assert (await log.top("open:n0")).epoch != first.epoch
    assert await log.top(ROOM) == kept


async def test_each_channel_has_its_own_bounds(clock: ManualClock) -> None:
    """They are asked for when the channel is made."""
    log = MemoryLog(clock, epochs(), lambda name: Bounds(size=len(name) - 5))
    for channel, held in (("open:a", 1), ("open:abc", 3)):
        await fill(log, 5, channel)
        found = await log.page(channel, None, 10)
        assert len(found.publications) == held
        assert found.top == Position(found.top.epoch, 5)


def test_rows_take_only_their_own_changes() -> None:
    """A wrong wiring is an error, not a row of nonsense."""
    with pytest.raises(TypeError):
        MemoryChatRows().touch(NoteTouched("notes:n", "n", "t", 1, "Ann", 1))
    with pytest.raises(TypeError):
        MemoryNoteRows().touch(RoomTouched(ROOM, "lobby", "t", "Ann", 1))


async def test_all_channels_together_are_bounded(clock: ManualClock) -> None:
    """One who fills many channels takes from the biggest, not from a quiet one."""
    total = 64 * 1024
    log = MemoryLog(clock, epochs(), lambda _: Bounds(), total_bytes=total)
    quiet = await fill(log, 2, channel="open:quiet")
    for number in range(20):
        await fill(log, 40, channel=f"open:flood{number}")
    held = 0
    for number in range(20):
        page = await log.page(f"open:flood{number}", None, 1_000)
        held += len(page.publications)
        assert page.top.offset == 40
    assert 0 < held * ENTRY_BYTES <= total * (1 + 1 / LOOKS)
    assert len((await log.page("open:quiet", None, 10)).publications) == 2
    assert await log.top("open:quiet") == quiet[-1]


async def test_what_has_no_age_is_not_shrunk(clock: ManualClock) -> None:
    """A durable kind's channel without a store: its state is read from all of it."""
    bounds = Bounds(size=1_000_000, age_s=float("inf"))
    log = MemoryLog(clock, epochs(), lambda _: bounds, total_bytes=4_096)
    await fill(log, 50)
    assert len((await log.page(ROOM, None, 100)).publications) == 50
