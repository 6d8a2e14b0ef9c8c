from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from server.backplanes.local import LocalBackplane
from server.hub.hub import Hub
from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.kinds.open import OpenKind
from server.model import JSON, Principal
from server.runtime.clock import random_id
from server.seams.kind import Keep
from server.stores.memory import MemoryStore
from server.web.activity import LINES, Activity
from tests.clocks import ManualClock
from tests.hub.nodes import raise_nodes

ADA = Principal("g_ada", "Ada")
BOB = Principal("g_bob", "Bob")


@dataclass
class Rows:
    """Both lists, and how often each was read."""

    found_rooms: list[RoomRow] = field(default_factory=list)
    found_notes: list[NoteRow] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    async def rooms(self, limit: int) -> Sequence[RoomRow]:
        """See `ChatRows.rooms`."""
        self.read.append("rooms")
        return self.found_rooms[:limit]

    async def notes(self, limit: int) -> Sequence[NoteRow]:
        """See `NoteRows.notes`."""
        self.read.append("notes")
        return self.found_notes[:limit]


@dataclass
class House:
    """A hub, its lists, and what looks at them."""

    hub: Hub
    clock: ManualClock
    rows: Rows
    activity: Activity

    async def say(self, room: str, text: JSON, event: str = "message") -> None:
        """Say something in a room, a second after what was said before."""
        self.clock.advance(1)
        await self.hub.publish(f"chat:{room}", text, event=event, who=ADA)
        row = RoomRow(room, 0, "", "Ada", self.clock.now_ms(), 1)
        rest = [each for each in self.rows.found_rooms if each.name != room]
        self.rows.found_rooms = [row, *rest]

    async def news(self) -> dict[str, JSON]:
        """Return the news; there must be some."""
        found = await self.activity.news()
        assert isinstance(found, dict)
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house where anything may be said."""
    clock = ManualClock()
    kinds = {"chat": OpenKind(clock), "notes": OpenKind(clock)}
    hub = Hub(kinds, LocalBackplane(), clock, random_id)
    memory = MemoryStore(clock, lambda: "e")
    await hub.start(dict.fromkeys(Keep, memory.log))
    rows = Rows()
    yield House(hub, clock, rows, Activity(hub, rows, rows))
    await hub.stop()


def texts(found: dict[str, JSON]) -> list[tuple[JSON, JSON]]:
    """Return room and text of each line."""
    lines = found["lines"]
    assert isinstance(lines, list)
    return [(line["room"], line["text"]) for line in lines]


def people(found: dict[str, JSON]) -> list[JSON]:
    """Return who is in each note."""
    notes = found["notes"]
    assert isinstance(notes, list)
    return [note["people"] for note in notes]


async def test_the_newest_lines_of_all_rooms(house: House) -> None:
    """Lines of several rooms stand in the order of their time, newest first."""
    await house.say("one", {"text": "a"})
    await house.say("two", {"text": " b\n\n b "})
    await house.say("one", {"text": "c"})
    await house.say("two", {"text": "x"}, event="reaction")
    await house.say("two", "no object")
    assert texts(await house.news()) == [("one", "c"), ("two", "b b"), ("one", "a")]
    for n in range(9):
        await house.say("two", {"text": str(n)})
    found = texts(await house.news())
    assert found == [("two", str(n)) for n in (8, 7, 6, 5, 4)][:LINES]


async def test_a_line_says_who_and_when(house: House) -> None:
    """A line has its author, its time and its position; the server is one too."""
    await house.say("one", {"text": "x" * 500})
    house.clock.advance(1)
    await house.hub.publish("chat:one", {"text": "served"})
    lines = (await house.news())["lines"]
    assert isinstance(lines, list)
    served, long = lines
    assert served["from"] == {"id": "s_server", "name": "Server"}
    assert long["from"] == {"id": ADA.id, "name": "Ada"}
    assert len(long["text"]) == 160
    assert (long["time"], long["position"]) == (1_700_000_001_000, "e.1")


async def test_nothing_is_read_nor_told_twice(house: House) -> None:
    """Without a new publication the lists are not read, and there is no news."""
    await house.say("one", {"text": "a"})
    await house.news()
    house.rows.read.clear()
    assert await house.activity.news() is None
    assert house.rows.read == []
    await house.hub.publish("notes:n", 1)
    assert await house.activity.news() is None
    assert house.rows.read == ["notes"]


async def test_a_room_that_did_not_change_is_not_read_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the rooms whose row changed are looked into."""
    await house.say("one", {"text": "a"})
    await house.say("two", {"text": "b"})
    await house.news()
    read: list[str] = []
    history = house.hub.history

    async def spy(who: Principal, name: str, *, limit: int) -> object:
        read.append(name)
        return await history(who, name, limit=limit)

    monkeypatch.setattr(house.hub, "history", spy)
    await house.say("two", {"text": "c"})
    assert texts(await house.news())[0] == ("two", "c")
    assert read == ["chat:two"]


async def test_notes_that_somebody_has_open_come_first(house: House) -> None:
    """Who is in a note is told as it changes, without reading the list again."""
    house.rows.found_notes = [
        NoteRow("new", "New", 0, 9, "Bob", 1),
        NoteRow("old", "Old", 0, 5, "Ada", 1),
    ]
    await house.hub.publish("notes:old", 1)
    first = (await house.news())["notes"]
    assert isinstance(first, list)
    assert [note["name"] for note in first] == ["new", "old"]
    assert first[1] == {
        "name": "old",
        "title": "Old",
        "time": 5,
        "by": "Ada",
        "people": [],
    }
    house.rows.read.clear()
    house.hub.channels["notes:old"].roster.presence.add(BOB, "c_1")
    then = (await house.news())["notes"]
    assert isinstance(then, list)
    assert [note["name"] for note in then] == ["old", "new"]
    assert then[0]["people"] == [{"id": "g_bob", "name": "Bob"}]
    assert house.rows.read == []


async def test_what_other_nodes_do_is_seen() -> None:
    """Their lines and the people in their notes, within two looks; both ways."""
    async with raise_nodes(2, "chat", "notes") as (one, two):
        rows = Rows(found_notes=[NoteRow("plan", "Plan", 0, 9, "Bob", 1)])
        activity = Activity(one.hub, rows, rows)
        first = await activity.news()
        assert isinstance(first, dict)
        assert first["lines"] == []
        await two.hub.publish("chat:far", {"text": "hi"}, who=BOB)
        rows.found_rooms = [RoomRow("far", 0, "hi", "Bob", 1, 1)]
        bob = two.guest(BOB)
        await bob.join("notes:plan")
        then = await activity.news() or await activity.news()
        assert isinstance(then, dict)
        assert texts(then) == [("far", "hi")]
        assert people(then) == [[{"id": "g_bob", "name": "Bob"}]]
        assert "notes:plan" not in one.hub.channels
        two.backplane.network.kill("n_2")
        at_last = await activity.news()
        assert isinstance(at_last, dict)
        assert people(at_last) == [[]]


async def test_rows_are_read_every_other_second_where_others_may_write() -> None:
    """Not more often, while nothing is kept here."""
    async with raise_nodes(2, "chat", "notes") as (one, _):
        rows = Rows()
        activity = Activity(one.hub, rows, rows)
        for _look in range(5):
            await activity.news()
        assert rows.read == ["rooms", "notes"] * 3


async def test_faces_do_not_depend_on_who_answers_first() -> None:
    """Whom two nodes have is told in one order, everybody once."""
    async with raise_nodes(3, "chat", "notes") as (one, two, three):
        rows = Rows(found_notes=[NoteRow("plan", "Plan", 0, 9, "Bob", 1)])
        for node, who in ((two, BOB), (three, ADA), (three, BOB)):
            await node.guest(who).join("notes:plan")
        found = await Activity(one.hub, rows, rows).news()
        assert isinstance(found, dict)
        assert people(found) == [
            [{"id": "g_ada", "name": "Ada"}, {"id": "g_bob", "name": "Bob"}]
        ]
