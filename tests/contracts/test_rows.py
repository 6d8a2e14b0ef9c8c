"""What every store promises about the rows that kinds keep beside the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.kinds.chat.rows import RoomRow, RoomTouched
from server.kinds.notes.rows import NoteRow, NoteTouched
from server.seams.log import Duplicate
from tests.clocks import ManualClock
from tests.contracts.stores import ROOM, Store, open_store, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from server.seams.log import Change


@pytest.fixture(params=["memory", "sql", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Open each kind of store in its turn."""
    on_server = request.param == "postgres"
    url = request.getfixturevalue("empty_url") if on_server else ""
    async with open_store(request.param, tmp_path, ManualClock(), url) as opened:
        yield opened


def spoke(room: str, text: str, time_ms: int, author: str = "Ann") -> RoomTouched:
    """Say that somebody spoke."""
    return RoomTouched(f"chat:{room}", room, text, author, time_ms)


def edited(name: str, title: str, time_ms: int, chars: int = 1) -> NoteTouched:
    """Say that somebody edited."""
    return NoteTouched(f"notes:{name}", name, title, time_ms, "Ann", chars)


async def apply(store: Store, *changes: Change) -> None:
    """Append changes, each with a message of its own."""
    await store.log.append([say("x", changes=(change,)) for change in changes])


async def test_a_message_makes_and_then_moves_its_room(store: Store) -> None:
    """A room knows when it began, its newest message and how many there were."""
    await apply(store, spoke("lobby", "one", 10))
    await apply(store, spoke("lobby", "two", 20), spoke("lobby", "three", 30, "Bob"))
    assert list(await store.chat.rooms(10)) == [
        RoomRow("lobby", 10, "three", "Bob", 30, messages=3)
    ]


async def test_rooms_come_newest_first(store: Store) -> None:
    """By their newest message, then by name, up to the limit."""
    await apply(
        store,
        spoke("b", "", 20),
        spoke("c", "", 10),
        spoke("a", "", 20),
        spoke("d", "", 5),
    )
    assert [row.name for row in await store.chat.rooms(3)] == ["a", "b", "c"]
    await apply(store, spoke("d", "", 21))
    assert [row.name for row in await store.chat.rooms(2)] == ["d", "a"]


async def test_an_edit_makes_and_then_moves_its_note(store: Store) -> None:
    """A note keeps when it began; title, length and editor are the newest."""
    await apply(store, edited("a", "First", 10), edited("b", "Other", 20))
    await apply(store, edited("a", "Renamed \N{GRINNING FACE}", 30, chars=77))
    assert list(await store.notes.notes(10)) == [
        NoteRow("a", "Renamed \N{GRINNING FACE}", 10, 30, "Ann", 77),
        NoteRow("b", "Other", 20, 20, "Ann", 1),
    ]
    assert [row.name for row in await store.notes.notes(1)] == ["a"]


async def test_a_duplicate_changes_no_row(store: Store) -> None:
    """The rows are a projection of the log: what it does not keep, they do not show."""
    first = say("x", key="k", changes=(spoke("lobby", "one", 10),))
    again = say("x", key="k", changes=(spoke("lobby", "two", 20),))
    outcomes = await store.log.append([first, again, first])
    assert [isinstance(each, Duplicate) for each in outcomes] == [False, True, True]
    assert [row.messages for row in await store.chat.rooms(10)] == [1]


async def test_changes_of_several_kinds_go_with_one_append(store: Store) -> None:
    """All of them, in the same transaction."""
    both = (spoke("lobby", "see my note", 10), edited("n", "Note", 10))
    await store.log.append([say("x", channel=ROOM, changes=both)])
    assert len(await store.chat.rooms(10)) == len(await store.notes.notes(10)) == 1
