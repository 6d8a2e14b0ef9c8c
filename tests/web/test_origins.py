"""What pages of other sites may do on the routes that are opened to listed ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import web

from server import keys
from server.errors import TOO_MANY_REQUESTS, Refusal
from server.model import Principal
from server.settings import Settings
from server.web.identity import COOKIE, fresh_guest, write_cookie
from server.web.origins import MAX_ASKED, open_to_origins

from .conftest import SECRET, mounted

if TYPE_CHECKING:
    from pytest_aiohttp.plugin import AiohttpClient

    from server.keys import Identify

    from .conftest import Build, Client

    Open: TypeAlias = Callable[..., Awaitable[Client]]

FRIEND = "https://friend.example"
ADA_COOKIE = {"Cookie": f"{COOKIE}={write_cookie(fresh_guest('Ada'), SECRET)}"}
CROSS = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
}
PATHS = ("/sse/open:a", "/socket.io/")
LISTED = Settings(allow_origin=(FRIEND,))
served: list[str] = []


async def serve(request: web.Request) -> web.Response:
    """A stand-in for what streams or polls: says who it is, and counts."""
    served.append(request.method)
    if "fail" in request.query:
        raise Refusal(TOO_MANY_REQUESTS)
    if "started" in request.query:
        response = web.Response(text="begun")
        await response.prepare(request)
        return response
    return web.Response(text=request[keys.PRINCIPAL].name)


@pytest.fixture
async def open_app(build: Build, aiohttp_client: AiohttpClient) -> Open:
    """Makes the application, with the two opened routes and a client."""

    async def make(
        settings: Settings = LISTED, *, base: str = "", identify: Identify | None = None
    ) -> Client:
        served.clear()
        app = build(settings, base=base, identify=identify)
        routes = [
            web.get("/sse/{channel}", serve),
            web.post("/sse/{channel}", serve),
        ]
        open_to_origins(app, routes)
        # Another gateway's, by another call.
        open_to_origins(
            app, [web.get("/socket.io/", serve), web.post("/socket.io/", serve)]
        )
        return await aiohttp_client(mounted(app, base))

    return make


@pytest.fixture
async def client(open_app: Open) -> Client:
    """A server with one friend."""
    return await open_app()


def origins_of(client: Client) -> list[tuple[str, bool]]:
    """Origins, and whether a server with one friend lets them in."""
    own = f"127.0.0.1:{client.port}"
    return [
        (FRIEND, True),
        (f"http://{own}", True),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://friend.example", False),
        ("https://friend.example:8443", False),
        ("https://sub.friend.example", False),
        ("https://friend.example.evil.example", False),
        ("https://user@friend.example", False),
        ("http://127.0.0.1", False),
        (f"http://sub.{own}", False),
        (f"http://localhost:{client.port}", False),
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_only_listed_origins_get_in(
    client: Client, method: str, path: str
) -> None:
    """Threats 1 and 2: foreign, null, sibling, other port, garbled: 403, not served."""
    for origin, lets_in in origins_of(client):
        served.clear()
        headers = {"Origin": origin, **CROSS, **ADA_COOKIE}
        async with client.request(method, path, headers=headers) as answer:
            assert (answer.status < 300) == lets_in, origin
            assert lets_in or (answer.status == 403 and served == [])


@pytest.mark.parametrize("path", PATHS)
async def test_no_foreign_page_may_read(client: Client, path: str) -> None:
    """Threat 3: no header lets it, in refusals neither; never a star."""
    for origin, lets_in in origins_of(client):
        for method in ("GET", "POST", "OPTIONS"):
            headers = {"Origin": origin}
            async with client.request(method, path, headers=headers) as answer:
                found = answer.headers.get("Access-Control-Allow-Origin")
                assert found == (FRIEND if origin == FRIEND else None)
                assert "*" not in str(found)
                assert "Origin" in answer.headers.getall("Vary")
                if not lets_in:
                    policy = answer.headers["Cross-Origin-Resource-Policy"]
                    assert policy == "same-origin"
                    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_listed_page_reads_as_its_visitor(
    client: Client, method: str, path: str
) -> None:
    """With cookies; also what is refused, and what has begun."""
    headers = {"Origin": FRIEND, **CROSS, **ADA_COOKIE}
    for query, status, text in (
        ("", 200, "Ada"),
        ("?started=1", 200, "begun"),
        ("?fail=1", 429, ""),
    ):
        async with client.request(method, path + query, headers=headers) as answer:
            assert answer.status == status
            assert text in await answer.text()
            assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.headers.getall("Vary") == ["Origin"]


@pytest.mark.parametrize("path", PATHS)
async def test_null_may_be_listed_but_is_nobody(open_app: Open, path: str) -> None:
    """Any sandboxed frame has it: it reads what a stranger reads."""
    client = await open_app(Settings(allow_origin=("null",)))
    headers = {"Origin": "null", **CROSS, **ADA_COOKIE}
    for method in ("GET", "POST"):
        async with client.request(method, path, headers=headers) as answer:
            assert answer.status == 200
            assert await answer.text() != "Ada"
            assert answer.headers["Access-Control-Allow-Origin"] == "null"
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_without_an_origin_it_is_as_everywhere(client: Client, path: str) -> None:
    """Reading: cookies count, but not for what another site loads. Saying: none do."""
    async with client.get(path, headers=ADA_COOKIE) as answer:
        assert (answer.status, await answer.text()) == (200, "Ada")
    async with client.get(path, headers={**CROSS, **ADA_COOKIE}) as answer:
        assert answer.status == 403
    async with client.post(path, headers=ADA_COOKIE) as answer:
        assert answer.status == 200
        assert await answer.text() != "Ada"


async def test_two_origins_are_none(client: Client) -> None:
    """What a proxy or a smuggler doubles is refused."""
    doubled = [("Origin", FRIEND), ("Origin", FRIEND)]
    async with client.request("GET", PATHS[0], headers=doubled) as answer:
        assert answer.status == 403


async def test_what_a_proxy_forwards_counts_for_nothing(client: Client) -> None:
    """Neither the host nor the scheme that a header claims."""
    forged = {
        "Origin": "https://evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "host=evil.example;proto=https",
    }
    for path in PATHS:
        async with client.get(path, headers=forged) as answer:
            assert answer.status == 403


@pytest.mark.parametrize("path", PATHS)
async def test_a_preflight_is_answered(client: Client, path: str) -> None:
    """What a page may send: content type, position, and what it asks for besides."""
    headers = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, Authorization,authorization",
    }
    async with client.options(path, headers=headers) as answer:
        assert answer.status == 204
        allowed = answer.headers["Access-Control-Allow-Headers"]
        assert allowed == "content-type, last-event-id, authorization"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert answer.headers["Access-Control-Max-Age"] == "7200"
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert served == []


async def test_a_preflight_allows_neither_much_nor_nonsense(client: Client) -> None:
    """What is asked for is bounded, and only names of headers come back."""
    many = [f"x-{number}" for number in range(200)]
    odd = ["", "*", "a b", "x" * 65, "é", "x_y"]
    for asked, found in ((many, MAX_ASKED + 2), (odd, 2)):
        headers = {
            "Origin": FRIEND,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": ",".join(asked),
        }
        async with client.options(PATHS[0], headers=headers) as answer:
            allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
            assert len(allowed) == found


async def test_a_preflight_needs_no_sign_in(open_app: Open) -> None:
    """Browsers ask without cookies and headers; the call itself needs it."""

    async def by_header(request: web.Request) -> Principal | None:
        name = request.headers.get("Authorization")
        return Principal(f"u_{name}", name) if name else None

    client = await open_app(identify=by_header)
    headers = {"Origin": FRIEND, "Access-Control-Request-Method": "GET"}
    for path in PATHS:
        async with client.options(path, headers=headers) as answer:
            assert answer.status == 204
        async with client.get(path, headers={"Origin": FRIEND}) as answer:
            assert answer.status == 403
            assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        signed = {"Origin": FRIEND, "Authorization": "eve"}
        async with client.get(path, headers=signed) as answer:
            assert await answer.text() == "eve"


async def test_options_without_an_origin_says_nothing(client: Client) -> None:
    """It is no browser that asks for a page of another site."""
    async with client.options(PATHS[0]) as answer:
        assert answer.status == 204
        assert not [name for name in answer.headers if name.startswith("Access-")]


async def test_all_else_stays_closed(client: Client) -> None:
    """Pages and calls of a listed origin: no header lets it read, no preflight."""
    for method, path, status in (
        ("GET", "/api/rooms", 200),
        ("GET", "/", 200),
        ("POST", "/touch", 200),
        ("OPTIONS", "/touch", 405),
        ("OPTIONS", "/api/rooms", 405),
        ("GET", "/sse/", 404),
        ("OPTIONS", "/sse/", 404),
    ):
        async with client.request(method, path, headers={"Origin": FRIEND}) as answer:
            assert answer.status == status, path
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Vary" not in answer.headers
            policy = answer.headers["Cross-Origin-Resource-Policy"]
            assert policy == "same-origin"
    async with client.get("/api/rooms", headers={"Origin": FRIEND, **CROSS}) as answer:
        assert answer.status == 403


async def test_under_a_prefix_it_is_the_same(open_app: Open) -> None:
    """Mounted in a host application, before and after an answer has begun."""
    client = await open_app(base="/live")
    for path in PATHS:
        for query in ("", "?started=1", "?fail=1"):
            headers = {"Origin": FRIEND, **CROSS}
            async with client.get(f"/live{path}{query}", headers=headers) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        foreign = {"Origin": "https://evil.example"}
        async with client.get(f"/live{path}", headers=foreign) as answer:
            assert answer.status == 403
        preflight = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
        async with client.options(f"/live{path}", headers=preflight) as answer:
            assert answer.status == 204


async def test_a_stream_without_a_cookie_may_say_a_name(client: Client) -> None:
    """As a socket may; a bad one is refused, and a cookie goes before it."""
    for query, headers, status, name in (
        ("?name=Bob", {}, 200, "Bob"),
        ("?name=Bob", ADA_COOKIE, 200, "Ada"),
        ("?name=%E2%80%AEbob", {}, 400, ""),
    ):
        async with client.get(PATHS[0] + query, headers=headers) as answer:
            assert answer.status == status
            assert name in await answer.text()
