"""Every kind of response says what browsers may do with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from server.web.headers import policy

if TYPE_CHECKING:
    from .conftest import Client, Open

KINDS = [
    ("page", "GET", "/", 200),
    ("redirect", "GET", "/chat", 302),
    ("unknown", "GET", "/nothing", 404),
    ("bad name", "GET", "/chat/UPPER", 404),
    ("wrong method", "DELETE", "/ticker", 405),
    ("broken", "GET", "/broken", 500),
    ("broken call", "GET", "/api/broken", 500),
    ("list", "GET", "/api/rooms", 200),
    ("static", "GET", "/static/css/base.css", 200),
    ("no static", "GET", "/static/no.css", 404),
    ("probe", "GET", "/healthz", 200),
    ("metrics", "GET", "/metrics", 200),
    ("head", "HEAD", "/", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), [kind[1:] for kind in KINDS])
async def test_every_response_is_secured(
    client: Client, method: str, path: str, status: int
) -> None:
    """Pages, redirects, calls, files, probes and errors alike."""
    async with client.request(method, path, allow_redirects=False) as answer:
        assert answer.status == status
        headers = answer.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "Cross-Origin-Resource-Policy" in headers
    assert "camera=()" in headers["Permissions-Policy"]
    if status == 200 and "static" not in path:
        assert headers["Cache-Control"] == "no-store"


async def test_refusals_and_handshakes_are_secured(client: Client) -> None:
    """What the gate refuses, and the 101 of an upgrade."""
    async with client.get("/", headers={"Host": "evil.example"}) as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    async with client.ws_connect("/ws") as ws:
        assert ws.get_extra_info("peername")
        response = ws._response  # noqa: SLF001 - the client shows a 101 nowhere else
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_no_page_but_notes_may_have_a_style_of_its_own(client: Client) -> None:
    """There by a nonce, which stands in the page and is new each time."""
    nonces = set()
    for _ in range(2):
        async with client.get("/notes/welcome") as answer:
            rule = answer.headers["Content-Security-Policy"]
            found = re.search(r"style-src 'self' 'nonce-([\w-]{22})';", rule)
            assert found
            assert f'content="{found[1]}"' in await answer.text()
            nonces.add(found[1])
    assert len(nonces) == 2
    for path in ("/", "/chat/lobby", "/ticker", "/lesson"):
        async with client.get(path) as answer:
            rule = answer.headers["Content-Security-Policy"]
            assert "style-src 'self';" in rule
            assert "nonce" not in rule
            assert "unsafe" not in rule


def test_the_policy_names_the_own_sockets_only() -> None:
    """A host that could smuggle a rule into the policy stands not in it."""
    rules = dict(rule.split(" ", 1) for rule in policy("[::1]:80").split("; "))
    assert rules["connect-src"] == "'self' ws://[::1]:80 wss://[::1]:80"
    assert rules["script-src"] == "'self'"
    assert "evil" not in policy("evil.example; script-src *")


async def test_the_host_application_s_responses_are_its_own(open_app: Open) -> None:
    """Under a prefix, our headers are on our responses alone."""
    client = await open_app(base="/live")
    async with client.get("/live/") as answer:
        assert "Content-Security-Policy" in answer.headers
    async with client.get("/") as answer:
        assert answer.status == 404
        assert "Content-Security-Policy" not in answer.headers
