"""What notes accept, keep and serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pycrdt
import pytest

from server.errors import BAD_REQUEST, LIMIT_EXCEEDED, UNKNOWN_CHANNEL, Refusal
from server.kinds.notes.document import NoteDamaged, NoteDocument
from server.kinds.notes.kind import NotesKind
from server.kinds.notes.opened import UPDATES_A_SNAPSHOT
from server.kinds.notes.rows import NoteTouched
from server.model import (
    SERVER,
    Action,
    Difference,
    Event,
    Position,
    Principal,
    Publication,
    StateVector,
)
from server.seams.kind import Follows, Nothing, Refused
from server.seams.log import Append, Appended, Draft
from server.stores.memory import MemoryStore
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.kinds.notes.typist import update_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from server.model import JSON, Since
    from server.seams.log import Log

NOTE = "notes:lab"
ADA = Principal("u_ada", "Ada")
EMPTY = b"\0\0"


class Room:
    """A kind with a log behind it, as the hub would use them."""

    def __init__(self, **limits: int) -> None:
        self.clock = ManualClock()
        self.kind = NotesKind(self.clock, **limits)
        policy = self.kind.policy
        bounds = Bounds(policy.history_size, policy.history_age_s)
        store = MemoryStore(self.clock, lambda: "epoch", lambda _: bounds)
        self.log: Log = store.log
        self.doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1)
        self.text = self.doc.get("content", type=pycrdt.Text)

    async def open(self) -> Room:
        """Read the note, anew if it was open."""
        await self.kind.load(NOTE, self.log)
        return self

    def edit(self, edit: Callable[[], None]) -> bytes:
        """Edit the client's document; return the update."""
        return update_of(self.doc, edit)

    def type(self, text: str, at: int = 0) -> bytes:
        """Insert into the client's document, at the front if nothing is said."""
        return self.edit(lambda: self.text.insert(at, text))

    def clear(self) -> bytes:
        """Delete everything in the client's document."""
        return self.edit(lambda: self.text.__delitem__(slice(0, len(self.text))))

    def accept(self, content: JSON | bytes, name: str = "update") -> object:
        """Have an event judged."""
        return self.kind.accept(ADA, NOTE, Event(name, content))

    async def keep(self, accepted: object) -> Publication:
        """Commit what follows, and fold it; return what is shown."""
        assert isinstance(accepted, Follows), accepted
        (say,) = accepted.says
        draft = Draft(NOTE, say.event, say.content, ADA, 0)
        (outcome,) = await self.log.append([Append((draft,), tuple(accepted.changes))])
        assert isinstance(outcome, Appended)
        position = outcome.positions[0]
        said = Publication(NOTE, position, say.event, say.content, ADA, 0)
        return self.kind.fold(said)

    async def write(self, content: JSON | bytes, name: str = "update") -> Publication:
        """Have an event judged, committed and folded."""
        return await self.keep(self.accept(content, name))

    async def served(self, since: Since = None) -> str:
        """Return the text that a joiner gets; with a state vector by its difference."""
        past = await self.kind.catch_up(NOTE, since, self.log)
        if isinstance(past.state, Difference):
            return NoteDocument([past.state.update]).text()
        assert isinstance(past.state, dict)
        return str(past.state["text"])


async def test_an_update_becomes_a_publication_and_a_row() -> None:
    """The log gets the bytes as they came, the list its title, length and author."""
    room = await Room().open()
    update = room.type("# A title\ntext")
    accepted = room.accept(update)
    assert isinstance(accepted, Follows)
    (say,) = accepted.says
    assert say.content == update
    (touched,) = accepted.changes
    assert isinstance(touched, NoteTouched)
    assert (touched.name, touched.title) == ("lab", "A title")
    assert (touched.author_name, touched.chars) == ("Ada", 14)


async def test_a_publication_shows_what_changed_in_words() -> None:
    """JSON wires see the event `change`, in code points."""
    room = await Room().open()
    await room.write(room.type("😀b"))
    shown = await room.write({"at": 1, "text": "a"}, "insert")
    assert (shown.event, shown.shown) == ("change", {"changes": [[1, 0, "a"]]})
    shown = await room.write({"from": 0, "to": 2, "text": ""}, "replace")
    assert shown.shown == {"changes": [[0, 2, ""]]}
    assert await room.served() == "b"


async def test_what_is_accepted_is_not_served_before_it_is_folded() -> None:
    """A joiner gets what is committed, though later edits build on what is not."""
    room = await Room().open()
    first = room.accept(room.type("committed"))
    ahead = room.accept(room.type("in flight "))
    assert await room.served() == ""
    await room.keep(first)
    assert await room.served() == "committed"
    await room.keep(ahead)
    assert await room.served() == "in flight committed"


async def test_duplicates_and_updates_ahead_of_their_past_follow_to_nothing() -> None:
    """Each for its reason: acknowledge, and do not."""
    room = await Room().open()
    first, second = room.type("a"), room.type("b")
    assert room.accept(second) is Nothing.NOT_YET
    await room.write(first)
    assert room.accept(first) is Nothing.DUPLICATE
    assert room.accept({"from": 0, "to": 0, "text": ""}, "replace") is Nothing.DUPLICATE
    assert isinstance(room.accept(second), Follows)


@pytest.mark.parametrize(
    ("event", "content"),
    [
        ("update", b"\x01"),
        ("message", {"text": "a"}),
        ("insert", "a"),
        ("insert", {"text": "a"}),
        ("insert", {"at": True, "text": "a"}),
        ("insert", {"at": 1, "text": "a"}),
        ("insert", {"at": 0, "text": "\ud800"}),
        ("replace", {"from": 1, "to": 0, "text": ""}),
    ],
)
async def test_what_is_no_edit_is_a_bad_request(
    event: str, content: JSON | bytes
) -> None:
    """It is refused with a reason, and nothing is changed."""
    room = await Room().open()
    refused = room.accept(content, event)
    assert isinstance(refused, Refused)
    assert refused.error.code == BAD_REQUEST.code
    assert room.accept(room.type("fine"))


async def test_upper_case_names_are_no_notes() -> None:
    """They are the ticker's."""
    with pytest.raises(Refusal) as refusal:
        await Room().kind.authorize(ADA, "notes:ACME", Action.SUBSCRIBE)
    assert refusal.value.error == UNKNOWN_CHANNEL


# How large


async def test_one_edit_is_bounded_on_both_wires() -> None:
    """An update and a text have the same limit."""
    room = await Room(update_bytes=1000).open()
    edits: list[tuple[JSON | bytes, str]] = [
        (room.type("x" * 1000), "update"),
        ({"at": 0, "text": "é" * 501}, "insert"),
    ]
    for content, name in edits:
        refused = room.accept(content, name)
        assert isinstance(refused, Refused)
        assert refused.error.code == LIMIT_EXCEEDED.code
    await room.write({"at": 0, "text": "é" * 500}, "insert")


async def test_a_full_note_takes_deletions_and_then_more() -> None:
    """Full means full of text, not of what was deleted long ago."""
    room = await Room(state_bytes=10_000).open()
    await room.write(room.type("x" * 9_900))
    edits: list[tuple[JSON | bytes, str]] = [
        (room.type("y" * 200), "update"),
        ({"at": 0, "text": "z" * 200}, "insert"),
    ]
    for content, name in edits:
        refused = room.accept(content, name)
        assert isinstance(refused, Refused)
        assert refused.error == LIMIT_EXCEEDED.because("the note is full")
    await room.write({"from": 0, "to": 9_000, "text": ""}, "replace")
    await room.write({"at": 0, "text": "z" * 5_000}, "insert")
    assert len(await room.served()) == 5_900


async def test_who_joins_a_full_note_is_not_refused() -> None:
    """A client answers our step 1 with what we know already, or with nothing."""
    room = await Room(state_bytes=10_000).open()
    update = room.type("x" * 9_970)
    await room.write(update)
    assert room.accept(EMPTY) is Nothing.DUPLICATE
    assert room.accept(update) is Nothing.DUPLICATE
    refused = room.accept(b"\0" * 200)
    assert isinstance(refused, Refused)
    assert refused.error.code == BAD_REQUEST.code


async def test_typing_and_deleting_never_fills_a_note() -> None:
    """Forty times the limit is written, and deleted; it is compacted on the way."""
    room = await Room(state_bytes=10_000).open()
    for _ in range(200):
        await room.write(room.type("x" * 2_000))
        await room.write(room.clear())
    await room.write(room.type("the end"))
    assert await room.served(StateVector(b"\0")) == "the end"


# Snapshots


async def test_many_updates_become_a_snapshot_at_a_join() -> None:
    """After it the log is short, the note the same, also when it is read anew."""
    room = await Room().open()
    for end in range(UPDATES_A_SNAPSHOT + 1):
        await room.write(room.type("x", end))
    text = await room.served()
    snapshot = await room.log.latest_snapshot(NOTE)
    assert snapshot is not None
    assert snapshot.at.offset == UPDATES_A_SNAPSHOT + 1
    assert len(snapshot.state) < 2 * len(text)
    await room.write(room.type("y"))
    await room.open()
    assert await room.served() == "y" + text
    late = await room.kind.catch_up(NOTE, StateVector(room.doc.get_state()), room.log)
    assert isinstance(late.state, Difference)
    assert late.state.update == EMPTY


async def test_a_large_note_becomes_a_snapshot_sooner() -> None:
    """Raw bytes over half of the limit are worth one, but not at every join."""
    room = await Room(state_bytes=10_000).open()
    await room.write(room.type("x" * 6_000))
    await room.write(room.clear())
    await room.served()
    first = await room.log.latest_snapshot(NOTE)
    assert first is not None
    assert len(first.state) < 100
    await room.write(room.type("y"))
    await room.served()
    assert await room.log.latest_snapshot(NOTE) == first


async def test_a_snapshot_leaves_alone_what_is_in_flight() -> None:
    """An insertion and a deletion that are not committed are known after it, too."""
    room = await Room(state_bytes=10_000).open()
    await room.write(room.type("x" * 6_000))
    await room.write(room.clear())
    await room.write(room.type("kept gone"))
    in_flight = room.edit(lambda: room.text.__delitem__(slice(4, 9)))
    deletion = room.accept(in_flight)
    assert await room.served() == "kept gone"
    assert room.accept(in_flight) is Nothing.DUPLICATE
    ahead = room.accept(room.edit(lambda: room.text.insert(4, "!")))
    await room.keep(deletion)
    await room.keep(ahead)
    assert await room.served() == "kept!"
    assert room.accept(room.type("?"))


async def test_a_snapshot_that_cannot_be_written_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The joiner is served all the same, and the next join tries anew."""
    room = await Room().open()
    for _ in range(UPDATES_A_SNAPSHOT + 1):
        await room.write(room.type("x"))

    async def full(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr(room.log, "snapshot", full)
        assert len(await room.served()) == UPDATES_A_SNAPSHOT + 1
    assert await room.log.latest_snapshot(NOTE) is None
    assert len(await room.served()) == UPDATES_A_SNAPSHOT + 1
    assert await room.log.latest_snapshot(NOTE) is not None


# Joining


async def test_a_joiner_who_has_all_is_told_so() -> None:
    """By a position: recovered, nothing to send. By another: the text."""
    room = await Room().open()
    at = (await room.write(room.type("text"))).position
    past = await room.kind.catch_up(NOTE, at, room.log)
    assert (past.recovered, past.state) == (True, None)
    past = await room.kind.catch_up(NOTE, Position("epoch", 0), room.log)
    assert (past.recovered, past.state) == (False, {"text": "text", "title": "text"})


async def test_a_lying_state_vector_is_a_bad_request() -> None:
    """It is refused before pycrdt sees it."""
    room = await Room().open()
    with pytest.raises(Refusal) as refusal:
        await room.served(StateVector(b"\xff\xff\xff\xff\x03\x01"))
    assert refusal.value.error.code == BAD_REQUEST.code


async def test_a_note_that_was_forgotten_is_unavailable_until_it_is_read() -> None:
    """It is never served as an empty one."""
    room = await Room().open()
    await room.write(room.type("text"))
    room.kind.forget(NOTE)
    with pytest.raises(Refusal, match="unavailable"):
        await room.served()
    await room.open()
    assert await room.served() == "text"


async def test_a_note_in_memory_is_whole_after_a_day() -> None:
    """A log that keeps other kinds' newest only keeps all of a note."""
    room = await Room().open()
    for end in range(1_100):
        await room.write(room.type("x", end))
    room.clock.advance(86_400)
    await room.write(room.type("y"))
    room.kind.forget(NOTE)
    await room.open()
    assert await room.served() == "y" + "x" * 1_100


async def test_a_broken_log_raises() -> None:
    """What cannot be read is not a note."""
    room = Room()
    draft = Draft(NOTE, "update", b"\x01nonsense", ADA, 0)
    await room.log.append([Append((draft,))])
    with pytest.raises(NoteDamaged):
        await room.open()


async def test_a_fold_that_does_not_apply_raises() -> None:
    """A node that lost its place must read the note anew."""
    room = await Room().open()
    room.type("a")
    stray = Publication(NOTE, Position("epoch", 1), "update", room.type("b"), ADA, 0)
    with pytest.raises(NoteDamaged):
        room.kind.fold(stray)


async def test_an_accepted_document_that_breaks_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Try again, the sender is told; and then it works."""
    room = await Room().open()
    await room.write(room.type("a"))

    def broken(*_: object, **__: object) -> None:
        raise NoteDamaged("for a test")

    update = room.type("b")
    with monkeypatch.context() as patch:
        patch.setattr(NoteDocument, "apply", broken)
        refused = room.accept(update)
    assert isinstance(refused, Refused)
    assert refused.error.temporary
    await room.write(update)
    assert await room.served() == "ba"


# Presence


async def test_presence_is_signed_by_the_server() -> None:
    """Whatever a client calls itself, others see who it is; the server is nobody."""
    room = await Room().open()
    state: JSON = {"user": {"name": "Root", "color": "red"}, "cursor": 1}
    event = Event("awareness", {"client": 7, "clock": 1, "state": state}, signal=True)
    accepted = room.kind.accept(ADA, NOTE, event)
    assert isinstance(accepted, Follows)
    (signal,) = accepted.signals
    assert (signal.key, signal.retained, signal.fell) == ("7", True, False)
    user = {"name": "Ada", "id": "u_ada", "color": "red"}
    told = {"client": 7, "clock": 1, "state": {"user": user, "cursor": 1}}
    assert (signal.author, signal.content) == (ADA, told)
    accepted = room.kind.accept(SERVER, NOTE, event)
    assert isinstance(accepted, Follows)
    assert accepted.signals[0].author is None


@pytest.mark.parametrize(
    "content",
    [
        "text",
        {"client": 1, "clock": 1, "state": "text"},
        {"client": -1, "clock": 1, "state": None},
        {"client": 1, "clock": 2**53, "state": None},
        {"client": True, "clock": 1, "state": None},
        {"client": 1, "state": None},
    ],
)
async def test_what_is_no_presence_is_a_bad_request(content: JSON) -> None:
    """Clients and clocks are whole numbers, states objects or nothing."""
    room = await Room().open()
    for name in ("awareness", "typing"):
        refused = room.kind.accept(ADA, NOTE, Event(name, content, signal=True))
        assert isinstance(refused, Refused)
        assert refused.error.code == BAD_REQUEST.code
