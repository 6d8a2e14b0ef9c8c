"""The GOLDEN updates were made in Node with yjs 13.6.33; the code stands beside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.notes.known import Known
from server.kinds.notes.surrogates import SurrogateGuard
from server.kinds.notes.update import parse_update, utf16_length
from server.lib0 import var_string, var_uint

# A document with clientID 1 in which text.insert(0, "a😀b") was called,
GOLDEN_TYPED = "01010100040107636f6e74656e740661f09f98806200"
# and what text.delete(2, 1) sends then,
GOLDEN_HALF_DELETED = "000101010201"
# or what text.insert(2, "x") sends.
GOLDEN_BETWEEN_HALVES = "01010104c401010102017800"


class Note:
    """A guard and what it needs to know, fed as a note feeds it."""

    def __init__(self, *updates: str) -> None:
        self.known, self.guard = Known(), SurrogateGuard()
        for update in updates:
            self.take(update)

    def take(self, update: str) -> None:
        """Count an update in."""
        parsed = parse_update(bytes.fromhex(update))
        self.guard.absorb(parsed, self.known.clocks)
        self.known.absorb(parsed)

    def splits(self, update: str) -> bool:
        """Ask the guard."""
        parsed = parse_update(bytes.fromhex(update))
        new = self.known.new_deletions(parsed)
        return self.guard.splits(parsed, new, self.known.clocks)


def typed(text: str, *, client: int = 1, clock: int = 0) -> str:
    """Write the update that types a text into an empty note."""
    head = bytes((1, 1)) + var_uint(client) + var_uint(clock)
    return (
        head + bytes((4, 1)) + var_string("content") + var_string(text) + b"\0"
    ).hex()


def deleted(start: int, end: int) -> str:
    """Write the update that deletes units of client 1."""
    return (b"\0\1\1\1" + var_uint(start) + var_uint(end - start)).hex()


def inserted(left: int, right: int, *, client: int = 2) -> str:
    """Write the update that inserts between two units of client 1."""
    ids = b"\1" + var_uint(left) + b"\1" + var_uint(right)
    return (bytes((1, 1, client, 0, 0xC4)) + ids + b"\x01x\0").hex()


@pytest.mark.parametrize("update", [GOLDEN_HALF_DELETED, GOLDEN_BETWEEN_HALVES])
def test_what_yjs_sends_for_a_cut_is_seen(update: str) -> None:
    """Deleting half a character, or typing into it, is a cut."""
    assert Note(GOLDEN_TYPED).splits(update)


@given(st.text(min_size=1, max_size=20), st.data())
def test_deletions_cut_where_utf16_does(text: str, data: st.DataObject) -> None:
    """A deletion is a cut if and only if JavaScript's slices would be no Unicode."""
    length = utf16_length(text)
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    units = text.encode("utf-16-le")
    parts = (units[: 2 * start], units[2 * start : 2 * end], units[2 * end :])
    whole = "".join(part.decode("utf-16-le", "ignore") for part in parts) == text
    assert Note(typed(text)).splits(deleted(start, end)) is not whole


@given(st.text(min_size=2, max_size=20), st.data())
def test_insertions_cut_where_utf16_does(text: str, data: st.DataObject) -> None:
    """An insertion is a cut if and only if it stands within a pair."""
    length = utf16_length(text)
    left = data.draw(st.integers(0, max(0, length - 2)))
    units = text.encode("utf-16-le")
    before = units[: 2 * left + 2].decode("utf-16-le", "ignore")
    whole = utf16_length(before) == left + 1
    assert Note(typed(text)).splits(inserted(left, left + 1)) is not whole


def test_a_right_neighbour_alone_cuts_too() -> None:
    """An insertion may name the unit to its right and nothing to its left."""
    only_right = "0101020044" + "0101" + "0178" + "00"
    assert Note(typed("😀")).splits(only_right)
    assert not Note(typed("a😀")).splits(only_right)


def test_an_update_may_cut_its_own_pair() -> None:
    """A pair that comes with its cut was never whole here, and is refused too."""
    assert Note().splits(typed("a😀")[:-2] + "0101010201")
    assert not Note().splits(typed("a😀")[:-2] + "0101010102")


def test_a_state_that_ends_within_a_pair() -> None:
    """Bytes that call the known half of a pair something else are refused."""
    note = Note(typed("a\ufffd"))
    assert note.splits(typed("a😀"))
    assert not note.splits(typed("a\ufffd😀"))


def test_what_is_repeated_is_not_looked_at() -> None:
    """A deletion that is known cuts nothing: it is not applied again."""
    note = Note(typed("a😀b"), deleted(1, 3))
    assert not note.splits(deleted(2, 3))
    assert not note.splits(typed("a😀b"))


def test_pairs_of_many_updates_are_found() -> None:
    """The guard remembers each client's pairs, over all of its updates."""
    note = Note(typed("😀"), typed("😀x", clock=2), typed("ab", client=3))
    assert note.splits(deleted(0, 3))
    assert not note.splits(deleted(0, 4))
    assert not note.splits(deleted(4, 5))
