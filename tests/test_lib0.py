from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.lib0 import (
    MAX_VAR_UINT,
    Lib0Error,
    Reader,
    var_bytes,
    var_string,
    var_uint,
)


@given(st.integers(0, MAX_VAR_UINT))
def test_var_uint_round_trip(number: int) -> None:
    """Every number that JavaScript holds exactly comes back, and nothing is left."""
    reader = Reader(var_uint(number))
    assert reader.var_uint() == number
    reader.finish()


@given(st.text())
def test_var_string_counts_bytes(text: str) -> None:
    """A text's length on the wire is that of its UTF-8, and it comes back."""
    encoded = var_string(text)
    assert Reader(encoded).var_uint() == len(text.encode())
    assert Reader(encoded).var_string() == text


@given(st.binary())
def test_var_bytes_round_trip(value: bytes) -> None:
    """Bytes come back."""
    assert Reader(var_bytes(value)).var_bytes() == value


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (2**32, "8080808010"),
        (MAX_VAR_UINT, "ffffffffffffff0f"),
    ],
)
def test_var_uint_as_lib0_writes_it(number: int, encoded: str) -> None:
    """The spelling is lib0's: low groups first, the high bit says that more follow."""
    assert var_uint(number).hex() == encoded


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "too early"),
        ("80", "too early"),
        ("8000", "longer than it needs"),
        ("ff8000", "longer than it needs"),
        ("ffffffffffffff1f", "larger than"),
        ("ffffffffffffffff01", r"2\^53"),
        ("80808080808080808001", r"2\^53"),
    ],
)
def test_bad_numbers_are_refused(encoded: str, reason: str) -> None:
    """Cut, overlong and too large numbers are refused, each in its words."""
    with pytest.raises(Lib0Error, match=reason):
        Reader(bytes.fromhex(encoded)).var_uint()


def test_limits_hold() -> None:
    """A caller's limit is part of the reading."""
    assert Reader(b"\x05").var_uint(5) == 5
    with pytest.raises(Lib0Error, match="6 is larger than 5"):
        Reader(b"\x06").var_uint(5)


@pytest.mark.parametrize("encoded", ["0161ff", "02c3", "01ff", "03eda080"])
def test_bad_texts_are_refused(encoded: str) -> None:
    """Lengths beyond the end, bad UTF-8, encoded surrogates and leftovers raise."""

    def read() -> None:
        reader = Reader(bytes.fromhex(encoded))
        reader.var_string()
        reader.finish()

    with pytest.raises(Lib0Error):
        read()


def test_unwritable_values_are_refused() -> None:
    """What could not be read back is not written."""
    with pytest.raises(Lib0Error, match="varUint"):
        var_uint(-1)
    with pytest.raises(Lib0Error, match="varUint"):
        var_uint(MAX_VAR_UINT + 1)
    with pytest.raises(Lib0Error, match="surrogate"):
        var_string("\ud83d")


@given(st.binary(max_size=40))
def test_any_bytes_raise_nothing_else(encoded: bytes) -> None:
    """Whatever comes, the reader gives a value or a Lib0Error, and never goes back."""
    for read in (Reader.var_uint, Reader.var_bytes, Reader.var_string, Reader.byte):
        reader = Reader(encoded)
        with contextlib.suppress(Lib0Error):
            read(reader)
        assert 0 <= reader.position <= len(encoded)
