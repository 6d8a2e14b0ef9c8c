"""What people are called, and how their mark looks.

A name is shown beside everything that one says: it must be one line, visible, and
unable to reorder or hide the text around it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from ..errors import BAD_REQUEST, Refusal, ReplyError

MAX_CHARS: Final = 40
MAX_MARKS: Final = 4
"""So many combining marks may follow one another; more climb over other lines."""
HUES: Final = 12

# Code points that never will be characters: these, and the last two of each plane.
_NONCHARACTERS = range(0xFDD0, 0xFDF0)
_LAST_TWO = 0xFFFE
_ZWJ = "\u200d"
_VARIATION = "\ufe0f"
# Letters and symbols that show nothing: Hangul fillers and the empty Braille cell.
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5\u180e")
_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})

_ADJECTIVES: Final = (
    "Amber Brave Bright Brisk Calm Candid Clever Cosy Curious Daring Deft Eager Early "
    "Fair Fleet Gentle Glad Golden Hardy Honest Jolly Keen Kind Lively Loyal Lucky "
    "Mellow Merry Mild Neat Nimble Noble Patient Plucky Polite Prompt Proud Quick "
    "Quiet Rapid Ready Silver Spry Steady Sunny Swift Tidy Warm"
)
_ANIMALS: Final = (
    "Badger Bat Beaver Bison Crane Curlew Deer Dolphin Dove Eagle Egret Falcon Ferret "
    "Finch Fox Gecko Hare Hawk Heron Ibis Jay Kestrel Kite Lark Lemur Lynx Magpie "
    "Marten Mole Moose Newt Otter Owl Panda Plover Puffin Quail Rabbit Raven Robin "
    "Seal Sparrow Stork Swan Tern Toad Vole Wren"
)


def check_name(text: str) -> str:
    """Return a name as it is kept: NFC, one space between words.

    Raises `Refusal` (bad request), whose message is a sentence fit to be shown.
    """
    # The length comes first: all that follows costs by the character.
    if len(text) > 4 * MAX_CHARS:
        raise _refused(f"A name has at most {MAX_CHARS} characters.")
    if not all(_is_fit(text, at) for at in range(len(text))):
        raise _refused("A name cannot hold control characters or invisible ones.")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not 1 <= len(name) <= MAX_CHARS:
        raise _refused(f"A name has 1 to {MAX_CHARS} characters.")
    if re.search(rf"\S{{{MAX_MARKS + 1}}}", _marks(name)) or name == _marks(name):
        raise _refused(f"A name cannot hold more than {MAX_MARKS} marks on a letter.")
    return name


def guest_name(guest_id: str) -> str:
    """Return the friendly name of a guest: always the same for an id."""
    digest = hashlib.sha256(guest_id.encode()).digest()
    adjectives, animals = _ADJECTIVES.split(), _ANIMALS.split()
    adjective = adjectives[int.from_bytes(digest[:4]) % len(adjectives)]
    return f"{adjective} {animals[int.from_bytes(digest[4:8]) % len(animals)]}"


def initials(name: str) -> str:
    """Return one or two letters for a mark; "?" where the name has none.

    The same rule as `initialsOf` in static/js/person.js, so that a mark rendered here
    does not change when the page's own code wakes.
    """
    letters = [found for word in name.split() if (found := _first_letter(word))]
    if not letters:
        return "?"
    first, last = letters[0], letters[-1]
    if len(letters) == 1 or not _has_case(first) or not _has_case(last):
        return first.upper()[0]
    return first.upper()[0] + last.upper()[0]


def hue(user_id: str) -> int:
    """Return 0 to 11, FNV-1a of the id: the same as `hueOf` in static/js/person.js."""
    found = 0x811C9DC5
    for byte in user_id.encode():
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found % HUES


def _refused(sentence: str) -> Refusal:
    return Refusal(ReplyError(BAD_REQUEST.code, sentence))


def _is_fit(text: str, at: int) -> bool:
    char = text[at]
    if char == _ZWJ:
        return _joins_emoji(text, at)
    code = ord(char)
    refused = unicodedata.category(char) in _REFUSED or char in _INVISIBLE
    return not refused and code & _LAST_TWO != _LAST_TWO and code not in _NONCHARACTERS


def _joins_emoji(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before or not after:
        return False
    left = before == _VARIATION or unicodedata.category(before) in {"So", "Sk", "Cn"}
    return left and unicodedata.category(after) in {"So", "Cn"}


def _marks(name: str) -> str:
    """Return the name with a space in place of all that is no combining mark."""
    return "".join(
        char if unicodedata.category(char) in {"Mn", "Me"} else " " for char in name
    )


def _first_letter(word: str) -> str:
    return next((c for c in word if unicodedata.category(c)[0] in "LN"), "")


def _has_case(letter: str) -> bool:
    return letter.upper() != letter.lower()
