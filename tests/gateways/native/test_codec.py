from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.errors import BAD_REQUEST
from server.gateways.commands import MAX_ID, Rejected, command_of
from server.gateways.native.codec import NATIVE, decode
from server.model import (
    Command,
    Difference,
    Done,
    Event,
    Failed,
    Gap,
    History,
    Outbound,
    Ping,
    Position,
    Presence,
    Principal,
    Publication,
    Publish,
    Published,
    Reset,
    Signal,
    Standing,
    Subscribe,
    Subscribed,
    Unsubscribe,
)

ANN = Principal("u_1", "Ann")
AT = Position("e", 3)
ROOM = "open:a"


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        ({"type": "ping"}, Ping(None)),
        ({"type": "ping", "id": MAX_ID}, Ping(MAX_ID)),
        (
            {"type": "subscribe", "since": "e.3", "presence": True, "id": 1},
            Subscribe(1, ROOM, AT, presence=True),
        ),
        ({"type": "subscribe", "channel": "chat:b"}, Subscribe(None, "chat:b")),
        ({"type": "unsubscribe"}, Unsubscribe(None, ROOM)),
        ({"type": "publish"}, Publish(None, ROOM, Event("message", None))),
        (
            {"type": "publish", "event": "e", "data": [1], "key": "k"},
            Publish(None, ROOM, Event("e", [1], "k")),
        ),
        (
            {"type": "signal", "event": "e", "data": 1},
            Publish(None, ROOM, Event("e", 1, None, signal=True)),
        ),
        ({"type": "history"}, History(None, ROOM)),
        (
            {"type": "history", "before": "e.3", "limit": 7},
            History(None, ROOM, before=AT, limit=7),
        ),
        ({"type": "history", "after": "e.3"}, History(None, ROOM, after=AT)),
        ({"type": "presence", "more": {"x": 1}}, Presence(None, ROOM)),
    ],
)
def test_a_frame_is_a_command(frame: dict[str, object], command: Command) -> None:
    """The route's channel is taken where none is named; unknown fields are ignored."""
    assert decode(json.dumps(frame).encode(), ROOM) == command


def test_what_can_be_read_of_a_bad_frame_is_echoed() -> None:
    """Its id, channel and key, and nothing that is not what it should be."""
    with pytest.raises(Rejected) as rejected:
        command_of({"type": "publish", "id": 7, "channel": "x:y", "key": 5})
    failed = rejected.value.failed
    assert (failed.id, failed.channel, failed.key) == (7, "x:y", None)
    for bad in (0, -1, MAX_ID + 1, True, "7", 1.5, None):
        with pytest.raises(Rejected) as rejected:
            command_of({"id": bad, "channel": 1, "key": "k"})
        assert rejected.value.failed.id is None
        assert rejected.value.failed.channel is None


GOOD = [
    {"type": "subscribe", "channel": ROOM, "since": "e.3", "presence": True, "id": 1},
    {"type": "publish", "channel": ROOM, "event": "e", "data": {"a": [1]}, "key": "k"},
    {"type": "history", "channel": ROOM, "before": "e.3", "limit": 5, "id": 2},
]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def failure(frame: bytes) -> Failed | None:
    """What is answered to a frame that is no command; nothing else may be raised."""
    try:
        decode(frame)
    except Rejected as rejected:
        return rejected.failed
    return None


@given(st.binary())
@example(b'{"type":"history","channel":"a","limit":1e300}')
@example(b'{"type":"ping","id":1e300}')
@example(b'{"type":"ping","id":1.0}')
def test_any_bytes_are_a_command_or_rejected(frame: bytes) -> None:
    """Nothing else is raised."""
    failed = failure(frame)
    assert failed is None or NATIVE.encode(failed) is not None


@given(
    st.sampled_from(GOOD),
    st.dictionaries(st.sampled_from(["type", "id", "channel", "since", "key"]), LEAVES),
    st.dictionaries(st.sampled_from(["limit", "event", "data", "presence"]), LEAVES),
)
def test_any_fields_are_a_command_or_rejected(
    frame: dict[str, object], some: dict[str, object], others: dict[str, object]
) -> None:
    """Whatever stands in them; what is answered can be written down."""
    failed = failure(json.dumps(frame | some | others).encode())
    if failed is not None:
        assert failed.error.code == BAD_REQUEST.code
        assert NATIVE.encode(failed) is not None


@given(st.sampled_from(GOOD), st.data())
def test_a_mutated_frame_is_a_command_or_rejected(
    good: dict[str, object], drawn: st.DataObject
) -> None:
    """A byte changed, lost, or put in."""
    frame = bytearray(json.dumps(good).encode())
    for _ in range(drawn.draw(st.integers(1, 4))):
        at = drawn.draw(st.integers(0, len(frame) - 1))
        frame[at : at + drawn.draw(st.integers(0, 2))] = drawn.draw(
            st.binary(max_size=2)
        )
        if not frame:
            break
    failure(bytes(frame))


def words(outbound: Outbound) -> object:
    """What the native wire says."""
    frame = NATIVE.encode(outbound)
    if frame is None:
        return None
    assert frame[0] == 0x81
    return json.loads(frame[2:] if frame[1] < 126 else frame[4:])


def test_bytes_are_shown_as_their_kind_shows_them() -> None:
    """A binary publication has its `shown` as data; a state for Yjs is not told."""
    publication = Publication(ROOM, AT, "change", b"\0", None, 5, shown={"text": "x"})
    told = words(publication)
    assert told == {
        "type": "event",
        "channel": ROOM,
        "event": "change",
        "data": {"text": "x"},
        "position": "e.3",
        "time": 5,
    }
    reply = Subscribed(None, ROOM, AT, False, (), Difference(b"", b""), (), None, True)
    assert words(reply) == {
        "type": "reply",
        "channel": ROOM,
        "position": "e.3",
        "recovered": False,
        "publications": [],
        "signals": [],
        "durable": True,
    }


def test_a_retained_signal_that_fell_has_no_data() -> None:
    """Its key says which it was."""
    signal = Signal(ROOM, "cursor", {"at": 1}, ANN, 5, "k", True, "c_1", True)
    assert words(signal) == {
        "type": "event",
        "channel": ROOM,
        "event": "cursor",
        "data": None,
        "from": {"id": "u_1", "name": "Ann"},
        "time": 5,
        "key": "k",
    }


def test_gaps_and_resets_are_told() -> None:
    """With their counts, and where the new stream begins."""
    assert words(Gap(ROOM, 2, 3)) == {
        "type": "gap",
        "channel": ROOM,
        "skipped": 2,
        "merged": 3,
    }
    assert words(Reset(ROOM, AT)) == {
        "type": "reset",
        "channel": ROOM,
        "position": "e.3",
    }


def test_it_is_told_whether_the_server_is_whole() -> None:
    """By a frame of no channel: it is said of all of them."""
    assert words(Standing(False)) == {"type": "status", "live": False}
    assert words(Standing(True)) == {"type": "status", "live": True}


def test_what_nobody_asked_for_is_not_acknowledged() -> None:
    """Without an id only failures are told; a ping is answered all the same."""
    assert words(Published(None, ROOM, AT, True)) is None
    assert words(Done(None, ROOM)) is None
    assert words(Done(None)) == {"type": "pong"}
    assert words(Published(1, ROOM, None, True)) == {
        "type": "reply",
        "id": 1,
        "channel": ROOM,
        "durable": True,
    }
