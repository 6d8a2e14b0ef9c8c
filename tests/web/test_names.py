"""Names: what can be one, and the mark that goes with it."""

from __future__ import annotations

import json
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import BAD_REQUEST, Refusal
from server.web.names import check_name, guest_name, hue, initials
from tests.machine import node

PERSON_JS = Path(__file__).resolve().parents[2] / "static" / "js" / "person.js"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada", "Ada"),
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Ada\u00a0Lovelace", "Ada Lovelace"),
        ("e\u0301", "\u00e9"),
        ("\u05d0\u05d1\u05d2", "\u05d0\u05d1\u05d2"),
        ("\u674e\u96f7", "\u674e\u96f7"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\u2764\ufe0f\u200d\U0001f525", "\u2764\ufe0f\u200d\U0001f525"),
        (
            "\U0001f469\U0001f3fd\u200d\U0001f680",
            "\U0001f469\U0001f3fd\u200d\U0001f680",
        ),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_name_is_kept_in_one_form(text: str, name: str) -> None:
    """NFC and single spaces; any script; it is text, so markup is harmless in it."""
    assert check_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 41,
        "x" * 1_000_000,
        "a\0b",
        "a\nb",
        "a\tb",
        "a\x1b[31mb",
        "a\x85b",
        "a\u202eb",
        "a\u2066b",
        "a\u200fb",
        "a\u200bb",
        "a\ufeffb",
        "a\u2028b",
        "a\u200db",
        "\u200d\U0001f680",
        "\U0001f680\u200d",
        "a\ud800",
        "\ue000",
        "a\uffff",
        "a\ufdd0",
        "\u3164",
        "\u2800\u2800",
        "a\U000e0041",
        "Z" + "\u0301" * 9,
        "\u0336",
    ],
    ids=lambda text: f"{len(text)} {text[:12]!a}",
)
def test_what_hides_or_reorders_text_is_no_name(text: str) -> None:
    """Refused with a sentence that the page shows."""
    with pytest.raises(Refusal) as refusal:
        check_name(text)
    assert refusal.value.error.code == BAD_REQUEST.code
    assert refusal.value.error.message.startswith("A name ")


@given(st.text(max_size=60))
def test_a_name_that_was_taken_is_taken_again(text: str) -> None:
    """Otherwise a cookie would not survive its own check."""
    try:
        name = check_name(text)
    except Refusal:
        return
    assert check_name(name) == name
    assert 1 <= len(name) <= 40
    assert "\n" not in name
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cs", "Zl", "Zp"}


@given(st.text(alphabet="abcdefghjkmnpqrstuvwxyz23456789", min_size=1, max_size=20))
def test_a_generated_name_is_a_name_and_follows_from_the_id(tail: str) -> None:
    """The same guest is called the same everywhere."""
    name = guest_name("g_" + tail)
    assert check_name(name) == name == guest_name("g_" + tail)


PEOPLE = [
    ("g_k3f9aa", "Ada Lovelace"),
    ("g_b", "ada"),
    ("u_1", "  "),
    ("u_2", "!!! 42"),
    ("u_3", "\u674e \u96f7"),
    ("u_4", "\u0645\u0631\u064a\u0645 \u0639\u0644\u064a"),
    ("u_5", "\u00dfeta Gamma"),
    ("u_6", "Jean-Luc von Picard"),
    ("u_7", "\U0001f680 Rocket"),
    ("\u00fc", "\u01c6 x"),
]


@pytest.mark.skipif(node() is None, reason="no node")
def test_a_mark_is_the_same_here_and_in_the_browser(tmp_path: Path) -> None:
    """Rendered by the server, it does not change when the page wakes."""
    script = tmp_path / "ask.mjs"
    script.write_text(
        f"import {{ hueOf, initialsOf }} from {json.dumps(PERSON_JS.as_uri())};\n"
        f"const people = {json.dumps(PEOPLE)};\n"
        "console.log(JSON.stringify(people.map(([id, name]) =>"
        " [hueOf(id), initialsOf(name)])));",
        encoding="utf-8",
    )
    told = subprocess.run(
        [str(node()), script], capture_output=True, check=True, text=True, timeout=30
    )
    assert json.loads(told.stdout) == [[hue(i), initials(n)] for i, n in PEOPLE]
