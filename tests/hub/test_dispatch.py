from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.errors import (
    INTERNAL,
    LIMIT_EXCEEDED,
    PERMISSION_DENIED,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Unrecoverable,
)
from server.hub.limits import Limits
from server.model import (
    Action,
    Done,
    Event,
    Failed,
    History,
    HistoryPage,
    Member,
    Ping,
    Presence,
    PresenceList,
    Publish,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from tests.hub.stage import ANN, ROOM, TALLY, Guest, Stage, raise_curtain
from tests.looptime import turns


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A hub that lets a session be in two channels."""
    async with raise_curtain(Limits(subscriptions=2)) as raised:
        yield raised


@pytest.fixture
def guest(stage: Stage) -> Guest:
    """A session."""
    return stage.guest()


async def test_each_command_is_answered_with_its_id(stage: Stage, guest: Guest) -> None:
    """In the order of the commands, where nothing has to be committed."""
    hint = Event("hint", 1, signal=True)
    at = await stage.say(1)
    for command in (
        Subscribe(1, ROOM, presence=True),
        Publish(2, ROOM, hint),
        History(3, ROOM),
        Presence(4, ROOM),
        Ping(5),
        Unsubscribe(6, ROOM),
    ):
        await guest.session.dispatch(command)
        await turns(2)
    answers = [each for each in guest.told if hasattr(each, "id")]
    assert [each.id for each in answers] == [1, 2, 3, 4, 5, 6]
    _, signalled, page, presence, pong, left = answers
    assert (signalled, pong, left) == (Done(2, ROOM), Done(5), Done(6, ROOM))
    assert presence == PresenceList(4, ROOM, (Member(ANN, 1),), 1)
    assert isinstance(page, HistoryPage)
    assert page.position == at


@pytest.mark.parametrize(
    "command",
    [
        Subscribe(1, "nokind:x"),
        Publish(1, "nokind:x", Event("message", 1)),
        Publish(1, "nokind:x", Event("message", 1, signal=True)),
        History(1, "nokind:x"),
        Presence(1, "nokind:x"),
    ],
)
async def test_an_unknown_channel_is_told_for_every_command(
    stage: Stage, guest: Guest, command: Subscribe
) -> None:
    """The error carries the id and the channel; it is counted."""
    await guest.session.dispatch(command)
    await turns(2)
    assert guest.told == [Failed(1, "nokind:x", UNKNOWN_CHANNEL)]
    assert stage.hub.stats.refused == {UNKNOWN_CHANNEL.code: 1}


async def test_subscriptions_are_limited(guest: Guest) -> None:
    """One channel too many is refused; joining one anew is not."""
    for channel in ("open:a", "open:b", "open:c", "open:a"):
        await guest.join(channel)
        await turns(2)
    kinds = [type(each) for each in guest.told]
    assert kinds == [Subscribed, Subscribed, Failed, Subscribed]
    refused = guest.told[2]
    assert isinstance(refused, Failed)
    assert refused.error.code == LIMIT_EXCEEDED.code


async def test_what_may_not_be_done_is_told(stage: Stage, guest: Guest) -> None:
    """A publication's refusal carries its key."""
    stage.tally.denied.add((ANN.id, Action.PUBLISH))
    await guest.session.dispatch(Publish(1, TALLY, Event("add", 1, "k")))
    await turns(2)
    assert guest.told == [Failed(1, TALLY, PERMISSION_DENIED, "k")]


async def test_an_unknown_fault_is_internal_and_stays_in_the_log(
    stage: Stage, guest: Guest, caplog: pytest.LogCaptureFixture
) -> None:
    """Its words may be sensitive; the session lives."""
    stage.log.read_fault = ValueError("secret words")
    await guest.session.dispatch(History(1, ROOM))
    stage.log.read_fault = None
    await guest.session.dispatch(Ping(2))
    await turns(2)
    failed = guest.told[0]
    assert isinstance(failed, Failed)
    assert failed.error in (INTERNAL, UNAVAILABLE)
    assert "secret" not in str(failed)
    assert guest.told[1] == Done(2)
    assert "secret words" in caplog.text


async def test_a_fault_in_a_kind_is_internal(
    stage: Stage, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of one kind is told to one session."""

    def broken(*_: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(stage.tally, "accept", broken)
    await guest.session.dispatch(Publish(1, TALLY, Event("add", 1)))
    await turns(2)
    assert guest.told == [Failed(1, TALLY, INTERNAL)]


async def test_a_state_that_cannot_be_had_is_unavailable(
    stage: Stage, guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kind lets through of the log's own errors."""

    async def broken(*_: object) -> None:
        raise Unrecoverable

    monkeypatch.setattr(stage.tally, "catch_up", broken)
    await guest.join(TALLY)
    await turns(2)
    assert guest.told == [Failed(1, TALLY, UNAVAILABLE)]


async def test_what_the_log_rejects_is_told_and_counted(
    stage: Stage, guest: Guest
) -> None:
    """After the commit, with the command's id."""
    await guest.session.dispatch(Publish(3, ROOM, Event("message", "\ud800")))
    await turns(5)
    (failed,) = guest.told
    assert isinstance(failed, Failed)
    assert (failed.id, failed.error.code) == (3, 107)
    assert stage.hub.stats.refused == {107: 1}
