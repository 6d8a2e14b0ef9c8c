from __future__ import annotations

import pytest

from server.errors import PERMISSION_DENIED
from server.gateways.native.text import TEXT
from server.model import (
    Done,
    Failed,
    Gap,
    HistoryPage,
    Joined,
    Left,
    Member,
    Outbound,
    Position,
    PresenceList,
    Principal,
    Publication,
    Published,
    Reset,
    Signal,
    Standing,
    Subscribed,
)

ANN = Principal("u_1", "Ann")
AT = Position("e", 3)
ROOM = "open:a"

EVERYTHING: list[Outbound] = [
    Publication(ROOM, AT, "message", {"text": "hi"}, ANN, 5),
    Signal(ROOM, "typing", True, ANN, 5),
    Joined(ROOM, ANN, 1),
    Left(ROOM, ANN, 0),
    Gap(ROOM, 1, 0),
    Reset(ROOM, AT),
    Standing(live=False),
    Subscribed(1, ROOM, AT, True, (), {"a": 1}, (), (Member(ANN, 1),), False),
    Published(1, ROOM, AT, False, "k"),
    HistoryPage(1, ROOM, (), AT),
    PresenceList(1, ROOM, (), 0),
    Done(1, ROOM),
    Failed(1, ROOM, PERMISSION_DENIED, "k"),
]


@pytest.mark.parametrize("outbound", EVERYTHING, ids=lambda each: type(each).__name__)
def test_plain_text_shows_messages_and_little_else(outbound: Outbound) -> None:
    """A greeting, what people say, and why something was not sent."""
    frame = TEXT.encode(outbound)
    line = None if frame is None else frame[2:].decode()
    match outbound:
        case Publication():
            assert line == "Ann: hi"
        case Subscribed():
            assert line == "Welcome to a. What you send, everybody here gets."
        case Failed():
            assert line == "Not sent: permission denied"
        case _:
            assert line is None


def test_plain_text_shows_only_messages_with_a_text() -> None:
    """And calls the server by its name."""
    said = Publication(ROOM, AT, "message", {"text": "hi"}, None, 5)
    assert TEXT.encode(said) == b"\x81\x0aServer: hi"
    assert TEXT.encode(Publication(ROOM, AT, "message", "hi", None, 5)) is None
    assert TEXT.encode(Publication(ROOM, AT, "edit", {"text": "hi"}, None, 5)) is None
