from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from server.errors import BAD_REQUEST, Refusal
from server.gateways.door import MAX_DEPTH, check_text, decode_json
from server.model import JSON

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_good_json_comes_through_as_it_is(value: JSON) -> None:
    """Escaped or not."""
    assert decode_json(json.dumps(value).encode()) == value
    assert decode_json(json.dumps(value, ensure_ascii=False).encode()) == value


def reason(frame: bytes) -> str:
    """Why a frame is refused."""
    with pytest.raises(Refusal) as refused:
        decode_json(frame)
    assert refused.value.error.code == BAD_REQUEST.code
    return refused.value.error.message.removeprefix("bad request: ")


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"{'a':1}",
        b"[1,]",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'"raw \x00"',
        b'"raw \n"',
        b"01",
        b"[] []",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_no_json_is_refused(frame: bytes) -> None:
    """NaN and infinities are none, nor is what is not UTF-8."""
    assert reason(frame) == "not JSON"


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (2**63 - 1, True),
        (-(2**63), True),
        (2**63, False),
        (-(2**63) - 1, False),
        (2**64, False),
        (10**400, False),
    ],
)
@pytest.mark.parametrize("shape", ["%d", "[%d]", '{"a":{"b":[%d]}}', '{"a":%d }'])
def test_integers_have_64_bits(number: int, taken: bool, shape: str) -> None:  # noqa: FBT001 - the parameter
    """Wherever they stand."""
    frame = (shape % number).encode()
    if taken:
        decode_json(frame)
    else:
        assert reason(frame) in ("integer out of range", "not JSON")


@pytest.mark.parametrize(
    "shape", ['"%s"', '["%s"]', '{"%s":1}', '{"a":[{"b":"x%sy"}]}']
)
@pytest.mark.parametrize("poison", ["\\u0000", "\\ud800", "\\udc00x", "\\udc00\\ud800"])
def test_poison_in_texts_is_refused(shape: str, poison: str) -> None:
    """In values and names, however short."""
    reason((shape % poison).encode())


def test_a_pair_of_surrogates_is_a_character() -> None:
    """As JSON escapes it."""
    assert decode_json(b'"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")]
)
def test_depth_is_bounded(opening: str, closing: str) -> None:
    """Thirty-two is taken, thirty-three is not."""
    of_each = 2 if opening.startswith("[{") else 1
    most = MAX_DEPTH // of_each
    decode_json((opening * most + "1" + closing * most).encode())
    deep = "[" + opening * most + "1" + closing * most + "]"
    assert reason(deep.encode()) == "nested deeper than 32"
    assert reason((opening * 20_000).encode()) == "nested deeper than 32"


def test_brackets_in_texts_are_no_depth() -> None:
    """Nor is width."""
    for value in ('[[[["{{{{' * 50, ["\\[" * 50, '"[' * 50], [[1]] * 50):
        assert decode_json(json.dumps(value).encode()) == value


@given(st.binary())
@example(b'"' + b"[" * 40)
@example(b"]" * 40 + b"[" * 40)
@example(b'"\\' + b"[" * 40)
def test_nothing_else_is_raised(frame: bytes) -> None:
    """Whatever comes."""
    try:
        found = decode_json(frame)
    except Refusal:
        return
    assert not isinstance(found, float) or math.isfinite(found)
    json.dumps(found).encode()


@given(st.text(st.characters()))
def test_a_text_that_passes_can_be_kept(text: str) -> None:
    """It is UTF-8 without U+0000."""
    try:
        assert check_text(text) == text
    except Refusal:
        poison = "\0" in text or any("\ud800" <= each <= "\udfff" for each in text)
        assert poison
        return
    assert b"\0" not in text.encode()
