from __future__ import annotations

import re
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.chat import markup
from server.kinds.chat.kind import MAX_MESSAGE_CHARS
from server.kinds.chat.markup import MAX_CELLS, MAX_LINES, MAX_SIGNS, Markup

MARKUP = Markup()
MOST_CALLS = 90_000
"""Of functions, for one message: some 10 ms. The worst below made two million."""


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("hello", '<p dir="auto">hello</p>'),
        ("a\nb", '<p dir="auto">a<br>\nb</p>'),
        ("**a** *b*", "<strong>a</strong> <em>b</em>"),
        ("~~c~~ `d`", "<s>c</s> <code>d</code>"),
        ("# T", '<h1 dir="auto">T</h1>'),
        ("3. a", '<ol start="3" dir="auto">\n<li>a</li>\n</ol>'),
        ("- a", '<ul dir="auto">\n<li>a</li>\n</ul>'),
        ("> a", '<blockquote dir="auto">\n<p>a</p>\n</blockquote>'),
        ("***", "<hr>"),
        ("|a|\n|-|\n|b|", '<table dir="auto">'),
        ("```py\nx<y & z\n```", '<pre tabindex="0"><code>x&lt;y &amp; z\n</code>'),
        ("    code", '<pre tabindex="0"><code>code\n</code></pre>'),
    ],
)  # fmt: skip
def test_markdown_becomes_html(text: str, html: str) -> None:
    """What people write in chats is set; code can be scrolled by the keyboard."""
    assert html in MARKUP.render(text)


@pytest.mark.parametrize("text", [">", "-", "#", "[a]: b", "> \n> ", "```\n```", "\\"])
def test_a_message_that_would_show_nothing_is_shown_as_typed(text: str) -> None:
    """Nobody can hide a message, or say an empty one."""
    shown = MARKUP.render(text)
    assert shown.startswith('<p dir="auto">')
    assert shown.removesuffix("</p>") != '<p dir="auto">'


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x)",
    "![a](https://a.b/c.png)",
    '<https://a.b/" onmouseover=alert(1)>',
    '[a](https://a.b/ "\\" onclick=alert(1) x=\\"")',
    '```"onclick=alert(1)\nx\n```',
    "<a href='javascript:alert(1)'>a</a>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext></mtext></math>",
    "**<iframe src=//a.b>**",
    "<style>*{display:none}</style>",
    '<p style="position:fixed">a</p>',
    "<!-- --!><img src=x onerror=alert(1)> -->",
    "[a]: javascript:alert(1)\n\n[a]",
]  # fmt: skip

KNOWN = {
    "p", "br", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "hr", "h1", "h2", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title", "rel", "target"},
    "ol": {"start", "dir"},
    "pre": {"tabindex"},
}


class Checker(HTMLParser):
    """Fails on a tag or an attribute that chat does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and look at all that it carries."""
        self.tags.append(tag)
        assert {name for name, _ in attrs} <= ATTRIBUTES.get(tag, {"dir"})
        target = dict(attrs).get("href")
        assert tag != "a" or (target or "").startswith(("http:", "https:", "mailto:"))


def tags_of(html: str) -> list[str]:
    """Return the tags of an HTML in their order; fail on a strange one."""
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker.tags


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_message_runs_or_loads(text: str) -> None:
    """No tag, no attribute and no address that the page does not expect."""
    assert set(tags_of(MARKUP.render(text))) <= {"p", "a", "strong", "pre", "code"}


@given(st.text(alphabet="*_`[]()<>!#|-:/\\\"'&;~ \nahttps1.@=", max_size=300))
def test_whatever_is_typed_the_html_is_of_the_known_kind(text: str) -> None:
    """Any signs in any order make known tags only, each with known attributes."""
    assert set(tags_of(MARKUP.render(text))) <= KNOWN


def slowly(text: str) -> str:
    """Render by the two libraries, whatever the text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_PLAIN", re.compile("(?!)"))
        return MARKUP.render(text)


LIKE_PEOPLE = st.lists(
    st.sampled_from(
        [
            "a",
            "I",
            "12",
            "1.",
            "7)",
            "42.5",
            "-",
            "+",
            "=",
            "#",
            "!",
            "?",
            ":",
            ";",
            ",",
            ".",
            "...",
            "(x)",
            "{y}",
            "$1",
            "5%",
            "a@b.de",
            "http:",
            "x://",
            "~",
            "|",
            "/",
            "don't",
            '"so"',
            "é",
            "你好",
            "א",
            "😀",
            "\u2028",
            "\x85",
            "\xa0",
            "^",
            "&",
            "&amp;",
            "[",
            "]",
            "<",
            "\\",
        ]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@given(st.one_of(LIKE_PEOPLE, st.text(max_size=40)))
def test_what_is_plain_is_rendered_as_by_the_libraries(text: str) -> None:
    """The short way makes the same HTML."""
    if text.strip():
        assert MARKUP.render(text) == slowly(text)


@pytest.mark.parametrize(
    "text",
    ["hello", 'Yes - at 5:30, "if" you can!', "3 x 4 = 12; 50% (+1)", "你好"],
)
def test_what_most_people_write_takes_the_short_way(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither library is asked."""
    monkeypatch.setattr(Markup, "_render", None)
    assert MARKUP.render(text).startswith('<p dir="auto">')


COSTLY = {
    "emphasis": "*a_" * 1400,
    "brackets": "[" * 4000,
    "brackets with text": "[word " * 800,
    "links": "[a](" * 1000,
    "images": "![" * 2000,
    "addresses": "http://a " * 450,
    "pointed addresses": "<http:a>" * 500,
    "lines": "a\n" * 2000,
    "headings": "# a\n" * 1000,
    "lists": "]\n1. " * 800,
    "nested quotes": "> " * 2000,
    "nested lists": "".join("  " * depth + "- a\n" for depth in range(60)),
    "wide table": "|a" * 600 + "\n" + "|-" * 600 + "\n" + "a\n" * 700,
    "table": "|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n" + ("|" + "a|" * 60 + "\n") * 30,
    "definitions": "[a]: b\n" * 570,
    "backticks": " ".join("`" * length for length in range(1, 88)),
    "entities": "&amp;" * 800,
    "escapes": "\\*" * 2000,
    "closing brackets": "http://a.b" + ")" * 3990,
    "strikes": "~~a" * 1300,
    "mixed": "*_`[<" * 800,
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_message_stalls_the_loop(name: str) -> None:
    """However hostile, a message is rendered in a bounded number of steps and bytes."""
    text = COSTLY[name][:MAX_MESSAGE_CHARS]
    assert calls(text) < MOST_CALLS
    assert len(MARKUP.render(text)) < 12 * MAX_MESSAGE_CHARS


def calls(text: str) -> int:
    """How many functions are called to render a text."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        MARKUP.render(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "text",
    ["*a* " * (MAX_SIGNS // 2 + 1), "a\n" * MAX_LINES, "|\n" * (MAX_CELLS + 1)],
)
def test_what_is_too_much_work_is_shown_as_typed(text: str) -> None:
    """Its characters are all there, and no mark of them is read."""
    shown = MARKUP.render(text)
    assert set(tags_of(shown)) <= {"p", "br"}
    assert shown.startswith(f'<p dir="auto">{text[:1]}')


def test_as_typed_keeps_paragraphs_and_escapes() -> None:
    """Blank lines part paragraphs, line ends stay, and no character becomes a tag."""
    text = "<b> & *\n\n \n" + "*a*\n" * MAX_SIGNS
    shown = MARKUP.render(text)
    assert shown.startswith(
        '<p dir="auto">&lt;b&gt; &amp; *</p><p dir="auto">*a*<br>*a*'
    )


def test_a_long_program_in_a_fence_is_set_as_code() -> None:
    """What stands in code costs nothing more, and does not count."""
    code = "if a[0] == (b * c) and d['e'] != _f: # <g>\n" * 90
    shown = MARKUP.render(f"```\n{code[:3900]}\n```")
    assert tags_of(shown) == ["pre", "code"]


def test_an_ordinary_long_message_is_set() -> None:
    """Four thousand characters of prose, with its marks, are not too much."""
    line = "- **One thing** of *many*, as in `code`: see https://example.com/.\n"
    shown = MARKUP.render((line * 30)[:MAX_MESSAGE_CHARS])
    assert shown.count("<strong>") == 30
