"""What every log promises (`seams.log.Log`); one suite for all of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from server.errors import Unrecoverable
from server.kinds.chat.rows import RoomTouched
from server.model import MAX_OFFSET, Position, Principal, Publication
from server.seams.log import (
    Append,
    Appended,
    Draft,
    Duplicate,
    Log,
    Rejected,
    Slice,
    Snapshot,
)
from tests.clocks import ManualClock
from tests.contracts.stores import (
    ANN,
    BOB,
    ROOM,
    Store,
    fill,
    keep,
    offsets,
    open_store,
    say,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from server.model import JSON


@pytest.fixture(params=["memory", "sql", "recall", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open each kind of store in its turn."""
    on_server = request.param == "postgres"
    url = request.getfixturevalue("empty_url") if on_server else ""
    async with open_store(request.param, tmp_path, ManualClock(), url) as opened:
        yield opened


@pytest.fixture
def log(store: Store) -> Log:
    """Give the log alone."""
    return store.log


async def test_offsets_count_up_from_one_without_holes(log: Log) -> None:
    """In the order of the appends, over batches, each channel for itself."""
    first = await keep(log, say("a"), say("b"), say("x", channel="chat:other"))
    second = await keep(log, say("c"), say("y", channel="chat:other"))
    assert [at.offset for at in first + second] == [1, 2, 1, 3, 2]
    epochs = {at.epoch for at in first + second}
    assert len(epochs) == 2, "each channel has a stream of its own"


async def test_what_was_appended_is_read_as_it_was(log: Log) -> None:
    """Every field of a publication comes back, also that nobody was its author."""
    drafts = (
        Draft(ROOM, "message", {"text": "hi"}, BOB, 1_234),
        Draft(ROOM, "topic", None, None, 1_235),
    )
    (outcome,) = await log.append([Append(drafts, key="k1")])
    assert isinstance(outcome, Appended)
    one, two = outcome.positions
    found = await log.read(ROOM, Position(one.epoch, 0), 10)
    assert found == Slice(
        (
            Publication(ROOM, one, "message", {"text": "hi"}, BOB, 1_234, "k1"),
            Publication(ROOM, two, "topic", None, None, 1_235, None),
        ),
        two,
    )


def endless(depth: int) -> JSON:
    """Return lists in lists, that deep."""
    nested: JSON = 0
    for _ in range(depth):
        nested = [nested]
    return nested


CONTENTS: dict[str, JSON | bytes] = {
    "null": None,
    "bool": True,
    "zero": 0,
    "least": -(2**63),
    "greatest": 2**64 - 1,
    "float": 0.1,
    "empty": "",
    "escapes": 'quote " backslash \\ newline \n nul \0 \u2028',
    "unicode": "\N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT} \N{HEBREW LETTER ALEF}",
    "object": {"": [], "a": {"b": [1, None, {"c": "d"}]}},
    "long": "x" * 300_000,
    "deep": endless(200),
    "no bytes": b"",
    "bytes": b"\0\xff\xfe[]",
    "like JSON": b"[]",
    "many bytes": bytes(range(256)) * 1_000,
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
async def test_a_content_comes_back_as_it_was(log: Log, content: JSON | bytes) -> None:
    """JSON stays JSON and bytes stay bytes, also where one could pass for the other."""
    (at,) = await keep(log, say(content))
    found = await log.read(ROOM, Position(at.epoch, 0), 1)
    assert found.publications[0].content == content
    assert type(found.publications[0].content) is type(content)


async def test_a_key_is_kept_once(log: Log) -> None:
    """The second time its first position is told, and nothing is kept."""
    (first,) = await keep(log, say("once", key="k"))
    await keep(log, say("between"))
    again = await log.append([say("again", key="k")])
    assert again == [Duplicate(first)]
    assert (await log.top(ROOM)).offset == 2


async def test_a_key_is_kept_once_within_a_batch(log: Log) -> None:
    """Both of one batch: the first is kept, the second a duplicate of it."""
    kept, duplicate = await log.append([say(1, key="k"), say(2, key="k")])
    assert isinstance(kept, Appended)
    assert duplicate == Duplicate(kept.positions[0])


async def test_a_duplicate_leaves_no_hole(log: Log) -> None:
    """What stands behind a duplicate in its batch gets the next offset."""
    await keep(log, say(1, key="k"))
    outcomes = await log.append([say(2, key="k"), say(3)])
    assert isinstance(outcomes[1], Appended)
    assert outcomes[1].positions[0].offset == 2


@pytest.mark.parametrize(
    "other",
    [
        say(2, key="k", author=BOB),
        say(2, key="k", author=None),
        say(2, key="k", channel="chat:other"),
        say(2, key="K"),
        say(2, key="k", author=Principal("ann", "Ann")),
    ],
)
async def test_a_key_is_its_authors_in_its_channel(log: Log, other: Append) -> None:
    """Of another author, or in another channel, the same key is a new one."""
    outcomes = await log.append([say(1, key="k"), other])
    assert all(isinstance(each, Appended) for each in outcomes)


async def test_a_key_is_of_the_first_draft(log: Log) -> None:
    """An Append to two channels is known by the first one."""
    drafts = (
        Draft(ROOM, "message", 1, ANN, 1),
        Draft("chat:other", "message", 1, ANN, 1),
    )
    await log.append([Append(drafts, key="k")])
    outcomes = await log.append(
        [Append(drafts, key="k"), say(2, channel="chat:other", key="k")]
    )
    assert [type(each) for each in outcomes] == [Duplicate, Appended]
    assert (await log.top("chat:other")).offset == 2


@pytest.mark.parametrize(
    "bad",
    [
        say("lone surrogate \ud800"),
        say(endless(50_000)),
        say("x", key="with space"),
        say("x", author=Principal("u_x", "\udfff")),
    ],
)
async def test_what_cannot_be_kept_is_rejected_alone(log: Log, bad: Append) -> None:
    """The others of its batch are kept, without a hole."""
    outcomes = await log.append([say(1), bad, say(2)])
    assert [type(each) for each in outcomes] == [Appended, Rejected, Appended]
    assert (await log.top(ROOM)).offset == 2


@dataclass(frozen=True, slots=True)
class StrangeChange:
    """A change that no store knows."""

    channel: str = ROOM


@pytest.mark.parametrize(
    "wrong", [say(2, changes=(StrangeChange(),)), Append((), key="k")]
)
async def test_a_batch_that_raises_keeps_nothing(store: Store, wrong: Append) -> None:
    """Not even the good Appends before the wrong one, nor their changes."""
    touched = RoomTouched(ROOM, "lobby", "one", "Ann", 1)
    with pytest.raises((TypeError, ValueError)):
        await store.log.append([say(1, key="k", changes=(touched,)), wrong])
    assert (await store.log.top(ROOM)).offset == 0
    assert list(await store.chat.rooms(10)) == []
    await keep(store.log, say(1, key="k"))


async def test_an_empty_batch_is_nothing(log: Log) -> None:
    """Neither is an Append without drafts."""
    assert await log.append([]) == []
    assert await log.append([Append(())]) == [Appended(())]


async def test_reading_is_limited_and_goes_on(log: Log) -> None:
    """Page after page, everything once; the top stands beside each."""
    positions = await fill(log, 7)
    after, seen = Position(positions[0].epoch, 0), []
    while True:
        found = await log.read(ROOM, after, 3)
        assert found.top == positions[-1]
        if not found.publications:
            break
        seen.extend(offsets(found.publications))
        after = found.publications[-1].position
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_a_limit_of_nothing_reads_nothing(log: Log) -> None:
    """Zero or less is no error."""
    (at,) = await fill(log, 1)
    for limit in (0, -1):
        assert await log.read(ROOM, Position(at.epoch, 0), limit) == Slice((), at)
        assert await log.page(ROOM, None, limit) == Slice((), at)


async def test_pages_reach_back_to_the_first(log: Log) -> None:
    """Ascending, up to the limit, before an offset or from the newest."""
    top = (await fill(log, 5))[-1]

    async def page(before: int | None, limit: int) -> list[int]:
        found = await log.page(ROOM, before, limit)
        assert found.top == top
        return offsets(found.publications)

    assert await page(None, 2) == [4, 5]
    assert await page(4, 2) == [2, 3]
    assert await page(2, 2) == [1]
    assert await page(1, 2) == []
    assert await page(0, 2) == []
    assert await page(99, 2) == [4, 5]
    assert await page(MAX_OFFSET, 99) == [1, 2, 3, 4, 5]


async def test_a_position_of_another_epoch_is_unrecoverable(log: Log) -> None:
    """Whatever its offset, also in a channel that nobody wrote to."""
    await fill(log, 3)
    for channel in (ROOM, "chat:unwritten"):
        for offset in (0, 1):
            with pytest.raises(Unrecoverable):
                await log.read(channel, Position("forged", offset), 10)


async def test_a_position_ahead_is_unrecoverable(log: Log) -> None:
    """It was forged, or the stream was cut short."""
    top = (await fill(log, 3))[-1]
    blank = await log.top("chat:unwritten")
    assert (await log.read(ROOM, top, 10)).publications == ()
    for channel, at in ((ROOM, top), ("chat:unwritten", blank)):
        for ahead in (at.offset + 1, MAX_OFFSET):
            with pytest.raises(Unrecoverable):
                await log.read(channel, Position(at.epoch, ahead), 10)


async def test_an_unknown_channel_has_a_stable_top(log: Log) -> None:
    """Offset 0 of an epoch that stays the same, and is that of the first message."""
    top = await log.top(ROOM)
    assert top.offset == 0
    assert Position.parse(str(top)) == top, "it travels as text"
    assert await log.top(ROOM) == top
    assert await log.page(ROOM, None, 10) == Slice((), top)
    assert await log.read(ROOM, top, 10) == Slice((), top)
    assert await log.latest_snapshot(ROOM) is None
    (first,) = await fill(log, 1)
    assert first == Position(top.epoch, 1)
    assert offsets((await log.read(ROOM, top, 10)).publications) == [1]


async def test_a_snapshot_stands_for_what_it_replaces(log: Log) -> None:
    """Reading goes on after it; before it there is nothing to be had."""
    positions = await fill(log, 5)
    at = positions[2]
    await log.snapshot(ROOM, at, b"state\0")
    assert await log.latest_snapshot(ROOM) == Snapshot(at, b"state\0")
    assert await log.top(ROOM) == positions[-1]
    assert offsets((await log.read(ROOM, at, 10)).publications) == [4, 5]
    assert offsets((await log.page(ROOM, None, 10)).publications) == [4, 5]
    for compacted in (Position(at.epoch, 0), positions[1]):
        with pytest.raises(Unrecoverable):
            await log.read(ROOM, compacted, 10)


async def test_a_stream_goes_on_after_a_snapshot_of_all(log: Log) -> None:
    """Offsets are never used again; a later snapshot takes the earlier one's place."""
    positions = await fill(log, 2)
    await log.snapshot(ROOM, positions[1], b"two")
    (third,) = await keep(log, say("three"))
    assert third.offset == 3
    assert offsets((await log.read(ROOM, positions[1], 10)).publications) == [3]
    await log.snapshot(ROOM, third, b"three")
    assert await log.latest_snapshot(ROOM) == Snapshot(third, b"three")


async def test_an_older_snapshot_is_ignored(log: Log) -> None:
    """It would stand for less than what was let go of."""
    positions = await fill(log, 3)
    await log.snapshot(ROOM, positions[2], b"new")
    await log.snapshot(ROOM, positions[0], b"old")
    assert await log.latest_snapshot(ROOM) == Snapshot(positions[2], b"new")
    await log.snapshot(ROOM, positions[2], b"same place")
    assert await log.latest_snapshot(ROOM) == Snapshot(positions[2], b"same place")


async def test_a_snapshot_needs_a_position_of_its_stream(log: Log) -> None:
    """One ahead, or of another epoch, is refused and lets go of nothing."""
    top = (await fill(log, 3))[-1]
    for wrong in (Position(top.epoch, 4), Position("forged", 2)):
        with pytest.raises(Unrecoverable):
            await log.snapshot(ROOM, wrong, b"state")
    assert await log.latest_snapshot(ROOM) is None
    assert len((await log.page(ROOM, None, 10)).publications) == 3


async def test_an_empty_stream_can_have_a_snapshot(log: Log) -> None:
    """Its state before the first publication."""
    top = await log.top(ROOM)
    await log.snapshot(ROOM, top, b"nothing yet")
    assert await log.latest_snapshot(ROOM) == Snapshot(top, b"nothing yet")
    assert await log.top(ROOM) == top


async def test_readers_beside_a_writer_see_whole_runs(log: Log) -> None:
    """Each read is one instant: no holes, and a top that fits what was read."""
    start = await log.top(ROOM)
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(20):
            await fill(log, 5)
        done.set()

    async def read() -> int:
        reads = 0
        while not done.is_set():
            found = await log.read(ROOM, start, 1_000)
            assert offsets(found.publications) == list(range(1, found.top.offset + 1))
            assert found.top.offset % 5 == 0, "a batch is seen whole"
            reads += 1
            # A reader from memory that never rests leaves a writer no turn.
            await asyncio.sleep(0.001)
        return reads

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read()) for _ in range(6)]
        group.create_task(write())
    assert all(reader.result() > 0 for reader in readers)


async def test_dropping_or_remembering_breaks_nothing(log: Log) -> None:
    """After either the channel can be read and written."""
    (at,) = await fill(log, 1)
    found = await log.read(ROOM, Position(at.epoch, 0), 1)
    log.remember(found.publications[0])
    log.drop(ROOM)
    log.drop("chat:never")
    top = await log.top(ROOM)
    assert (top == at) is log.durable, "only a durable stream outlives a drop"
    (after,) = await keep(log, say("x"))
    assert after == Position(top.epoch, top.offset + 1)


async def test_tops_are_told_together(log: Log) -> None:
    """Each is what `top` says of it, also of a channel that nobody wrote to."""
    positions = [
        *await fill(log, 3),
        *await fill(log, 1, channel="chat:other"),
    ]
    names = [ROOM, "chat:unwritten", "chat:other"]
    tops = await log.tops(names)
    assert dict(tops) == {name: await log.top(name) for name in names}
    assert (tops[ROOM], tops["chat:other"]) == (positions[2], positions[3])
    assert tops["chat:unwritten"].offset == 0
    assert len({at.epoch for at in tops.values()}) == len(names)


async def test_tops_of_many_are_told_together(log: Log) -> None:
    """More than one statement takes; and of none, which asks all the same."""
    (at,) = await keep(log, say("x", channel="open:c700"))
    tops = await log.tops([f"open:c{number}" for number in range(1_100)])
    assert len(tops) == 1_100
    assert tops["open:c700"] == at
    assert await log.tops([]) == {}


async def test_a_renewed_stream_ends_the_old_one(log: Log) -> None:
    """Every position of the old one is unrecoverable; the new one goes on."""
    old = [Position((await log.top(ROOM)).epoch, 0), *await fill(log, 3)]
    top = await log.renew(ROOM, old[0].epoch)
    assert top.epoch != old[0].epoch
    assert await log.top(ROOM) == top
    for at in old:
        with pytest.raises(Unrecoverable):
            await log.read(ROOM, at, 10)
    (following,) = await keep(log, say("x"))
    assert following == Position(top.epoch, top.offset + 1)
    found = await log.read(ROOM, top, 10)
    assert [each.content for each in found.publications] == ["x"]


async def test_a_stream_is_renewed_once(log: Log) -> None:
    """Whoever comes later with the same evidence changes nothing."""
    await fill(log, 2)
    ended = (await log.top(ROOM)).epoch
    renewed = await log.renew(ROOM, ended)
    (at,) = await keep(log, say("x"))
    for epoch in (ended, "forged"):
        assert await log.renew(ROOM, epoch) == at
    assert at.epoch == renewed.epoch


async def test_an_unwritten_stream_can_be_renewed(log: Log) -> None:
    """Its first message is in the new one."""
    blank = await log.top(ROOM)
    renewed = await log.renew(ROOM, blank.epoch)
    assert renewed.offset == 0
    assert renewed.epoch != blank.epoch
    assert await log.top(ROOM) == renewed
    assert await keep(log, say("x")) == [Position(renewed.epoch, 1)]


async def test_renewing_keeps_what_a_durable_log_holds(log: Log) -> None:
    """Publications, keys and snapshot stay, at their offsets in the new stream."""
    positions = await keep(log, say(1), say(2, key="k"), say(3))
    await log.snapshot(ROOM, positions[0], b"one")
    top = await log.renew(ROOM, positions[0].epoch)
    if not log.durable:
        assert top.offset == 0, "a memory log forgets the stream"
        return
    assert top.offset == 3
    page = await log.page(ROOM, None, 10)
    assert [each.position for each in page.publications] == [
        Position(top.epoch, 2),
        Position(top.epoch, 3),
    ]
    after = Position(top.epoch, 1)
    assert await log.latest_snapshot(ROOM) == Snapshot(after, b"one")
    assert (await log.read(ROOM, after, 10)).publications == page.publications
    assert await log.append([say(4, key="k")]) == [Duplicate(Position(top.epoch, 2))]


async def test_text_from_people_holds_anything(log: Log) -> None:
    """A name may hold what not every database's text can; nothing fails for it."""
    author = Principal("u_\0", "A\0nn")
    touched = RoomTouched(ROOM, "lobby", "a\0b", author.name, 1)
    (at,) = await keep(log, say("x", author=author, key="k", changes=(touched,)))
    assert await log.append([say("x", author=author, key="k")]) == [Duplicate(at)]
    (found,) = (await log.page(ROOM, None, 1)).publications
    assert found.author is not None
    assert found.author.name.replace("\N{REPLACEMENT CHARACTER}", "\0") == author.name
