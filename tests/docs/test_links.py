from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links

_ELSEWHERE = re.compile(r"[a-z]+:")


def targets() -> list[tuple[Path, str]]:
    """Return each link from one of our pages into this checkout."""
    return [
        (page, link)
        for page in PAGES
        for link in links(page)
        if _ELSEWHERE.match(link) is None
    ]


@pytest.mark.parametrize(
    ("page", "link"),
    [
        pytest.param(page, link, id=f"{page.relative_to(ROOT)}->{link}")
        for page, link in dict.fromkeys(targets())
    ],
)
def test_links_lead_somewhere(page: Path, link: str) -> None:
    """Every link in the documents leads to a file, and to a heading of it."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page

    assert target.is_file(), f"{target.relative_to(ROOT)} is not there"
    if anchor:
        assert anchor in anchors(target)


def test_index_names_every_page() -> None:
    """Each document can be found from the index."""
    index = ROOT / "docs" / "index.md"
    named = {(index.parent / link).resolve() for link in links(index)}

    assert {page for page in PAGES if ROOT / "docs" in page.parents} - named == {index}


def test_pages_name_nothing_of_elsewhere() -> None:
    """The documents are complete offline: they load nothing from foreign hosts."""
    foreign = [
        (page.name, link)
        for page in PAGES
        for link in re.findall(r"!\[[^\]]*\]\((https?:[^)]+)\)", page.read_text())
    ]

    assert foreign == []
