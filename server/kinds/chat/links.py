"""Bare addresses in a text, as in "see https://example.com/ for more"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.rules_inline import StateInline

_SCHEME = re.compile(r"(?<![A-Za-z0-9+.\-])https?\Z", re.IGNORECASE)
# To the next space, quote or bracket; the full stop of a Chinese sentence ends it too,
# and so does what would turn the direction of its letters around.
_REST = re.compile(
    r"""://[^\s<>"'`\\^{|}\[\]\u200e\u200f\u2018-\u201f\u202a-\u202e\u2066-\u2069"""
    r"""\u3000-\u303f\uff00-\uffef\x00-\x1f\x7f]+"""
)
_SENTENCE_END = ".,;:!?*_~"
# Not with a name before the host: it is there to be taken for the host.
_HOST = re.compile(r"://[\w.\-]*\w(?=[:/?#]|\Z)")


def bare_link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 markdown-it's
    """Make a link of a bare http or https address: a rule of markdown-it's, at its `:`.

    The scheme has been read as text by then, and is taken back.
    """
    if state.linkLevel or state.src[state.pos] != ":":
        return False
    # As in `pending`, but cheap to ask: the text before, at most the longest scheme.
    scheme = _SCHEME.search(state.src, max(0, state.pos - 6), state.pos)
    found = _REST.match(state.src, state.pos, state.posMax)
    if scheme is None or found is None or not state.pending.endswith(scheme[0]):
        return False
    rest = without_sentence_end(found[0])
    url = scheme[0] + rest
    target = state.md.normalizeLink(url)
    if _HOST.match(rest) is None or not state.md.validateLink(target):
        return False
    if not silent:
        state.pending = state.pending[: -len(scheme[0])]
        state.push("link_open", "a", 1).attrs = {"href": target}
        state.push("text", "", 0).content = state.md.normalizeLinkText(url)
        state.push("link_close", "a", -1)
    state.pos += len(rest)
    return True


def without_sentence_end(address: str) -> str:
    """Cut off what is the sentence's: its stops, and a bracket not opened here."""
    unopened = address.count(")") - address.count("(")
    end = len(address)
    while end:
        last = address[end - 1]
        if last == ")" and unopened > 0:
            unopened -= 1
        elif last not in _SENTENCE_END:
            break
        end -= 1
    return address[:end]
