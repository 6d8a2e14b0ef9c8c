from __future__ import annotations

import random

import pycrdt
import pytest

from server.kinds.notes.merged import Merged
from server.kinds.notes.update import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    UpdateError,
    parse_update,
)


def text_of(*updates: bytes) -> str:
    """Read updates, one after the other."""
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    text = doc.get("content", type=pycrdt.Text)
    for update in updates:
        doc.apply_update(update)
    return str(text)


def session(edits: int, seed: int = 1) -> tuple[list[bytes], list[bytes], str]:
    """Edit at random; return the updates, the state vector before each, the text."""
    rng = random.Random(seed)
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1)
    text = doc.get("content", type=pycrdt.Text)
    updates: list[bytes] = []
    vectors: list[bytes] = []
    watch = doc.observe(lambda event: updates.append(event.update))
    for _ in range(edits):
        vectors.append(doc.get_state())
        if len(text) > 4 and rng.random() < 0.3:
            at = rng.randrange(len(text) - 1)
            del text[at : at + 1]
        else:
            text.insert(rng.randint(0, len(text)), rng.choice("abc"))
    doc.unobserve(watch)
    return updates, vectors, str(text)


@pytest.mark.parametrize("edits", [0, 1, 63, 64, 65, 1000])
def test_the_merge_is_the_log(edits: int) -> None:
    """At every length the merged bytes read as the updates one after the other do."""
    updates, _, text = session(edits)
    merged = Merged(updates)
    assert text_of(merged.merged()) == text == text_of(*updates)
    assert merged.size == len(merged.merged())


def test_a_diff_fills_any_gap() -> None:
    """Whoever stopped anywhere has all after its diff, and little more than that."""
    updates, vectors, text = session(300)
    merged = Merged(updates)
    for at in (0, 1, 150, 299):
        diff = merged.diff(vectors[at])
        assert text_of(*updates[:at], diff) == text
    assert len(merged.diff(vectors[299])) < len(merged.merged()) / 2


def test_empty() -> None:
    """A note without updates is the empty update."""
    assert Merged().merged() == EMPTY_UPDATE
    assert Merged().diff(EMPTY_STATE_VECTOR) == EMPTY_UPDATE


def test_untrusted_state_vectors_are_refused() -> None:
    """A lying state vector does not reach pycrdt."""
    with pytest.raises(UpdateError, match="count is larger"):
        Merged().diff(bytes.fromhex("ffffffff0f00"))


def test_pieces_stay_few() -> None:
    """However long the log, it lies in few pieces, and its size is known."""
    updates, _, _ = session(5000)
    merged = Merged()
    for update in updates:
        merged.append(update)
    assert len(merged._parts) < 12  # noqa: SLF001  the bound on the cost of a merge
    assert len(merged._tail) < 64  # noqa: SLF001
    assert merged.size >= len(merged.merged())


def test_garbage_is_named() -> None:
    """Bytes that are no updates raise an UpdateError, not what pycrdt raises."""
    merged = Merged([b"\xff\xff", b"\x01"])
    with pytest.raises(UpdateError, match="merged"):
        merged.merged()


def test_the_merge_keeps_what_was_cut() -> None:
    """Byte-level merging keeps a pair that an update cut as its author sent it."""
    typed = bytes.fromhex("01010100040107636f6e74656e740661f09f98806200")
    half = bytes.fromhex("000101010201")
    merged = parse_update(Merged([typed, half]).merged())
    assert merged.blocks[1].structs[0].text == "a😀b"
    assert merged.deletions == {1: ((2, 3),)}
