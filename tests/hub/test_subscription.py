from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.errors import SLOW
from server.hub.subscription import HELD_BROADCASTS, Subscription
from server.model import Position, Publication, Reset, Signal
from tests.hub.stage import ROOM, Guest, Stage, raise_curtain
from tests.looptime import turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


def published(offset: int, epoch: str = "e") -> Publication:
    """A publication of that offset."""
    return Publication(ROOM, Position(epoch, offset), "message", offset, None, 0)


async def told(guest: Guest) -> list[object]:
    """The offsets of publications, and everything else as it was."""
    await turns(2)
    return [
        each.position.offset if isinstance(each, Publication) else each
        for each in guest.told
    ]


async def test_what_the_past_says_is_not_given_again(stage: Stage) -> None:
    """Held publications up to the past's end are skipped."""
    guest = stage.guest()
    subscription = Subscription(guest.session, presence=False)
    for offset in (3, 4, 5):
        subscription.hold(published(offset))
    subscription.go_live(Position("e", 4))
    assert await told(guest) == [5]
    assert subscription.held is None
    assert subscription.offset == 5


async def test_a_held_end_of_the_stream_is_told(stage: Stage) -> None:
    """Where the past is of the stream that ended meanwhile."""
    guest = stage.guest()
    subscription = Subscription(guest.session, presence=False)
    reset = Reset(ROOM, Position("f", 0))
    for broadcast in (published(5), reset, published(1, "f")):
        subscription.hold(broadcast)
    subscription.go_live(Position("e", 4))
    assert await told(guest) == [5, reset, 1]


async def test_nothing_of_an_old_stream_follows_a_past_of_the_new_one(
    stage: Stage,
) -> None:
    """Signals stay: they are of no stream."""
    guest = stage.guest()
    subscription = Subscription(guest.session, presence=False)
    signal = Signal(ROOM, "hint", 1, None, 0)
    held = (published(900), signal, Reset(ROOM, Position("f", 0)))
    for broadcast in (*held, published(1, "f"), published(2, "f")):
        subscription.hold(broadcast)
    subscription.go_live(Position("f", 1))
    assert await told(guest) == [signal, 2]


async def test_too_much_that_is_held_ends_the_session(stage: Stage) -> None:
    """It is told to come back, and what was held is let go."""
    guest = stage.guest()
    subscription = Subscription(guest.session, presence=False)
    one = published(1)
    for _ in range(HELD_BROADCASTS + 1):
        subscription.hold(one)
    assert guest.wire.closed_with == [SLOW]
    assert not subscription.held


async def test_an_ended_subscription_takes_nothing(stage: Stage) -> None:
    """Neither holds nor gives it."""
    guest = stage.guest()
    subscription = Subscription(guest.session, presence=False)
    subscription.go_live(Position("e", 0))
    subscription.end()
    subscription.hold(published(1))
    assert not subscription.held
