from __future__ import annotations

import pytest

from server.gateways.socketio import speech
from server.gateways.socketio.packets import MAX_ATTACHMENTS
from tests.gateways.socketio.talk import packets_of

HOLE = '{"_placeholder":true,"num":%d}'


@pytest.mark.parametrize(
    ("frames", "packets"),
    [
        (speech.connect("/", {"sid": "a"}), ['0{"sid":"a"}']),
        (speech.connect("/chat", {"sid": "a"}), ['0/chat,{"sid":"a"}']),
        (speech.connect_error("/x", {"message": "no"}), ['4/x,{"message":"no"}']),
        (speech.disconnect("/"), ["1"]),
        (speech.disconnect("/chat"), ["1/chat,"]),
        (speech.event("/", ("x", 1)), ['2["x",1]']),
        (speech.event("/chat", ("x",), 0), ['2/chat,0["x"]']),
        (speech.ack("/", 0, ()), ["30[]"]),
        (speech.ack("/chat", 7, (None,)), ["3/chat,7[null]"]),
        (speech.event("/", ("x", b"b")), [f'51-["x",{HOLE % 0}]', b"b"]),
        (
            speech.ack("/a", 7, ({"k": [b"0"]}, bytearray(b"1"))),
            [f'62-/a,7[{{"k":[{HOLE % 0}]}},{HOLE % 1}]', b"0", b"1"],
        ),
    ],
)
def test_packets_are_written(frames: bytes, packets: list[str | bytes]) -> None:
    """As the specification writes them, each in a frame of its own."""
    assert packets_of(frames) == packets


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", *[b""] * (MAX_ATTACHMENTS + 1)),
        ("x", b"", {"_placeholder": True, "num": 0}),
        ("x", object()),
        ("x", "\ud800"),
    ],
    ids=["too many", "a false placeholder", "no JSON", "a lone surrogate"],
)
def test_what_no_client_could_read_is_not_written(
    arguments: tuple[object, ...],
) -> None:
    """The application is told at once."""
    with pytest.raises((ValueError, TypeError)):
        speech.event("/", arguments)
