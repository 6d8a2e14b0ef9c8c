from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text, merge_updates

from server.kinds.notes.known import Known, Standing
from server.kinds.notes.ranges import RangeSet
from server.kinds.notes.update import UpdateError, parse_update

Ranges = list[tuple[int, int]]
ranges = st.tuples(st.integers(0, 40), st.integers(1, 10)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@given(st.lists(ranges), ranges)
def test_range_set_is_a_set(added: Ranges, asked: tuple[int, int]) -> None:
    """Ranges behave like the set of their clocks, and stay sorted and apart."""
    held, model = RangeSet(), set[int]()
    for start, end in added:
        held.add(start, end)
        model.update(range(start, end))
    bounds = [bound for pair in held for bound in pair]
    assert bounds == sorted(set(bounds))
    assert {clock for pair in held for clock in range(*pair)} == model
    lacking = {c for pair in held.without(*asked) for c in range(*pair)}
    assert lacking == set(range(*asked)) - model


class Typist:
    """A client of pycrdt's; each edit gives its update."""

    def __init__(self, client_id: int) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get("content", type=Text)

    def type(self, at: int, text: str) -> bytes:
        """Insert text before a byte."""
        before = self.doc.get_state()
        self.text.insert(at, text)
        return self.doc.get_update(before)

    def delete(self, start: int, end: int) -> bytes:
        """Delete bytes."""
        before = self.doc.get_state()
        del self.text[start:end]
        return self.doc.get_update(before)


def known(*updates: bytes) -> Known:
    """Make what knows some updates."""
    knows = Known()
    for update in updates:
        knows.absorb(parse_update(update))
    return knows


def test_new_then_duplicate() -> None:
    """What was absorbed is known: structs and deletions."""
    one = Typist(1)
    typed, deleted = one.type(0, "abc"), one.delete(1, 2)
    knows = known()
    assert knows.judge(parse_update(typed)) is Standing.NEW
    knows.absorb(parse_update(typed))
    assert knows.judge(parse_update(typed)) is Standing.DUPLICATE
    deletion = parse_update(deleted)
    assert knows.new_deletions(deletion) == {1: ((1, 2),)}
    assert knows.judge(deletion) in (Standing.NEW, Standing.PARTIAL)
    knows.absorb(deletion)
    assert knows.judge(deletion) is Standing.DUPLICATE
    assert knows.clocks == {1: 3}


def test_partial() -> None:
    """An update that repeats a part of what is known has a new part."""
    one = Typist(1)
    first = one.type(0, "abc")
    one.type(3, "def")
    whole = parse_update(one.doc.get_update())
    assert known(first).judge(whole) is Standing.PARTIAL


@pytest.mark.parametrize("arrived", [0, 1])
def test_a_gap_is_missing(arrived: int) -> None:
    """With only some of its client's earlier updates there, an update must wait."""
    one = Typist(1)
    updates = [one.type(0, "a"), one.type(1, "b"), one.type(2, "c")]
    knows = known(*updates[:arrived])
    assert knows.judge(parse_update(updates[2])) is Standing.MISSING


def test_a_neighbour_of_another_client_is_missing() -> None:
    """An insertion beside an unknown unit must wait."""
    one, two = Typist(1), Typist(2)
    two.doc.apply_update(one.type(0, "ab"))
    assert known().judge(parse_update(two.type(1, "x"))) is Standing.MISSING


def test_a_deletion_of_the_unknown_is_missing() -> None:
    """A pending deletion shows in no state vector; it is seen all the same."""
    one, two = Typist(1), Typist(2)
    two.doc.apply_update(one.type(0, "ab"))
    assert known().judge(parse_update(two.delete(0, 1))) is Standing.MISSING


def test_a_hole_is_missing_until_it_is_filled() -> None:
    """A merged update with a hole applies where the hole is known, else not."""
    one = Typist(2)
    first, second, third = one.type(0, "a"), one.type(1, "b"), one.type(2, "c")
    holed = parse_update(merge_updates(first, third))
    assert known().judge(holed) is Standing.MISSING
    assert known(first).judge(holed) is Standing.MISSING
    assert known(first, second).judge(holed) is Standing.PARTIAL
    assert known(first, second, third).judge(holed) is Standing.DUPLICATE


def test_clients_that_need_each_other_in_turns() -> None:
    """Two clients that typed by turns depend on each other without a circle."""
    one, two = Typist(1), Typist(2)
    for turn in range(20):
        author, reader = (one, two) if turn % 2 else (two, one)
        reader.doc.apply_update(author.type(0, "x"))
    whole = parse_update(one.doc.get_update())
    knows = known()
    assert knows.judge(whole) is Standing.NEW
    knows.absorb(whole)
    assert knows.clocks == {1: 10, 2: 10}


# Client 1 typed "a" left of 2:0, client 2 typed "b" left of 1:0.
CIRCLE = bytes.fromhex(
    "02" + "010200" + "44010001" + "62" + "010100" + "44020001" + "6100"
)


def test_a_circle_never_applies() -> None:
    """Two structs that each wait for the other are not taken, and end the walk."""
    assert known().judge(parse_update(CIRCLE)) is Standing.MISSING


@pytest.mark.parametrize("at", ["00", "01", "05"])
def test_a_struct_that_needs_itself(at: str) -> None:
    """A reference to a client's own future can never be right."""
    future = bytes.fromhex("01010100" + "8401" + at + "0161" + "00")
    with pytest.raises(UpdateError, match="itself"):
        known().judge(parse_update(future))


def test_a_parent_must_hold_things() -> None:
    """An item in a character is taken by pycrdt, which panics at the next load."""
    typed = bytes.fromhex("01010100040107" + b"content".hex() + "026162" + "00")
    inside = bytes.fromhex("01010102" + "04000100" + "0163" + "00")
    both = bytes.fromhex(
        "01020100040107" + b"content".hex() + "026162" + "040001000163" + "00"
    )
    with pytest.raises(UpdateError, match="holds nothing"):
        known(typed).judge(parse_update(inside))
    with pytest.raises(UpdateError, match="holds nothing"):
        known().judge(parse_update(both))


def test_a_parent_may_be_a_type_or_collected() -> None:
    """Shared types hold items; what was collected may have been one."""
    for content in ("0702", "0101"):
        first = bytes.fromhex("01010100" + content[:2] + "010161" + content[2:] + "00")
        inside = bytes.fromhex("01010101" + "04000100" + "0163" + "00")
        assert known(first).judge(parse_update(inside)) is Standing.NEW
        both = bytes.fromhex(
            "01020100" + content[:2] + "010161" + content[2:] + "040001000163" + "00"
        )
        assert known().judge(parse_update(both)) is Standing.NEW
