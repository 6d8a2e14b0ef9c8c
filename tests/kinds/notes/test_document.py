"""The GOLDEN updates were made in Node with yjs 13.6.33; the code stands beside."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.notes.changes import apply_changes
from server.kinds.notes.document import (
    Applied,
    Broken,
    Duplicate,
    EditError,
    Missing,
    NoteDamaged,
    NoteDocument,
)
from server.kinds.notes.update import (
    EMPTY_UPDATE,
    parse_state_vector,
    parse_update,
)
from tests.kinds.notes.typist import Typist

# doc.clientID = 1; text.insert(0, "a😀b"); then text.delete(2, 1)
GOLDEN_TYPED = bytes.fromhex("01010100040107636f6e74656e740661f09f98806200")
GOLDEN_HALF_DELETED = bytes.fromhex("000101010201")
# doc.clientID = 2; insert "a", "b", "c" at 0, 1, 2; then the whole state
GOLDEN_A = bytes.fromhex("01010200040107636f6e74656e74016100")
GOLDEN_B = bytes.fromhex("01010201840200016200")
GOLDEN_C = bytes.fromhex("01010202840201016300")
GOLDEN_ABC = bytes.fromhex("01010200040107636f6e74656e740361626300")
# the same, Y.mergeUpdates([a, c])
GOLDEN_HOLED = bytes.fromhex("01030200040107636f6e74656e7401610a01840201016300")


def test_an_update_is_logged_as_it_came() -> None:
    """What applies and repeats nothing is logged byte for byte."""
    note = NoteDocument()
    assert note.apply(GOLDEN_TYPED) == Applied(GOLDEN_TYPED, None)
    assert note.text() == "a😀b"
    assert parse_state_vector(note.state_vector()) == {1: 4}


def test_a_duplicate_is_known_without_pycrdt() -> None:
    """Resent structs and deletions, and the empty update, are duplicates."""
    one = Typist(1)
    typed, deleted = one.insert(0, "abc"), one.delete(0, 1)
    note = NoteDocument([typed, deleted])
    size = note.size
    for update in (typed, deleted, EMPTY_UPDATE, one.doc.get_update()):
        assert note.apply(update) == Duplicate()
    assert note.size == size
    assert note.text() == "bc"


def test_only_the_new_part_is_logged() -> None:
    """A client's whole state, offered again, adds what is new and nothing else."""
    note = NoteDocument([GOLDEN_A, GOLDEN_B])
    assert note.apply(GOLDEN_ABC) == Applied(GOLDEN_C, None)
    assert note.text() == "abc"


def test_only_new_deletions_are_logged() -> None:
    """Known deletions are cut from the delete set, range by range."""
    one = Typist(1)
    note = NoteDocument([one.insert(0, "abcdef"), one.delete(1, 2)])
    one.delete(2, 3)
    verdict = note.apply(one.doc.get_update())
    assert isinstance(verdict, Applied)
    logged = parse_update(verdict.update)
    assert logged.deletions == {1: ((3, 4),)}
    assert logged.blocks == {}
    assert note.text() == "acef" == str(one.text)


def test_what_is_missing_changes_nothing() -> None:
    """A later update waits outside, and applies once the gap is filled."""
    note = NoteDocument([GOLDEN_A])
    before = note.state_vector(), note.size
    assert note.apply(GOLDEN_C) == Missing()
    assert note.apply(GOLDEN_HOLED) == Missing()
    assert (note.state_vector(), note.size) == before
    assert note.text() == "a"
    assert note.apply(GOLDEN_B) == Applied(GOLDEN_B, None)
    assert note.text() == "ab"
    assert note.apply(GOLDEN_HOLED) == Applied(GOLDEN_C, None)
    assert note.text() == "abc"


def test_a_pending_deletion_is_missing() -> None:
    """A deletion of what is not there is not applied, and not forgotten silently."""
    one = Typist(1)
    typed, deleted = one.insert(0, "abc"), one.delete(0, 2)
    note = NoteDocument()
    assert note.apply(deleted) == Missing()
    assert isinstance(note.apply(typed), Applied)
    assert note.text() == "abc"
    assert isinstance(note.apply(deleted), Applied)
    assert note.text() == "c"


def test_a_cut_character_is_refused() -> None:
    """Half a character is not deleted, and the note goes on."""
    note = NoteDocument([GOLDEN_TYPED])
    verdict = note.apply(GOLDEN_HALF_DELETED)
    assert verdict == Broken("the edit cuts a character in two")
    assert note.text() == "a😀b"
    assert isinstance(note.apply(bytes.fromhex("000101010102")), Applied)
    assert note.text() == "ab"


@pytest.mark.parametrize("update", [b"", b"\xff", GOLDEN_TYPED + b"\0", b"\1\1\1\0"])
def test_garbage_is_broken(update: bytes) -> None:
    """What is no update is refused with a reason."""
    note = NoteDocument([GOLDEN_A])
    verdict = note.apply(update)
    assert isinstance(verdict, Broken)
    assert verdict.reason
    assert note.text() == "a"


class Panic(BaseException):
    """What a panic in Rust looks like from Python."""


def break_pycrdt(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    """Let the next apply_update fail after it has half changed the document."""
    true_apply = pycrdt.Doc.apply_update

    def fail(self: pycrdt.Doc[pycrdt.Text], update: bytes) -> None:
        monkeypatch.setattr(pycrdt.Doc, "apply_update", true_apply)
        true_apply(self, update)
        raise failure

    monkeypatch.setattr(pycrdt.Doc, "apply_update", fail)


@pytest.mark.parametrize("changes", [False, True])
@pytest.mark.parametrize("failure", [Panic("panic"), ValueError("no")])
def test_a_panic_leaves_the_note_as_it_was(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException, *, changes: bool
) -> None:
    """After a failure inside pycrdt the document is made anew from its own bytes."""
    note = NoteDocument([GOLDEN_A])
    break_pycrdt(monkeypatch, failure)
    verdict = note.apply(GOLDEN_B, changes=changes)
    assert verdict == Broken("the update cannot be applied")
    assert note.text() == "a"
    assert note.apply(GOLDEN_B) == Applied(GOLDEN_B, None)
    assert note.text() == "ab"


@pytest.mark.parametrize(
    "failure", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1)]
)
def test_the_end_is_not_swallowed(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    """Cancellation and the process's end pass through."""
    note = NoteDocument()
    break_pycrdt(monkeypatch, failure)
    with pytest.raises(type(failure)):
        note.apply(GOLDEN_A)


def test_what_pycrdt_does_not_take_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If pycrdt integrates less than was proved, the update is refused whole."""
    note = NoteDocument([GOLDEN_A])
    monkeypatch.setattr(pycrdt.Doc, "apply_update", lambda *_: None)
    with pytest.raises(NoteDamaged):
        note.apply(GOLDEN_B)  # the note cannot be made anew either
    monkeypatch.undo()
    assert NoteDocument([GOLDEN_A]).text() == "a"


@pytest.mark.parametrize("updates", [[b"\xff"], [GOLDEN_A, b"\1"], [GOLDEN_C]])
def test_a_damaged_note_is_not_an_empty_one(updates: list[bytes]) -> None:
    """Stored bytes that cannot be read, or lack a part, raise."""
    with pytest.raises(NoteDamaged):
        NoteDocument(updates)


def test_edits_count_code_points() -> None:
    """Positions are Python's, whatever the characters weigh."""
    note, reader = NoteDocument(client_id=9), NoteDocument()
    for update in (
        note.insert(0, "aé😀b"),
        note.replace(2, 3, "漢😁"),
        note.insert(5, "!"),
        note.replace(0, 1, ""),
    ):
        assert isinstance(reader.apply(update), Applied)
    assert note.text() == reader.text() == "é漢😁b!"
    assert parse_state_vector(note.state_vector()).keys() == {9}
    assert reader.state_vector() == note.state_vector()
    assert note.apply(GOLDEN_A) == Applied(GOLDEN_A, None)


def test_an_edit_of_nothing_is_empty() -> None:
    """Nothing in place of nothing is not worth a log entry."""
    note = NoteDocument([GOLDEN_A])
    assert note.insert(1, "") == EMPTY_UPDATE
    assert note.replace(0, 0, "") == EMPTY_UPDATE


@pytest.mark.parametrize(
    ("start", "end", "text", "reason"),
    [
        (0, 2, "", "0 to 2 is not within 0 to 1"),
        (-1, 0, "", "not within"),
        (1, 0, "", "not within"),
        (0, 0, "\ud83d", "lone surrogate"),
    ],
)
def test_bad_edits_are_refused(start: int, end: int, text: str, reason: str) -> None:
    """An index out of range, or a text that is no Unicode, changes nothing."""
    note = NoteDocument([GOLDEN_A])
    with pytest.raises(EditError, match=reason):
        note.replace(start, end, text)
    assert note.text() == "a"


def test_a_note_with_objects_is_not_edited_by_index() -> None:
    """An embedded object would shift every index, so that the edit is refused."""
    one = Typist(1)
    one.text.insert(0, "ab")
    one.text.insert_embed(1, {"img": "x"})
    note = NoteDocument([one.doc.get_update()])
    assert note.text() == "ab"
    with pytest.raises(EditError, match="embedded"):
        note.insert(1, "x")


def test_an_edit_that_panics_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure inside pycrdt leaves the text as it was."""
    note = NoteDocument([GOLDEN_A])

    def fail(*_: object) -> None:
        raise Panic

    monkeypatch.setattr(pycrdt.Text, "insert", fail)
    with pytest.raises(EditError, match="cannot be made"):
        note.replace(0, 1, "b")
    monkeypatch.undo()
    assert note.text() == "a"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", ""),
        ("\nsecond", ""),
        ("# Plan \nx", "Plan"),
        ("plain", "plain"),
        ("x" * 500, "x" * 120),
    ],
)
def test_title(text: str, title: str) -> None:
    """The title is the first line, without its heading mark, and short."""
    note = NoteDocument()
    note.insert(0, text)
    assert note.title() == title


def test_changes_are_those_of_the_text() -> None:
    """Several edits of one update are told apart, in code points."""
    one = Typist(1)
    note = NoteDocument([one.insert(0, "aé😀bc")])

    def edit() -> None:
        one.text.insert(len(one.text), "!")
        del one.text[3:7]
        one.text.insert(0, "漢")

    verdict = note.apply(one.edit(edit), changes=True)
    assert isinstance(verdict, Applied)
    assert verdict.changes == ((0, 0, "漢"), (2, 1, ""), (5, 0, "!"))
    assert note.text() == "漢aébc!"


def test_changes_of_something_else_are_none() -> None:
    """An update that leaves the text alone has no changes."""
    doc: pycrdt.Doc[pycrdt.Map[str]] = pycrdt.Doc(client_id=5)
    doc.get("meta", type=pycrdt.Map)["k"] = "v"
    verdict = NoteDocument().apply(doc.get_update(), changes=True)
    assert verdict == Applied(doc.get_update(), ())


characters = st.sampled_from(["a", "b", "\n", "é", "漢", "😀", "👍🏽"])
edits = st.lists(
    st.tuples(
        st.integers(0, 2),  # whose
        st.floats(0, 1),
        st.floats(0, 1),
        st.lists(characters, max_size=3).map("".join),
        st.booleans(),  # whether the author hears of the others before
    ),
    max_size=25,
)


@given(edits, st.randoms(use_true_random=False))
def test_notes_converge(
    plan: list[tuple[int, float, float, str, bool]], rng: object
) -> None:
    """In any order, with repeats, all is taken in the end and all texts agree."""
    assert hasattr(rng, "shuffle")
    authors = [NoteDocument(client_id=client) for client in (1, 2, 3)]
    sent: list[bytes] = []
    for who, start, length, text, hear in plan:
        author = authors[who]
        if hear:
            for update in sent:
                author.apply(update)
        size = len(author.text())
        first = round(start * size)
        update = author.replace(first, first + round(length * (size - first)), text)
        sent.append(update)
    queue = sent * 2
    rng.shuffle(queue)
    note, shadow, log = NoteDocument(), "", list[bytes]()
    for _ in range(len(sent) + 1):
        waiting: list[bytes] = []
        for update in queue:
            verdict = note.apply(update, changes=True)
            assert not isinstance(verdict, Broken)
            if isinstance(verdict, Missing):
                waiting.append(update)
            if isinstance(verdict, Applied):
                log.append(verdict.update)
                assert verdict.changes is not None
                shadow = apply_changes(shadow, verdict.changes)
                assert shadow == note.text()
        queue = waiting
    assert queue == []
    for author in authors:
        for update in sent:
            author.apply(update)
        assert author.text() == note.text()
    reloaded = NoteDocument(log)
    assert reloaded.text() == note.text()
    assert parse_state_vector(reloaded.state_vector()) == parse_state_vector(
        note.state_vector()
    )


@given(st.data())
def test_mutated_updates_leave_a_note_that_loads(data: st.DataObject) -> None:
    """Whatever is taken from a hostile client, the note can be loaded again."""
    note = NoteDocument([GOLDEN_TYPED])
    for golden in (GOLDEN_A, GOLDEN_B, GOLDEN_HOLED, GOLDEN_TYPED, GOLDEN_HALF_DELETED):
        bad = bytearray(golden)
        for _ in range(data.draw(st.integers(1, 2))):
            at = data.draw(st.integers(0, len(bad) - 1))
            bad[at] = data.draw(st.integers(0, 255))
        note.apply(bytes(bad))
    assert isinstance(note.text(), str)
    before = parse_state_vector(note.state_vector())
    assert parse_state_vector(NoteDocument([note.raw()]).state_vector()) == before


def test_a_note_is_collected() -> None:
    """Nothing holds a note that nobody uses: no circle through Rust."""
    note = NoteDocument([GOLDEN_A])
    note.apply(GOLDEN_B, changes=True)
    note.insert(0, "x")
    doc = weakref.ref(note._doc)  # noqa: SLF001  what would leak
    del note
    gc.collect()
    assert doc() is None
    assert NoteDocument([GOLDEN_A]).encoded_size() == len(GOLDEN_A)


def test_a_compacted_note_is_the_same_note() -> None:
    """A snapshot is smaller, and whoever loads it has the same note."""
    one, two = Typist(1), Typist(2)
    note = NoteDocument()
    for turn in range(50):
        author, reader = (one, two) if turn % 3 else (two, one)
        update = author.insert(len(author.text), "é😀")
        reader.doc.apply_update(update)
        note.apply(update)
    note.apply(one.delete(0, 60))
    compact = note.compacted()
    assert len(compact) < len(note.raw())
    again = NoteDocument([compact])
    assert again.text() == note.text() == str(one.text)
    assert again.apply(note.raw()) == Duplicate()
    assert note.apply(compact) == Duplicate()


def test_a_note_is_not_compacted_into_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pycrdt's own encoding is not the same note, the raw bytes are kept."""
    note = NoteDocument([GOLDEN_A, GOLDEN_B])
    for wrong in (GOLDEN_A, GOLDEN_TYPED, b"garbage"):
        monkeypatch.setattr(pycrdt.Doc, "get_update", lambda *_, w=wrong: w)
        assert note.compacted() == note.raw() != wrong


def test_a_diff_is_what_is_missing() -> None:
    """A returning client is served from the raw bytes."""
    note = NoteDocument([GOLDEN_A, GOLDEN_B])
    assert note.diff(NoteDocument([GOLDEN_A]).state_vector()) == GOLDEN_B
