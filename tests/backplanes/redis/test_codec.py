"""Frames: what was said comes back, and what strangers say harms nobody."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.backplanes.redis.codec import (
    Undecodable,
    decode,
    decode_card,
    decode_order,
    encode,
    encode_card,
    encode_order,
)
from server.errors import FORCED, Refusal
from server.model import (
    MAX_OFFSET,
    Attendance,
    Position,
    Principal,
    Publication,
    Signal,
)
from server.seams.backplane import SendAway
from tests.backplanes.redis.nodes import ANN, ROOM

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(0, 2**63 - 1)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=10,
)
PEOPLE = st.builds(Principal, TEXT, TEXT)
POSITIONS = st.builds(
    Position, st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True), NUMBERS
).filter(lambda at: at.offset <= MAX_OFFSET)
PUBLICATIONS = st.builds(
    Publication,
    channel=st.just(ROOM),
    position=POSITIONS,
    event=TEXT,
    content=JSONS | st.binary(max_size=50),
    author=st.none() | PEOPLE,
    time_ms=NUMBERS,
    key=st.none() | TEXT,
    shown=st.none(),
)
SIGNALS = st.builds(
    Signal,
    channel=st.just(ROOM),
    event=TEXT,
    content=JSONS,
    author=st.none() | PEOPLE,
    time_ms=NUMBERS,
    key=st.none() | TEXT,
    retained=st.booleans(),
    owner=st.none() | TEXT,
    fell=st.booleans(),
    node=st.none() | TEXT,
    stamp=NUMBERS,
)
ATTENDANCES = st.builds(
    Attendance,
    channel=st.just(ROOM),
    node=TEXT,
    user=PEOPLE,
    sessions=NUMBERS,
    stamp=NUMBERS,
)


@given(PUBLICATIONS | SIGNALS | ATTENDANCES)
def test_what_is_said_comes_back(said: Publication | Signal | Attendance) -> None:
    """Field by field."""
    assert decode(ROOM, encode(said)) == said


@given(st.binary() | st.binary().map(lambda rest: b"pe.1:" + rest))
def test_what_strangers_say_is_undecodable(frame: bytes) -> None:
    """Or happens to be well formed; nothing else is raised."""
    for read in (lambda: decode(ROOM, frame), lambda: decode_order(frame)):
        with suppress(Undecodable):
            read()


@pytest.mark.parametrize(
    "said",
    [
        Signal(ROOM, "\ud800", None, None, 0),
        Signal(ROOM, "said", "\ud800", None, 0),
        Signal(ROOM, "said", None, Principal("u_x", "\udfff"), 0),
        Publication(ROOM, Position("e", 1), "said", {1: object()}, ANN, 0),  # type: ignore[dict-item]
    ],
)
def test_what_is_no_text_cannot_be_sent(said: Signal | Publication) -> None:
    """It is refused, for ever."""
    with pytest.raises(Refusal, match="cannot be sent") as refused:
        encode(said)
    assert not refused.value.error.temporary


def test_orders_and_cards_come_back() -> None:
    """What is no card is none."""
    order = SendAway("u_ann", FORCED)
    assert decode_order(encode_order(order)) == order
    assert decode_card(encode_card({"a": [1]})) == {"a": [1]}
    assert decode_card(b"\xff") is None
