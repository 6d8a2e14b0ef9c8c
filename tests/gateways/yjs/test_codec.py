from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.gateways.yjs import codec
from server.gateways.yjs.codec import (
    Awareness,
    AwarenessEntry,
    FrameError,
    Message,
    QueryAwareness,
    SaveRequest,
    SyncStep1,
    SyncStep2,
    Update,
    decode,
)
from server.lib0 import MAX_VAR_UINT, var_bytes, var_string, var_uint

TYPED_A = bytes.fromhex("01010100040107636f6e74656e74016100")

numbers = st.integers(0, MAX_VAR_UINT)
plain_text = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain_text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner, max_size=3)
    ),
    max_leaves=8,
)
states = st.none() | st.dictionaries(plain_text, values, max_size=4).map(
    lambda state: json.dumps(state, ensure_ascii=False, separators=(",", ":"))
)
entries = st.builds(AwarenessEntry, numbers, numbers, states)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(SyncStep1, st.binary()),
    st.builds(SyncStep2, st.binary()),
    st.builds(Update, st.binary()),
    st.builds(
        Awareness,
        st.lists(entries, max_size=3, unique_by=lambda e: e.client).map(tuple),
    ),
    st.just(QueryAwareness()),
    st.builds(SaveRequest, numbers),
)


def encode(message: Message) -> bytes:
    """Write any message, as its sender would."""
    match message:
        case SyncStep1(state_vector):
            return codec.sync_step1(state_vector)
        case SyncStep2(update):
            return codec.sync_step2(update)
        case Update(update):
            return codec.update(update)
        case Awareness(some):
            return codec.awareness(some)
        case QueryAwareness():
            return codec.query_awareness()
        case SaveRequest(number):
            return codec.saved(number)


def awareness_frame(*states: str, clients: list[int] | None = None) -> bytes:
    """Write awareness of states that may be no JSON at all."""
    ids = clients or list(range(len(states)))
    parts = [
        var_uint(client) + var_uint(1) + var_bytes(state.encode())
        for client, state in zip(ids, states, strict=True)
    ]
    return b"\x01" + var_bytes(var_uint(len(parts)) + b"".join(parts))


@given(messages)
def test_round_trip(message: Message) -> None:
    """What one side writes the other reads."""
    assert decode(encode(message)) == (message,)


@given(st.lists(messages, min_size=1, max_size=5))
def test_several_messages_in_a_frame(several: list[Message]) -> None:
    """A frame may hold several messages, read in their order."""
    frame = b"".join(map(encode, several))
    assert decode(frame, max_awareness_entries=99) == tuple(several)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        # Made in Node with y-protocols 1.0.7: writeSyncStep1, writeSyncStep2 and
        # writeUpdate of a Y.Doc with clientID 1 and getText("content") = "a", and
        # encodeAwarenessUpdate after setLocalState({user: "é"}).
        ("000003010101", SyncStep1(bytes.fromhex("010101"))),
        ("00011101010100040107636f6e74656e74016100", SyncStep2(TYPED_A)),
        ("00021101010100040107636f6e74656e74016100", Update(TYPED_A)),
        (
            "01110101010d7b2275736572223a22c3a9227d",
            Awareness((AwarenessEntry(1, 1, '{"user":"é"}'),)),
        ),
        ("0108010102046e756c6c", Awareness((AwarenessEntry(1, 2, None),))),
        ("6605", SaveRequest(5)),
        ("03", QueryAwareness()),
    ],
)
def test_frames_as_stock_clients_write_them(frame: str, message: Message) -> None:
    """The bytes are those of the protocol, number by number, both ways."""
    assert decode(bytes.fromhex(frame)) == (message,)
    assert encode(message).hex() == frame


def test_server_frames() -> None:
    """A refusal is auth 0 with its reason; a departure is the state null."""
    assert codec.denied("no").hex() == "0200026e6f"
    assert codec.awareness([AwarenessEntry(3, 4, None)]).hex() == "0108010304046e756c6c"
    assert codec.saved(300).hex() == "66ac02"
    assert codec.standing(live=True).hex() == "6701"
    assert codec.standing(live=False).hex() == "6700"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "too early"),
        (b"\x00", "too early"),
        (b"\x00\x03\x00", "unknown sync message type 3"),
        (b"\x04", "unknown message type 4"),
        (b"\x63\x00", "unknown message type 99"),
        (b"\x02\x00\x00", "auth messages come from the server only"),
        (b"\x67\x01", "standing messages come from the server only"),
        (b"\x00\x02\x05ab", "larger than the bytes"),
        (b"\x03" * 65, "at most 64 messages"),
        (b"\x01\x02\x00\x00", "left over"),
        (b"\x01\x01\x11", "17 awareness entries are more than 16"),
        (awareness_frame("{}", "{}", clients=[5, 5]), "named twice"),
        (awareness_frame('"text"'), "neither an object nor null"),
        (awareness_frame("[]"), "neither an object nor null"),
        (awareness_frame(""), "not JSON"),
        (awareness_frame('{"a":NaN}'), "not JSON"),
        (awareness_frame('{"a":1e999}'), "not JSON"),
        (awareness_frame('{"a":"\\ud800"}'), "not JSON"),
        (awareness_frame('{"a":"\\udc00x"}'), "not JSON"),
        (awareness_frame('{"a":"\\u0000"}'), "U\\+0000"),
        (awareness_frame('{"\\u0000":1}'), "U\\+0000"),
        (awareness_frame('{"a":' + "9" * 30 + "}"), "huge number"),
        (awareness_frame('{"a":' + "[" * 32 + "]" * 32 + "}"), "deeper than 32"),
        (awareness_frame('{"a":' + "[" * 2000 + "]" * 2000 + "}"), "not JSON|deeper"),
        (awareness_frame('{"a":"' + "x" * 4096 + '"}'), "larger than 4096 bytes"),
    ],
)
def test_bad_frames_are_refused_by_name(frame: bytes, reason: str) -> None:
    """Each offence has its sentence."""
    with pytest.raises(FrameError, match=reason):
        decode(frame)


def test_the_bounds_can_be_set() -> None:
    """Entries are counted for the whole frame, states are measured in bytes."""
    two = awareness_frame("{}") + awareness_frame("{}")
    assert len(decode(two, max_awareness_entries=2)) == 2
    with pytest.raises(FrameError, match="more than 0"):
        decode(two, max_awareness_entries=1)
    with pytest.raises(FrameError, match="larger than 1 bytes"):
        decode(two, max_awareness_state_bytes=1)


def test_awareness_is_encoded_anew() -> None:
    """Blanks, escapes and doubled keys do not travel on."""
    (message,) = decode(awareness_frame(' { "a" : "\\u00e9", "b":1, "b":2 } ', "null"))
    assert message == Awareness(
        (AwarenessEntry(0, 1, '{"a":"é","b":2}'), AwarenessEntry(1, 1, None))
    )


def test_a_lone_surrogate_is_not_written() -> None:
    """A reason that is no Unicode fails at its author, not in a browser."""
    with pytest.raises(ValueError, match="surrogate"):
        codec.denied("\ud800")


@given(messages, st.data())
def test_mutated_frames_raise_frame_errors_only(
    message: Message, data: st.DataObject
) -> None:
    """A cut or changed frame is read or refused; it never breaks the reader."""
    frame = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    for bad in (bytes(frame), bytes(frame[:cut])):
        with contextlib.suppress(FrameError):
            decode(bad)


@given(st.binary(max_size=64))
@example(b"\x01\x05\xff\xff\xff\xff\x0f")
@example(var_uint(102) + var_string("x"))
def test_any_bytes_raise_frame_errors_only(frame: bytes) -> None:
    """Noise is read or refused."""
    with contextlib.suppress(FrameError):
        decode(frame)
