from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.kinds.notes.changes import apply_changes, changes_between, read_delta


@given(st.text(), st.text())
def test_changes_between_lead_there(before: str, after: str) -> None:
    """The one change turns the text before into the text after."""
    changes = changes_between(before, after)
    assert apply_changes(before, changes) == after
    assert (changes == ()) is (before == after)


def test_changes_between_is_narrow() -> None:
    """What is alike at both ends is left alone, without counting a letter twice."""
    assert changes_between("aa", "aaa") == ((2, 0, "a"),)
    assert changes_between("x😀y", "x😁y") == ((1, 1, "😁"),)


def test_delta_counts_bytes_and_changes_count_code_points() -> None:
    """In pycrdt retains and deletes are UTF-8 bytes; a replacement is one change."""
    delta: list[dict[str, object]] = [
        {"insert": "漢"},
        {"retain": 3},
        {"delete": 4},
        {"insert": "x"},
        {"retain": 1},
        {"insert": "!"},
    ]
    assert read_delta(delta, "aé😀bc", "漢aéxb!c") == (
        (0, 0, "漢"),
        (2, 1, "x"),
        (4, 0, "!"),
    )


def test_a_delta_that_misleads_gives_way() -> None:
    """An offset within a character, or a wrong sum, falls back to the texts."""
    cut: list[dict[str, object]] = [{"retain": 1}, {"insert": "x"}]
    assert read_delta(cut, "éa", "éxa") == ((1, 0, "x"),)
    embed: list[dict[str, object]] = [{"insert": {"img": 1}}, {"retain": 2}]
    assert read_delta(embed, "ab", "ab") == ()
    assert read_delta([{"retain": 1}, {"delete": 1}], "abc", "bc") == ((0, 1, ""),)
