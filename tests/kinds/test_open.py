from __future__ import annotations

import pytest

from server.errors import BAD_REQUEST, PERMISSION_DENIED, UNKNOWN_CHANNEL, Refusal
from server.kinds.open import OpenKind
from server.model import (
    SERVER,
    Action,
    Event,
    Position,
    Principal,
    Publication,
    Signal,
)
from server.seams.kind import Follows, Policy, Refused, Say
from server.seams.log import Append, Draft
from server.stores.memory import MemoryLog
from server.stores.ring import Bounds
from tests.clocks import ManualClock

ROOM = "open:news"
ANN, BOB = Principal("g_ann", "Ann"), Principal("g_bob", "Bob")


@pytest.fixture
def kind() -> OpenKind:
    """The kind as it is without options."""
    return OpenKind(ManualClock(5_000))


async def denied(kind: OpenKind, who: Principal, channel: str, action: Action) -> bool:
    """Whether the action is denied; nothing else may be raised."""
    try:
        await kind.authorize(who, channel, action)
    except Refusal as refusal:
        return refusal.error is PERMISSION_DENIED
    return False


@pytest.mark.parametrize("action", Action)
async def test_everybody_may_do_everything(kind: OpenKind, action: Action) -> None:
    """In a channel without rules."""
    assert not await denied(kind, ANN, ROOM, action)


@pytest.mark.parametrize("action", Action)
async def test_a_lab_is_its_users_own(kind: OpenKind, action: Action) -> None:
    """With anything behind a further dot; names that look alike are others'."""
    for channel in ("open:lab-g_ann", "open:lab-g_ann.two", "open:lab-g_ann.a.b"):
        assert not await denied(kind, ANN, channel, action)
        assert await denied(kind, BOB, channel, action)
    for channel in ("open:lab-", "open:lab-g_an", "open:lab-g_ann2", "open:lab-.g_ann"):
        assert await denied(kind, ANN, channel, action)
    assert not await denied(kind, ANN, "open:laboratory", action)


async def test_symbols_are_no_names_here(kind: OpenKind) -> None:
    """Upper case is the ticker's."""
    with pytest.raises(Refusal) as refused:
        await kind.authorize(ANN, "open:ACME", Action.SUBSCRIBE)
    assert refused.value.error is UNKNOWN_CHANNEL


@pytest.mark.parametrize(
    ("writers", "who_writes"),
    [(frozenset[str](), set[str]()), (frozenset({ANN.id}), {ANN.id})],
)
async def test_writers_can_be_few(
    writers: frozenset[str], who_writes: set[str]
) -> None:
    """Everybody still reads."""
    kind = OpenKind(ManualClock(), writers=writers)
    for who in (ANN, BOB):
        for action in (Action.PUBLISH, Action.SIGNAL):
            may = not await denied(kind, who, ROOM, action)
            assert may == (who.id in who_writes)
        assert not await denied(kind, who, ROOM, Action.SUBSCRIBE)


def test_any_json_is_passed_on(kind: OpenKind) -> None:
    """As it is, under the event's own name."""
    content = {"a": [1, None, {"b": "c"}]}
    accepted = kind.accept(ANN, ROOM, Event("news", content, "k"))
    assert accepted == Follows(says=(Say(ROOM, "news", content),))


def test_a_signal_is_passed_on(kind: OpenKind) -> None:
    """With its key, its author (but for the server) and the time."""
    event = Event("typing", True, "k", signal=True)
    expected = Signal(ROOM, "typing", True, ANN, 5_000, "k")
    assert kind.accept(ANN, ROOM, event) == Follows(signals=(expected,))
    said = kind.accept(SERVER, ROOM, event)
    assert isinstance(said, Follows)
    assert said.signals[0].author is None


def test_bytes_are_refused(kind: OpenKind) -> None:
    """The kind is of JSON."""
    accepted = kind.accept(ANN, ROOM, Event("news", b"\0"))
    assert isinstance(accepted, Refused)
    assert accepted.error.code == BAD_REQUEST.code


async def test_it_keeps_no_state() -> None:
    """It is loaded at the top, and catches up from the log."""
    kind = OpenKind(ManualClock(), Policy(recent=1))
    log = MemoryLog(ManualClock(), lambda: "e", lambda _: Bounds())
    for number in (1, 2):
        await log.append([Append((Draft(ROOM, "news", number, None, 0),))])
    assert await kind.load(ROOM, log) == Position("e", 2)
    past = await kind.catch_up(ROOM, None, log)
    assert [each.content for each in past.publications] == [2]
    publication = Publication(ROOM, Position("e", 3), "news", 3, None, 0)
    assert kind.fold(publication) is publication
    kind.forget(ROOM)
