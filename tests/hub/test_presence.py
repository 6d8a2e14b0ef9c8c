from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.hub.presence import Presence
from server.model import Member, Principal

ANN, BOB = Principal("u_ann", "Ann"), Principal("u_bob", "Bob")


def test_the_first_and_the_last_session_of_a_person_count() -> None:
    """Those between do not."""
    presence = Presence()
    assert presence.add(ANN, "c1")
    assert not presence.add(ANN, "c2")
    assert not presence.add(ANN, "c2")
    assert presence.members() == (Member(ANN, 2),)
    assert not presence.remove(ANN, "c1")
    assert presence.remove(ANN, "c2")
    assert not presence.remove(ANN, "c2")
    assert len(presence) == 0


def test_a_stranger_cannot_leave() -> None:
    """Nor can a session that never came."""
    presence = Presence()
    presence.add(ANN, "c1")
    assert not presence.remove(BOB, "c1")
    assert not presence.remove(ANN, "c9")
    assert len(presence) == 1


def test_a_new_name_is_shown() -> None:
    """The person is known by the id."""
    presence = Presence()
    presence.add(ANN, "c1")
    renamed = Principal(ANN.id, "Anna")
    assert not presence.add(renamed, "c2")
    assert presence.members() == (Member(renamed, 2),)


def test_members_are_limited_in_the_order_of_arrival() -> None:
    """The count is of all."""
    presence = Presence()
    people = [Principal(f"g_{number}", "x") for number in range(5)]
    for person in people:
        presence.add(person, "c")
    assert [each.user for each in presence.members(3)] == people[:3]
    assert len(presence) == 5


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3))))
def test_presence_is_what_came_and_did_not_go(
    moves: list[tuple[bool, int, int]],
) -> None:
    """Whatever the order, and however often."""
    presence = Presence()
    there: set[tuple[int, int]] = set()
    for comes, person, session in moves:
        who = Principal(f"u_{person}", "x")
        alone = not any(each == person for each, _ in there)
        if comes:
            assert presence.add(who, f"c{session}") == alone
            there.add((person, session))
        else:
            was = (person, session) in there
            there.discard((person, session))
            gone = not any(each == person for each, _ in there)
            assert presence.remove(who, f"c{session}") == (was and gone)
    assert len(presence) == len({person for person, _ in there})
    assert sum(each.sessions for each in presence.members()) == len(there)
