from __future__ import annotations

import pytest

from server.kinds.chat.rows import PREVIEW_CHARS, preview


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("  two\n\n words\t", "two words"),
        ("x" * PREVIEW_CHARS, "x" * PREVIEW_CHARS),
        ("x" * 70_000, "x" * (PREVIEW_CHARS - 1) + "\N{HORIZONTAL ELLIPSIS}"),
        (" \N{GRINNING FACE}", "\N{GRINNING FACE}"),
    ],
)
def test_a_preview_is_one_short_line(text: str, shown: str) -> None:
    """White space becomes one space, and what is cut off ends in an ellipsis."""
    assert preview(text) == shown
