"""What a server brings along is not doubled by clients who kept it."""

from __future__ import annotations

from server.kinds.notes.document import Applied, Duplicate, NoteDocument
from server.kinds.notes.seed import seed

TEXT = "# Welcome\n\n😀"


def test_a_note_brought_along_twice_is_there_once() -> None:
    """A client that kept the note of the server before merges into the same text."""
    kept = NoteDocument([seed(TEXT)])
    edit = kept.replace(2, 9, "Hello")
    again = NoteDocument([seed(TEXT)])
    assert isinstance(again.apply(seed(TEXT)), Duplicate)
    assert isinstance(again.apply(edit), Applied)
    assert again.text() == kept.text() == "# Hello\n\n😀"


def test_another_text_is_another_update() -> None:
    """Units of two texts never share a name: that would corrupt whoever has both."""
    both = NoteDocument([seed(TEXT)])
    assert isinstance(both.apply(seed("other ")), Applied)
    assert sorted(both.text()) == sorted(TEXT + "other ")
