from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.model import Member, Principal
from server.nodes.presence import Presence

ANN, BOB = Principal("u_ann", "Ann"), Principal("u_bob", "Bob")


def test_each_session_of_a_person_counts_once() -> None:
    """What comes twice, or goes twice, is no news."""
    presence = Presence()
    assert presence.add(ANN, "c1") == 1
    assert presence.add(ANN, "c2") == 2
    assert presence.add(ANN, "c2") is None
    assert presence.members() == (Member(ANN, 2),)
    assert presence.remove(ANN, "c1") == 1
    assert presence.remove(ANN, "c2") == 0
    assert presence.remove(ANN, "c2") is None
    assert len(presence) == 0


def test_a_stranger_cannot_leave() -> None:
    """Nor can a session that never came."""
    presence = Presence()
    presence.add(ANN, "c1")
    assert presence.remove(BOB, "c1") is None
    assert presence.remove(ANN, "c9") is None
    assert len(presence) == 1


def test_a_new_name_is_shown() -> None:
    """The person is known by the id."""
    presence = Presence()
    presence.add(ANN, "c1")
    renamed = Principal(ANN.id, "Anna")
    presence.add(renamed, "c2")
    assert presence.members() == (Member(renamed, 2),)


def test_members_are_limited_in_the_order_of_arrival() -> None:
    """The count is of all."""
    presence = Presence()
    people = [Principal(f"g_{number}", "x") for number in range(5)]
    for person in people:
        presence.add(person, "c")
    assert [each.user for each in presence.members(3)] == people[:3]
    assert len(presence) == 5


def test_people_are_counted_over_all_nodes() -> None:
    """They are here while they have a session on any of them."""
    presence = Presence()
    presence.add(ANN, "c1")
    presence.take("n_2", ANN, 2)
    presence.take("n_3", BOB, 1)
    assert presence.members() == (Member(ANN, 3), Member(BOB, 1))
    presence.take("n_2", ANN, 1)
    assert presence.on("n_2") == [ANN]
    assert presence.own() == [Member(ANN, 1)]
    presence.remove(ANN, "c1")
    assert presence.members()[0] == Member(ANN, 1)
    presence.take("n_2", ANN, 0)
    presence.take("n_2", ANN, 0)
    assert presence.members() == (Member(BOB, 1),)


def test_who_is_there_is_news_once() -> None:
    """However many sessions and nodes; and again when the last of them has gone."""
    presence = Presence()
    assert presence.news(ANN.id) is None
    presence.add(ANN, "c1")
    assert presence.news(ANN.id) is True
    presence.take("n_2", ANN, 1)
    assert presence.news(ANN.id) is None
    presence.remove(ANN, "c1")
    assert presence.news(ANN.id) is None
    presence.take("n_2", ANN, 0)
    assert presence.news(ANN.id) is False
    assert presence.news(ANN.id) is None


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3))),
)
def test_presence_is_what_came_and_did_not_go(
    moves: list[tuple[int, int, int]],
) -> None:
    """Whatever the order, and however often; node 0 is this one."""
    presence = Presence()
    here: set[tuple[int, int]] = set()
    elsewhere: dict[tuple[int, int], int] = {}
    for node, person, number in moves:
        who = Principal(f"u_{person}", "x")
        if node:
            presence.take(f"n_{node}", who, number)
            elsewhere[node, person] = number
        elif (person, number) in here:
            here.remove((person, number))
            assert presence.remove(who, f"c{number}") is not None
        else:
            here.add((person, number))
            assert presence.add(who, f"c{number}") is not None
    there = {person for person, _ in here}
    there |= {person for (_, person), count in elsewhere.items() if count}
    assert len(presence) == len(there)
    total = len(here) + sum(elsewhere.values())
    assert sum(each.sessions for each in presence.members()) == total
