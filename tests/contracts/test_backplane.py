"""What every backplane promises (`hub.ports.Backplane`); one suite for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.backplanes.local import LocalBackplane
from server.model import Position, Publication, Signal
from tests.looptime import until

if TYPE_CHECKING:
    from server.hub.ports import Backplane
    from server.model import Broadcast


def published(channel: str, offset: int) -> Publication:
    """A publication."""
    return Publication(channel, Position("e", offset), "message", offset, None, 0)


@pytest.fixture(params=["local"])
def backplane(request: pytest.FixtureRequest) -> Backplane:
    """Each backplane in its turn, to which nothing is attached yet."""
    return LocalBackplane()


async def test_this_node_gets_what_it_publishes(backplane: Backplane) -> None:
    """As it was, publications and signals alike."""
    come: list[Broadcast] = []
    backplane.attach(come.append)
    signal = Signal(
        "open:a", "hint", {"x": 1}, None, 5, "k", retained=True, owner="c_1"
    )
    for broadcast in (published("open:a", 1), signal):
        backplane.publish(broadcast)
    await until(lambda: len(come) == 2)
    assert come == [published("open:a", 1), signal]


async def test_a_channel_keeps_its_order(backplane: Backplane) -> None:
    """That of the calls, and nothing twice."""
    come: list[Broadcast] = []
    backplane.attach(come.append)
    for offset in range(1, 101):
        for channel in ("open:a", "open:b"):
            backplane.publish(published(channel, offset))
    await until(lambda: len(come) == 200)
    for channel in ("open:a", "open:b"):
        of_it = [each for each in come if each.channel == channel]
        assert of_it == [published(channel, offset) for offset in range(1, 101)]


async def test_what_is_published_while_delivering_comes_too(
    backplane: Backplane,
) -> None:
    """A delivery may lead to another."""
    come: list[Broadcast] = []

    def deliver(broadcast: Broadcast) -> None:
        come.append(broadcast)
        if len(come) == 1:
            backplane.publish(published("open:a", 2))

    backplane.attach(deliver)
    backplane.publish(published("open:a", 1))
    await until(lambda: len(come) == 2)


async def test_before_it_is_attached_nothing_arrives(backplane: Backplane) -> None:
    """And nothing fails."""
    backplane.publish(published("open:a", 1))
    come: list[Broadcast] = []
    backplane.attach(come.append)
    backplane.publish(published("open:a", 2))
    await until(lambda: come)
    assert come == [published("open:a", 2)]
