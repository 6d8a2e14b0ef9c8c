"""The pages: each with its name, its visitor, and words for what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientPayloadError

from server.model import Principal
from server.web.package import own_files, version

if TYPE_CHECKING:
    from aiohttp import web

    from .conftest import Client, Open

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "page", "title"),
    [
        ("/", "dashboard", "Dashboard"),
        ("/chat/lobby", "chat", "lobby"),
        ("/ticker", "ticker", "Ticker"),
        ("/notes/welcome", "notes", "welcome"),
        ("/lesson", "lesson", "Lesson"),
    ],
)
async def test_each_page_says_which_it_is(
    client: Client, path: str, page: str, title: str
) -> None:
    """Its place in the rail, its title, the version and who looks at it."""
    async with client.get(path, headers=HTML) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        text = await answer.text()
    assert f'data-page="{page}"' in text
    assert f"<title>{title} · Hubbub</title>" in text
    assert version() in text
    assert '"named": false' in text.replace("&#34;", '"')


@pytest.mark.parametrize(
    ("path", "to"), [("/chat", "/chat/lobby"), ("/notes", "/notes/welcome")]
)
async def test_bare_addresses_lead_to_the_welcome_ones(
    open_app: Open, path: str, to: str
) -> None:
    """Also under a prefix, whose own bare address leads to the dashboard."""
    for base in ("", "/live"):
        client = await open_app(base=base)
        async with client.get(base + path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, base + to)
    async with client.get("/live", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/live/")


async def test_under_a_prefix_all_addresses_have_it(open_app: Open) -> None:
    """Links, styles and scripts."""
    client = await open_app(base="/live")
    async with client.get("/live/chat/lobby") as answer:
        text = await answer.text()
    assert 'name="hubbub-base" content="/live"' in text
    assert 'href="/live/ticker"' in text
    assert 'src="/live/static/js/boot.js?v=' in text
    assert 'href="/static' not in text


@pytest.mark.parametrize(
    "name",
    ["UPPER", "a" * 65, "a b", "ä", "a%2Fb", "%00", "a%0A", "<script>", "a:b"],
)
async def test_a_bad_name_is_no_page(client: Client, name: str) -> None:
    """The error is a page of its own, with nothing of the address in it."""
    for app in ("chat", "notes"):
        async with client.get(f"/{app}/{name}", headers=HTML) as answer:
            assert answer.status == 404
            text = await answer.text()
            assert 'data-page="error"' in text
            assert "<script>alert" not in text
            assert f"{name}</" not in text


async def test_a_name_of_every_kind_stays_text(open_app: Open) -> None:
    """Markup in a name is escaped, in the page and in its JSON."""

    async def identify(_: web.Request) -> Principal:
        return Principal("u_1", "<img src=x onerror=alert(1)>'\"")

    client = await open_app(identify=identify)
    async with client.get("/") as answer:
        text = await answer.text()
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


async def test_errors_come_in_the_asker_s_words(client: Client) -> None:
    """A page for browsers, JSON for calls, else plain text; never inner words."""
    async with client.get("/broken", headers=HTML) as answer:
        assert answer.status == 500
        text = await answer.text()
        assert 'data-page="error"' in text
        assert "secret words" not in text
    async with client.get("/api/broken", headers=HTML) as answer:
        assert answer.status == 500
        assert await answer.json() == {"code": 100, "message": "internal error"}
    async with client.get("/api/nothing") as answer:
        assert answer.status == 404
        assert (await answer.json())["code"] == 107
    async with client.get("/api/busy") as answer:
        assert answer.status == 429
        assert await answer.json() == {"code": 111, "message": "too many requests"}
    async with client.get("/broken") as answer:
        assert answer.content_type == "text/plain"
        assert await answer.text() == "internal error\n"
    async with client.delete("/ticker") as answer:
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]


async def test_a_response_that_broke_half_way_is_cut(client: Client) -> None:
    """No second response is glued to the first."""
    async with client.get("/late") as answer:
        with pytest.raises(ClientPayloadError):
            await answer.read()


def test_all_templates_of_the_package_compile() -> None:
    """A page with a slip would fail at its first visitor."""
    import jinja2  # noqa: PLC0415 - this test alone looks behind the renderer

    folder = own_files().templates
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True
    )
    for name in environment.list_templates():
        assert environment.get_template(name).name == name
