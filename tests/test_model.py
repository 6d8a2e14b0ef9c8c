from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal
from server.model import MAX_OFFSET, Position, check_key, split_channel

EPOCHS = st.from_regex(r"[A-Za-z0-9]{1,16}", fullmatch=True)


@given(EPOCHS, st.integers(0, MAX_OFFSET))
def test_a_position_is_read_as_it_was_written(epoch: str, offset: int) -> None:
    """Opaque to clients, exact for us."""
    position = Position(epoch, offset)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e",
        "e.",
        ".1",
        "e.01",
        "e.-1",
        "e.1 ",
        "e.1\n",
        "e.1.2",
        "e .1",
        "e.\u0661",
        f"e.{MAX_OFFSET + 1}",
        "e" * 17 + ".1",
        "e.99999999999999999999",
    ],
)
def test_what_is_no_position_is_refused(text: str) -> None:
    """As a bad request."""
    with pytest.raises(Refusal) as refused:
        Position.parse(text)
    assert refused.value.error.code == BAD_REQUEST.code


@given(st.text())
def test_reading_a_position_raises_nothing_else(text: str) -> None:
    """Whatever comes."""
    try:
        Position.parse(text)
    except Refusal:
        return


@pytest.mark.parametrize(
    ("channel", "kind", "name"),
    [
        ("chat:lobby", "chat", "lobby"),
        ("open:lab-g_1.x", "open", "lab-g_1.x"),
        ("ticker:ACME", "ticker", "ACME"),
        ("ticker:BRK.B", "ticker", "BRK.B"),
        ("a_1:" + "x" * 64, "a_1", "x" * 64),
    ],
)
def test_a_channel_is_a_kind_and_a_name(channel: str, kind: str, name: str) -> None:
    """Lower case, but for symbols."""
    assert split_channel(channel) == (kind, name)


@pytest.mark.parametrize(
    "channel",
    [
        "",
        "chat",
        "chat:",
        ":x",
        "Chat:x",
        "chat:a b",
        "chat:a/b",
        "chat:Ab",
        "chat:a\n",
        "chat:\u00e9",
        "chat:a\0",
        "chat:" + "x" * 65,
        "x" * 17 + ":a",
        "ticker:" + "A" * 17,
        "1a:x",
    ],
)
def test_what_is_no_channel_is_unknown(channel: str) -> None:
    """Not a bad request: it is a name that nobody has."""
    with pytest.raises(Refusal) as refused:
        split_channel(channel)
    assert refused.value.error is UNKNOWN_CHANNEL


@given(st.text(max_size=70))
def test_a_key_is_visible_ascii(key: str) -> None:
    """1 to 64 of it; all else is refused."""
    if 1 <= len(key) <= 64 and all("!" <= each <= "~" for each in key):
        assert check_key(key) == key
        return
    with pytest.raises(Refusal) as refused:
        check_key(key)
    assert refused.value.error.code == BAD_REQUEST.code
