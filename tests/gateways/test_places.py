from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Refusal
from server.gateways.places import MAX_PLACES, read_places, write_places
from server.model import MAX_OFFSET, Position

CHANNELS = st.from_regex(r"[a-z][a-z0-9_]{0,15}:[a-z0-9._-]{1,64}", fullmatch=True)
POSITIONS = st.builds(
    Position,
    st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True),
    st.integers(0, MAX_OFFSET),
)


@given(st.dictionaries(CHANNELS, POSITIONS, max_size=MAX_PLACES))
def test_what_is_written_is_read_again(places: dict[str, Position]) -> None:
    """In the same order, whatever the channels are called."""
    read = read_places(write_places(places))
    assert list(read.items()) == list(places.items())


@pytest.mark.parametrize(
    "text",
    [
        "chat:lobby",
        "chat:lobby=",
        "chat:lobby=e.1,",
        ",chat:lobby=e.1",
        "chat:lobby=e.1,chat:lobby=e.2",
        "lobby=e.1",
        "chat:lobby=e.01",
        "chat:lobby=e.1=e.1",
        "chat:lobby=e.1;chat:other=e.1",
        "=e.1",
        ",".join(f"open:r{n}=e.1" for n in range(MAX_PLACES + 1)),
        "," * 100_000,
    ],
)
def test_what_was_never_written_is_refused(text: str) -> None:
    """It comes from clients, who may send anything."""
    with pytest.raises(Refusal):
        read_places(text)


def test_no_channel_is_an_empty_string() -> None:
    """And the other way round."""
    assert write_places({}) == ""
    assert read_places("") == {}
