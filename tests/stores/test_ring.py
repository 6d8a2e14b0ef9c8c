from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Unrecoverable
from server.model import Position, Publication
from server.stores.ring import Bounds, Ring, Step, step

START = Position("e", 0)


def publication(offset: int, epoch: str = "e") -> Publication:
    """Return a publication at an offset."""
    return Publication("open:x", Position(epoch, offset), "message", offset, None, 0)


def filled(count: int, bounds: Bounds, size_bytes: int = 1) -> Ring:
    """Return a ring to which that many were added, one a second."""
    ring = Ring(START, bounds)
    for offset in range(1, count + 1):
        ring.add(publication(offset), size_bytes, now_s=float(offset))
    return ring


def offsets(publications: tuple[Publication, ...] | list[Publication]) -> list[int]:
    """Return the offsets alone."""
    return [each.position.offset for each in publications]


@pytest.mark.parametrize(
    ("arriving", "verdict"),
    [
        (Position("e", 4), Step.SEEN),
        (Position("e", 5), Step.SEEN),
        (Position("e", 6), Step.NEXT),
        (Position("e", 7), Step.GAP),
        (Position("f", 6), Step.ANEW),
    ],
)
def test_a_reader_takes_only_the_very_next_position(
    arriving: Position, verdict: Step
) -> None:
    """Of another epoch nothing is comparable, not even the next offset."""
    assert step(Position("e", 5), arriving) is verdict


def test_a_ring_keeps_the_newest_by_number() -> None:
    """The oldest leave, and are told."""
    ring = filled(5, Bounds(size=5))
    assert offsets(ring.add(publication(6), 1, 6.0)) == [1]
    assert (ring.floor, ring.top) == (1, Position("e", 6))


def test_a_ring_keeps_the_newest_by_age() -> None:
    """What is older than the bound leaves also when nothing is added."""
    ring = filled(5, Bounds(age_s=10.0))
    assert offsets(ring.trim(12.0)) == [1]
    assert offsets(ring.trim(1_000.0)) == [2, 3, 4, 5]
    assert (ring.floor, ring.size_bytes) == (5, 0)


def test_an_endless_age_keeps_for_ever() -> None:
    """`inf` seconds never pass."""
    assert filled(5, Bounds(age_s=math.inf)).trim(1e12) == []


def test_a_ring_keeps_the_newest_by_bytes() -> None:
    """One that alone is over the bound is not kept, and nothing before it."""
    ring = filled(5, Bounds(max_bytes=30), size_bytes=10)
    assert (ring.floor, ring.size_bytes) == (2, 30)
    ring.add(publication(6), 31, 6.0)
    assert (ring.floor, ring.top.offset, ring.size_bytes) == (6, 6, 0)


def test_a_ring_takes_no_hole() -> None:
    """Only the next position can be added."""
    ring = filled(2, Bounds())
    for wrong in (publication(2), publication(4), publication(3, epoch="f")):
        with pytest.raises(ValueError, match="does not follow"):
            ring.add(wrong, 1, 3.0)


def test_a_ring_may_begin_in_the_middle_of_a_stream() -> None:
    """What came before its first publication is not there, and it says so."""
    ring = Ring(Position("e", 7), Bounds())
    ring.add(publication(8), 1, 0.0)
    assert offsets(ring.after(Position("e", 7), 10)) == [8]
    with pytest.raises(Unrecoverable, match="gone"):
        ring.after(Position("e", 6), 10)


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position("f", 3), "another epoch"),
        (Position("e", 6), "ahead"),
        (Position("e", 1), "gone"),
    ],
)
def test_what_cannot_be_had_whole_is_unrecoverable(
    position: Position, reason: str
) -> None:
    """Never a part: the reason is in the error's text."""
    ring = filled(5, Bounds(size=3))
    with pytest.raises(Unrecoverable, match=reason):
        ring.after(position, 10)


def test_release_lets_go_up_to_an_offset() -> None:
    """Once, and not further than the top."""
    ring = filled(5, Bounds())
    assert offsets(ring.release(2)) == [1, 2]
    assert ring.release(2) == []
    assert offsets(ring.release(9)) == [3, 4, 5]


def test_pages_reach_back_as_far_as_the_ring_holds() -> None:
    """Ascending, up to the limit, the newest without an offset."""
    ring = filled(5, Bounds(size=4))
    assert offsets(ring.before(None, 2)) == [4, 5]
    assert offsets(ring.before(4, 10)) == [2, 3]
    assert offsets(ring.before(99, 1)) == [5]
    assert ring.before(2, 10) == ()
    assert ring.before(0, 10) == ()
    assert ring.before(None, 0) == ()


@given(
    count=st.integers(0, 40),
    size=st.integers(0, 20),
    after=st.integers(0, 45),
    limit=st.integers(0, 45),
)
def test_a_ring_returns_a_whole_run_or_raises(
    count: int, size: int, after: int, limit: int
) -> None:
    """For any position: all that follows it up to the limit, or Unrecoverable."""
    ring = filled(count, Bounds(size=size))
    kept = range(max(0, count - size) + 1, count + 1)
    if after > count or after < count - len(kept):
        with pytest.raises(Unrecoverable):
            ring.after(Position("e", after), limit)
    else:
        until = min(count, after + limit)
        found = offsets(ring.after(Position("e", after), limit))
        assert found == list(range(after + 1, until + 1))
