"""The documents as tests see them: headings, links, and the code that is an example.

A code block is an example if `<!-- example: name -->` stands above it. Blocks of one
page with the same name are one program. `hubbub` in it is this checkout's `server`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_BLOCK = re.compile(
    r"(?:<!-- example: (?P<name>[a-z-]+) -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_INSTALLED = re.compile(r"^(\s*(?:from|import) )hubbub\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block; `name` None: it is no example."""

    name: str | None
    language: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    for found in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield Block(found["name"], found["language"], found["text"])


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Return where a page's links and pictures lead."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as GitHub makes them."""
    found = set()
    for heading in _HEADING.findall(prose(page)):
        bare = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(bare.replace(" ", "-"))
    return found


def examples() -> dict[str, str]:
    """Return the text of each example, by its name."""
    found: dict[str, str] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.name is not None:
                joined = found.get(block.name, "")
                found[block.name] = joined + ("\n\n" if joined else "") + block.text
    return found


def run(name: str) -> ModuleType:
    """Run an example as a module (not as `__main__`), and return it."""
    module = ModuleType(f"example_{name.replace('-', '_')}")
    text = _INSTALLED.sub(r"\1server", examples()[name])
    # Written by us, and nothing else: the documents of this checkout.
    exec(compile(text, f"<example {name}>", "exec"), module.__dict__)  # noqa: S102
    return module
