"""Markdown to safe HTML, once for all viewers, at a bounded cost.

Raw HTML in a message stays text; what the renderer makes is sanitised all the same, so
that no fault of one of the two libraries reaches a reader.

A message is rendered on the loop that serves everybody. Its blocks cost by the line and
by the cell of a table, its words by the sign that may begin or end something (about 15
microseconds each) and by the address (five times that), so these are counted first. A
text with more of them than people write is shown as it was typed, and so is one that
would show nothing at all.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import nh3
from markdown_it import MarkdownIt

from .links import bare_link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

MAX_LINES = 300
MAX_CELLS = 600
MAX_SIGNS = 600

_TAGS = {
    "p", "br", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li",
    "a", "hr", "h1", "h2", "h3", "h4", "h5", "h6",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_BLOCKS = {"p", "blockquote", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "table"}
_ATTRIBUTES = {
    **{block: {"dir"} for block in _BLOCKS},
    "a": {"href", "title"},
    "ol": {"start", "dir"},
    "pre": {"tabindex"},
}
_SCHEMES = {"http", "https", "mailto"}
_WHOLE_ADDRESS = re.compile(r"(?:https?://|mailto:)[^/]", re.IGNORECASE)
_MAX_NESTING = 20

# What most messages are: one line, in which no sign begins or ends anything. The two
# libraries would only put it into a paragraph, in forty microseconds, and the sanitiser
# lets go of the interpreter, which it may have to wait for.
_PLAIN = re.compile(
    r"(?!\d{1,9}[.)]|[-+=#:|>\s]|.*://)(?: |[^\s\x00-\x1f\x7f*_`\[\]<>&\\~])+"
)
_SIGN = re.compile(r"[\n!\"#$%&*+\-:<=>@\[\\\]^_`{}~]")
_ADDRESS = re.compile(r"://|\[|@")
_SIGNS_OF_AN_ADDRESS = 5
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")


class _ShownAsTyped(Exception):
    """The text is too much work, or its Markdown would show nothing."""


class _Markdown(MarkdownIt):
    """Takes whole addresses only: where a relative one leads depends on the reader."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - markdown-it's
        return _WHOLE_ADDRESS.match(url) is not None


class Markup:
    """Renders messages."""

    def __init__(self) -> None:
        self._markdown = (
            _Markdown(
                "commonmark",
                {"html": False, "breaks": True, "maxNesting": _MAX_NESTING},
            )
            .enable("table")
            .enable("strikethrough")
            # An image would fetch from where its author likes, and tell who reads.
            # A definition ("[a]: b") shows nothing, so a message could hide in it.
            .disable(["image", "reference"])
        )
        self._markdown.inline.ruler.before("newline", "bare_link", bare_link)
        self._markdown.core.ruler.before("inline", "bound", _bound)
        self._markdown.core.ruler.push("direction", _direction)
        self._markdown.add_render_rule("fence", _code)
        self._markdown.add_render_rule("code_block", _code)

        self._cleaner = nh3.Cleaner(
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            url_schemes=_SCHEMES,
            link_rel="noopener noreferrer nofollow",
            set_tag_attribute_values={"a": {"target": "_blank"}},
        )

    def render(self, text: str) -> str:
        """Return the HTML of a message's Markdown."""
        if _PLAIN.fullmatch(text):
            return f'<p dir="auto">{text.rstrip()}</p>'
        return self._cleaner.clean(self._render(text).strip())

    def _render(self, text: str) -> str:
        if _has_too_many_lines(text):
            return _as_typed(text)
        try:
            rendered: str = self._markdown.render(text)
        except _ShownAsTyped:
            return _as_typed(text)
        return rendered


def _has_too_many_lines(text: str) -> bool:
    """Whether the blocks alone would be too much work.

    The rows of a table are filled up to the width of its head: a wide head over many
    short lines makes more cells than the text has characters.
    """
    lines = text.split("\n")
    columns = max(line.count("|") for line in lines)
    return len(lines) > MAX_LINES or columns * len(lines) > MAX_CELLS


def _bound(state: StateCore) -> None:
    """Between blocks and words: end here where the words are too much, or nothing.

    What stands in code costs nothing more, and is not counted.
    """
    signs = sum(
        len(_SIGN.findall(token.content))
        + _SIGNS_OF_AN_ADDRESS * len(_ADDRESS.findall(token.content))
        for token in state.tokens
        if token.type == "inline"
    )
    if signs > MAX_SIGNS or not any(map(_is_visible, state.tokens)):
        raise _ShownAsTyped


def _is_visible(token: Token) -> bool:
    return token.type == "hr" or bool(token.content.strip())


def _direction(state: StateCore) -> None:
    """Each outermost block has the direction of its first letter; code has none.

    Only the outermost: `auto` passes over what has a direction of its own.
    """
    for token in state.tokens:
        if token.level == 0 and token.nesting == 1 and token.tag in _BLOCKS:
            token.attrSet("dir", "auto")


def _code(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    _env: object,
) -> str:
    """Code that a keyboard can scroll."""
    code = html.escape(tokens[index].content, quote=False)
    return f'<pre tabindex="0"><code>{code}</code></pre>\n'


def _as_typed(text: str) -> str:
    paragraphs = _BLANK_LINES.split(html.escape(text.strip(), quote=False))
    return "".join(
        f'<p dir="auto">{paragraph.replace(chr(10), "<br>")}</p>'
        for paragraph in paragraphs
    )
