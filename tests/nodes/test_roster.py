from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model import Attendance, Joined, Left, Member, Principal, Signal
from server.nodes.roster import Roster
from server.seams.backplane import NodeRoll

ANN, BOB = Principal("u_ann", "Ann"), Principal("u_bob", "Bob")
ROOM, HERE, THERE, YONDER = "open:room", "n_1", "n_2", "n_3"


def attends(who: Principal, sessions: int, stamp: int, node: str = THERE) -> Attendance:
    """Say how many sessions somebody has on a node."""
    return Attendance(ROOM, node, who, sessions, stamp)


def caret(content: int, stamp: int, node: str = THERE, key: str = "k") -> Signal:
    """A signal that a node retains."""
    return Signal(
        ROOM,
        "caret",
        content,
        ANN,
        0,
        key,
        retained=True,
        owner="c",
        node=node,
        stamp=stamp,
    )


@pytest.fixture
def roster() -> Roster:
    """The roster of one channel as the first node knows it."""
    return Roster(ROOM, HERE)


def test_who_comes_and_goes_elsewhere_is_told(roster: Roster) -> None:
    """The first session on any node, and the last."""
    assert list(roster.take(attends(ANN, 1, 1))) == [Joined(ROOM, ANN, 1)]
    assert list(roster.take(attends(ANN, 1, 1, YONDER))) == []
    assert list(roster.take(attends(ANN, 0, 2))) == []
    assert list(roster.take(attends(ANN, 0, 2, YONDER))) == [Left(ROOM, ANN, 0)]


def test_what_was_heard_is_not_heard_again(roster: Roster) -> None:
    """A stamp that is not newer is of a change that is known."""
    list(roster.take(attends(ANN, 1, 5)))
    assert list(roster.take(attends(ANN, 0, 5))) == []
    assert list(roster.take(attends(ANN, 0, 4))) == []
    assert len(roster.presence) == 1


def test_a_roll_is_a_state_with_a_place(roster: Roster) -> None:
    """What came before its stamp is in it, what comes after it is news."""
    roll = NodeRoll(THERE, 7, [attends(ANN, 2, 3)], [caret(1, 7)])
    shown = replace(caret(1, 7), retained=False)
    assert list(roster.call([roll], {})) == [Joined(ROOM, ANN, 1), shown]
    assert list(roster.take(attends(BOB, 1, 6))) == [], "he had left again by 7"
    assert list(roster.take(attends(BOB, 1, 8))) == [Joined(ROOM, BOB, 2)]
    assert roster.retained == {"k": caret(1, 7)}


def test_a_roll_older_than_what_was_heard_is_not_believed(roster: Roster) -> None:
    """It was read on another connection, and overtaken."""
    list(roster.take(attends(ANN, 1, 1)))
    list(roster.take(attends(ANN, 0, 2)))
    assert list(roster.call([NodeRoll(THERE, 1, [attends(ANN, 1, 1)])], {})) == []
    assert len(roster.presence) == 0


def test_a_roll_mends_what_was_missed(roster: Roster) -> None:
    """Who left unheard has left; what fell unheard falls."""
    list(roster.take(attends(ANN, 1, 1)))
    list(roster.take(caret(1, 2)))
    told = list(roster.call([NodeRoll(THERE, 9, [attends(BOB, 1, 9)])], {}))
    assert told == [
        Left(ROOM, ANN, 0),
        Joined(ROOM, BOB, 1),
        replace(caret(1, 2), fell=True, retained=False),
    ]
    assert roster.retained == {}


def test_a_node_without_a_roll_is_gone(roster: Roster) -> None:
    """Unless it was heard after the rolls were asked for."""
    list(roster.take(attends(ANN, 1, 1)))
    list(roster.take(attends(BOB, 1, 1, YONDER)))
    before = roster.marks()
    list(roster.take(attends(BOB, 2, 2, YONDER)))
    assert list(roster.call([], before)) == [Left(ROOM, ANN, 1)]
    assert roster.presence.members() == (Member(BOB, 2),)


def test_what_a_lost_node_said_falls(roster: Roster) -> None:
    """All of it, and nothing of another's."""
    for node in (THERE, YONDER):
        list(roster.take(attends(ANN, 1, 1, node)))
        list(roster.take(attends(BOB, 1, 2, node)))
        list(roster.take(caret(0, 3, node, key=node)))
    fallen = replace(caret(0, 3, key=THERE), fell=True, retained=False)
    assert list(roster.lose(THERE)) == [fallen]
    told = list(roster.lose(YONDER))
    assert told[:2] == [Left(ROOM, ANN, 1), Left(ROOM, BOB, 0)]
    assert len(roster.presence) == 0
    assert list(roster.take(attends(ANN, 1, 1))), "it may come back, counting anew"


def test_the_fall_of_one_nodes_signal_spares_anothers(roster: Roster) -> None:
    """Its client came back by another node before the first one noticed."""
    list(roster.take(caret(1, 1)))
    list(roster.take(caret(2, 1, YONDER)))
    assert list(roster.take(replace(caret(1, 2), fell=True))) == []
    assert roster.retained == {"k": caret(2, 1, YONDER)}


def test_what_another_node_takes_over_this_one_gives_up(roster: Roster) -> None:
    """Once it has heard its own: the roll must not say it any longer."""
    own = caret(1, 1, HERE)
    roster.said["k"] = own
    assert roster.yields(caret(2, 1)) is None, "its own comes later, and wins"
    list(roster.take(own))
    assert roster.yields(caret(2, 1)) == own
    assert roster.yields(replace(caret(2, 2), fell=True)) is None
    assert roster.yields(own) is None


def test_what_this_node_took_back_unheard_is_told(roster: Roster) -> None:
    """While it was cut off nothing came back of it, not even its end."""
    roster.presence.add(ANN, "c1")
    roster.said["k"] = caret(1, 2, HERE)
    list(roster.take(attends(ANN, 1, 1, HERE)))
    list(roster.take(caret(1, 2, HERE)))
    roster.presence.remove(ANN, "c1")
    roster.said.clear()
    told = list(roster.call([], {}))
    fallen = replace(caret(1, 2, HERE), fell=True, retained=False)
    assert told == [Left(ROOM, ANN, 0), fallen]
    assert list(roster.call([], {})) == []


def test_what_this_node_said_is_never_lost_to_it(roster: Roster) -> None:
    """Neither by a roll nor because others took it for dead."""
    roster.presence.add(ANN, "c1")
    list(roster.take(attends(ANN, 1, 1, HERE)))
    assert list(roster.call([NodeRoll(HERE, 9)], roster.marks())) == []
    assert list(roster.lose(HERE)) == []
    assert list(roster.call([], roster.marks())) == []
    assert len(roster.presence) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from([ANN, BOB]), st.integers(0, 2)),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_roll_and_stream_give_the_same_from_any_place(
    changes: list[tuple[Principal, int]], data: st.DataObject
) -> None:
    """Whichever messages were lost or come late after a roll that has them."""
    said = [
        attends(who, sessions, stamp)
        for stamp, (who, sessions) in enumerate(changes, 1)
    ]
    cut = data.draw(st.integers(1, len(said)))
    newest = {each.user.id: each for each in said[:cut]}
    there = [each for each in newest.values() if each.sessions]
    roster = Roster(ROOM, HERE)
    for each in said[: data.draw(st.integers(0, cut))]:
        list(roster.take(each))
    list(roster.call([NodeRoll(THERE, cut, there)], roster.marks()))
    for each in said[data.draw(st.integers(0, cut)) :]:
        list(roster.take(each))
    last = {each.user.id: each.sessions for each in said}
    expected = {user: count for user, count in last.items() if count}
    assert {
        each.user.id: each.sessions for each in roster.presence.members()
    } == expected
