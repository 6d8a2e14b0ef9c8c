from __future__ import annotations

import pytest

from server.errors import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal
from server.kinds.chat.kind import MAX_MESSAGE_CHARS, ChatKind
from server.kinds.chat.rows import RoomTouched
from server.model import JSON, Action, Event, Position, Principal, Publication, Signal
from server.seams.kind import Accepted, Follows, Keep, Refused, Say
from tests.clocks import ManualClock

ADA = Principal("g_ada", "Ada")
ROOM = "chat:lobby"
NOW_MS = 1_700_000_000_000


@pytest.fixture
def chat() -> ChatKind:
    """The kind, at a moment that stands still."""
    return ChatKind(ManualClock(NOW_MS))


def say(chat: ChatKind, content: JSON, name: str = "message") -> Accepted:
    """Have Ada say something in the lobby."""
    return chat.accept(ADA, ROOM, Event(name, content))


def why(accepted: Accepted) -> str:
    """Return the words of a refusal."""
    assert isinstance(accepted, Refused)
    assert accepted.error.code == BAD_REQUEST.code
    return accepted.error.message


@pytest.mark.parametrize("content", [{"text": "**hi**"}, "**hi**"])
def test_a_message_is_kept_with_its_html_and_touches_its_room(
    chat: ChatKind, content: JSON
) -> None:
    """The text as it was typed, the HTML for all viewers, and the room's row."""
    accepted = say(chat, content)
    assert isinstance(accepted, Follows)
    html = '<p dir="auto"><strong>hi</strong></p>'
    assert accepted.says == (Say(ROOM, "message", {"text": "**hi**", "html": html}),)
    assert accepted.changes == (RoomTouched(ROOM, "lobby", "**hi**", "Ada", NOW_MS),)
    assert not accepted.signals


@pytest.mark.parametrize("content", [None, 1, [], {}, {"text": None}, {"html": "x"}])
def test_what_holds_no_text_is_refused(chat: ChatKind, content: JSON) -> None:
    """HTML is never taken from a client, nor anything that is no text."""
    assert "text" in why(say(chat, content))


@pytest.mark.parametrize("text", ["", "  \n\t", "\u3000"])
def test_an_empty_message_is_refused(chat: ChatKind, text: str) -> None:
    """White space alone says nothing."""
    assert "empty" in why(say(chat, {"text": text}))


def test_the_longest_message_is_taken_and_one_longer_is_not(chat: ChatKind) -> None:
    """Characters are counted, not bytes; the refusal says how many there may be."""
    most = "\N{GRINNING FACE}" * MAX_MESSAGE_CHARS
    assert isinstance(say(chat, most), Follows)
    assert "4000" in why(say(chat, most + "x"))


def test_other_events_are_refused(chat: ChatKind) -> None:
    """Chat says which event it knows."""
    assert "message" in why(say(chat, {"text": "x"}, "shout"))


def test_typing_is_a_signal_keyed_by_who_types(chat: ChatKind) -> None:
    """Its key is the user, whatever key was asked for: nobody replaces another's."""
    accepted = chat.accept(ADA, ROOM, Event("typing", None, "g_bob", signal=True))
    assert isinstance(accepted, Follows)
    assert not accepted.says
    typing: JSON = {"typing": True}
    assert accepted.signals == (Signal(ROOM, "typing", typing, ADA, NOW_MS, "g_ada"),)


def test_other_signals_are_refused(chat: ChatKind) -> None:
    """Chat says which signal it knows."""
    accepted = chat.accept(ADA, ROOM, Event("wave", None, signal=True))
    assert "typing" in why(accepted)


async def test_a_room_has_a_name_in_small_letters(chat: ChatKind) -> None:
    """Everybody may do everything in one; a ticker's code is no room."""
    for action in Action:
        await chat.authorize(ADA, ROOM, action)
    with pytest.raises(Refusal) as refused:
        await chat.authorize(ADA, "chat:ACME", Action.SUBSCRIBE)
    assert refused.value.error == UNKNOWN_CHANNEL


def test_chat_promises_what_an_acknowledgement_means(chat: ChatKind) -> None:
    """Durable, with the newest fifty for who comes anew, and no state of its own."""
    assert chat.policy.keep is Keep.DURABLE
    assert chat.policy.recent == 50
    publication = Publication(ROOM, Position("e", 1), "message", {}, ADA, NOW_MS)
    assert chat.fold(publication) is publication
    chat.forget(ROOM)
