from __future__ import annotations

import pytest

from server.kinds.chat.links import without_sentence_end
from server.kinds.chat.markup import Markup

MARKUP = Markup()


def link(target: str, words: str | None = None) -> str:
    """Return a link as the server writes it."""
    rel = 'target="_blank" rel="noopener noreferrer nofollow"'
    return f'<a href="{target}" {rel}>{words or target}</a>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://a.b/c_d_e.", f"see {link('https://a.b/c_d_e')}."),
        ("(https://a.b/c)", f"({link('https://a.b/c')})"),
        ("https://a.b/c_(d), ok", f"{link('https://a.b/c_(d)')}, ok"),
        ("HTTP://A.B", link("HTTP://A.B")),
        ("https://a.b:80/?x=1&y#z", link("https://a.b:80/?x=1&amp;y#z")),
        ("**https://a.b**", f"<strong>{link('https://a.b')}</strong>"),
        ("https://a.b/<script>", f"{link('https://a.b/')}&lt;script&gt;"),
        (
            "看https://a.b/路\uff0c好",
            f"看{link('https://a.b/%E8%B7%AF', 'https://a.b/路')}\uff0c好",
        ),
        ("https://a.b/\u202egpj", f"{link('https://a.b/')}\u202egpj"),
    ],
)
def test_a_bare_address_is_a_link(text: str, shown: str) -> None:
    """It ends where its sentence goes on, and before what would turn letters round."""
    assert MARKUP.render(text) == f'<p dir="auto">{shown}</p>'


@pytest.mark.parametrize(
    "text",
    [
        "https://",
        "https:///path",
        "xhttps://a.b",
        "ftp://a.b",
        "javascript://a.b",
        "https:\\//a.b",
        "https://bank.example@evil.example",
        "https://...",
        "`https://a.b`",
        "::://a.b",
    ],
)
def test_what_is_no_bare_address_is_none(text: str) -> None:
    """Other schemes, no host, a name before the host, code: no link."""
    assert "<a" not in MARKUP.render(text)


def test_a_link_holds_no_link() -> None:
    """An address in the words of a link does not lead elsewhere than the link."""
    shown = MARKUP.render("[https://a.b](https://c.d)")
    assert shown == f'<p dir="auto">{link("https://c.d", "https://a.b")}</p>'


def test_an_address_among_others_of_a_text() -> None:
    """Each is a link of its own, and the text between them stays."""
    shown = MARKUP.render("http://a.b, https://c.d and http://e.f")
    assert shown.count("<a ") == 3
    assert "</a>, <a" in shown
    assert "</a> and <a" in shown


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("://a.b...", "://a.b"),
        ("://a.b/(c)", "://a.b/(c)"),
        ("://a.b/c))", "://a.b/c"),
        ("://a.b/(c).)", "://a.b/(c)"),
        (".,;", ""),
    ],
)
def test_the_sentence_keeps_its_end(address: str, kept: str) -> None:
    """Stops, and brackets that were not opened in the address, are not part of it."""
    assert without_sentence_end(address) == kept
