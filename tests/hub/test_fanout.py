from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.hub.fanout import Frames, give
from server.hub.subscription import Subscription
from server.model import Joined, Position, Publication, Reset, Signal
from tests.hub.stage import ANN, ROOM, Guest, Stage, raise_curtain
from tests.hub.wires import RecordingCodec
from tests.looptime import turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that runs."""
    async with raise_curtain() as raised:
        yield raised


def live(guest: Guest, offset: int = 0, *, presence: bool = False) -> Subscription:
    """A subscription that is live at an offset of the epoch `e`."""
    subscription = Subscription(guest.session, presence=presence)
    subscription.go_live(Position("e", offset))
    return subscription


def published(offset: int, epoch: str = "e") -> Publication:
    """A publication."""
    return Publication(ROOM, Position(epoch, offset), "message", offset, None, 0)


async def test_a_frame_is_made_once_for_a_codec(stage: Stage) -> None:
    """Though many take it; those who have it already do not."""
    words = RecordingCodec()
    crowd = [stage.guest(codec=words) for _ in range(5)]
    subscriptions = [live(guest, offset) for offset, guest in enumerate(crowd)]
    frames = Frames(published(3))
    assert give(frames, subscriptions) == 3
    assert give(frames, subscriptions) == 0
    assert len(words.encoded) == 1
    await turns(2)
    assert [len(guest.told) for guest in crowd] == [1, 1, 1, 0, 0]


async def test_nothing_of_another_stream_is_given(stage: Stage) -> None:
    """But after the word that it began."""
    guest = stage.guest()
    subscription = live(guest, 5)
    assert give(Frames(published(9, "f")), [subscription]) == 0
    give(Frames(Reset(ROOM, Position("f", 8))), [subscription])
    assert give(Frames(published(9, "f")), [subscription]) == 1
    await turns(2)
    assert [type(each) for each in guest.told] == [Reset, Publication]


async def test_people_are_told_to_who_asked(stage: Stage) -> None:
    """Others do not even have it encoded."""
    words = RecordingCodec()
    asking, other = stage.guest(codec=words), stage.guest(codec=words)
    joined = Joined(ROOM, ANN, 1)
    assert give(Frames(joined), [live(other)]) == 0
    assert words.encoded == []
    assert give(Frames(joined), [live(asking, presence=True), live(other)]) == 1


async def test_who_joins_is_given_nothing_yet(stage: Stage) -> None:
    """It is held back."""
    guest = stage.guest()
    joining = Subscription(guest.session, presence=False)
    signal = Signal(ROOM, "hint", 1, None, 0)
    assert give(Frames(signal), [joining]) == 0
    assert joining.held is not None
    assert list(joining.held) == [signal]
