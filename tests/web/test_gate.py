"""Who gets in: hosts, origins and cookies, for pages, calls and sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import WSServerHandshakeError, web

from server.model import Principal
from server.settings import Settings
from server.web.identity import COOKIE, fresh_guest, write_cookie

from .conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .conftest import Client, Open

ADA = fresh_guest("Ada")
ADA_COOKIE = {"Cookie": f"{COOKIE}={write_cookie(ADA, SECRET)}"}


def own(client: Client, scheme: str = "http") -> str:
    """The origin of the server's own pages."""
    return f"{scheme}://{client.host}:{client.port}"


async def upgrade(
    client: Client, headers: Mapping[str, str], path: str = "/ws"
) -> tuple[int, str]:
    """The status of a handshake, and who the server says it let in."""
    try:
        async with client.ws_connect(path, headers=headers) as ws:
            return 101, (await ws.receive_json())["name"]
    except WSServerHandshakeError as error:
        return error.status, ""


async def post(client: Client, headers: Mapping[str, str]) -> tuple[int, str]:
    """The status of a call that changes something, and who was let in."""
    async with client.post("/touch", headers=headers) as answer:
        name = (await answer.json())["name"] if answer.status == 200 else ""
        return answer.status, name


# Host


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("192.168.0.7:8080", 421),
        ("", 400),
        ("local host", 400),
        ("localhost;script-src *", 400),
        ("localhost@evil.example", 400),
        ("localhost:port", 400),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("localhost.", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
    ],
)
async def test_a_foreign_host_gets_no_page(
    client: Client, host: str, status: int
) -> None:
    """A rebound name is refused in plain text; the port does not matter."""
    async with client.get("/", headers={"Host": host}) as answer:
        assert answer.status == status
        if status != 200:
            assert answer.content_type == "text/plain"
            assert COOKIE not in answer.cookies


@pytest.mark.parametrize("path", ["/static/js/boot.js", "/healthz", "/api/rooms", "/x"])
async def test_a_foreign_host_gets_nothing_else_either(
    client: Client, path: str
) -> None:
    """Static files, probes, calls and unknown addresses are behind the gate, too."""
    async with client.get(path, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421


async def test_a_foreign_host_cannot_call_or_connect(client: Client) -> None:
    """A rebound page is same-origin with itself: its name alone gives it away."""
    rebound = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}
    assert await post(client, rebound) == (421, "")
    assert await upgrade(client, rebound) == (421, "")


async def test_a_listed_host_gets_in_and_the_star_switches_the_check_off(
    open_app: Open,
) -> None:
    """`allow_host` adds names, `*` any."""
    some = await open_app(Settings(allow_host=("Chat.Example",)))
    for host, status in (("chat.example:1", 200), ("x.example", 421)):
        async with some.get("/", headers={"Host": host}) as answer:
            assert answer.status == status
    anybody = await open_app(Settings(allow_host=("*",)))
    async with anybody.get("/", headers={"Host": "any.thing:99999"}) as answer:
        assert answer.status == 200
    odd = {"Host": "any.thing:99999", "Origin": "http://any.thing"}
    assert await post(anybody, odd) == (403, "")


async def test_a_forwarded_host_counts_for_nothing(client: Client) -> None:
    """Neither to get in nor to be kept out."""
    forged = {"X-Forwarded-Host": "localhost", "Host": "evil.example"}
    async with client.get("/", headers=forged) as answer:
        assert answer.status == 421


# Origin

ORIGINS = [
    ("https://evil.example", False),
    ("null", False),
    ("", False),
    ("file://", False),
    ("http://127.0.0.1", False),
    ("http://127.0.0.1:1", False),
    ("http://sub.127.0.0.1:{port}", False),
    ("http://127.0.0.1:{port}.evil.example", False),
    ("http://user@127.0.0.1:{port}", False),
    ("http://127.0.0.1:{port}/path", False),
    ("ftp://127.0.0.1:{port}", False),
    ("http://localhost:{port}", False),
    ("http://127.0.0.1:{port}", True),
    ("https://127.0.0.1:{port}", True),
]


@pytest.mark.parametrize(("origin", "lets_in"), ORIGINS)
async def test_an_origin_is_the_own_one_or_refused(
    client: Client, origin: str, *, lets_in: bool
) -> None:
    """Foreign, null, sibling, other port, other name, garbled: refused on both ways."""
    headers = {"Origin": origin.format(port=client.port)}
    assert (await upgrade(client, headers))[0] == (101 if lets_in else 403)
    assert (await post(client, headers))[0] == (200 if lets_in else 403)


async def test_two_origins_are_none(client: Client) -> None:
    """What a proxy or a smuggler doubles is refused."""
    request = await client.request(
        "POST", "/touch", headers=[("Origin", own(client)), ("Origin", "null")]
    )
    assert request.status == 403


async def test_every_method_that_may_change_something_is_checked(
    client: Client,
) -> None:
    """Also those that have no route."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        headers = {"Origin": "https://evil.example"}
        async with client.request(method, "/static/js/boot.js", headers=headers) as got:
            assert got.status == 403, method


async def test_a_listed_origin_gets_in(open_app: Open) -> None:
    """Exactly the listed one: neither its sibling nor its other scheme or port."""
    client = await open_app(Settings(allow_origin=("https://Sub.Example:443",)))
    for origin, status in {
        "https://sub.example": 101,
        "http://sub.example": 403,
        "https://sub.example:8443": 403,
        "https://example": 403,
        "https://a.sub.example": 403,
    }.items():
        assert (await upgrade(client, {"Origin": origin}))[0] == status, origin


async def test_null_gets_in_only_if_listed_and_without_its_cookies(
    open_app: Open,
) -> None:
    """Any sandboxed frame has the origin null, so it is nobody's in particular."""
    client = await open_app(Settings(allow_origin=("null",)))
    status, name = await upgrade(client, {"Origin": "null", **ADA_COOKIE})
    assert status == 101
    assert name != "Ada"


# Cookies


async def test_cookies_count_with_the_own_origin(client: Client) -> None:
    """Our own pages act as who the visitor is."""
    headers = {"Origin": own(client), **ADA_COOKIE}
    assert await upgrade(client, headers) == (101, "Ada")
    assert await post(client, headers) == (200, "Ada")


async def test_cookies_do_not_count_without_an_origin(client: Client) -> None:
    """No origin, no browser: whoever it is, it is not the cookie's owner."""
    for status, name in (
        await upgrade(client, ADA_COOKIE),
        await post(client, ADA_COOKIE),
    ):
        assert status in {101, 200}
        assert name != "Ada"


async def test_a_page_is_of_the_cookie_s_owner(client: Client) -> None:
    """A page needs no origin: it changes nothing."""
    async with client.get("/", headers=ADA_COOKIE) as answer:
        assert ">Ada<" in await answer.text()


async def test_a_socket_without_a_cookie_may_say_a_name(client: Client) -> None:
    """A good one is taken, a bad one refused, and a cookie goes before it."""
    assert await upgrade(client, {}, "/ws?name=Bob") == (101, "Bob")
    assert await upgrade(client, {}, "/ws?name=%E2%80%AEbob") == (400, "")
    known = {"Origin": own(client), **ADA_COOKIE}
    assert await upgrade(client, known, "/ws?name=Bob") == (101, "Ada")


# Sec-Fetch


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("cross-site", "no-cors", "image", 403),
        ("cross-site", "cors", "empty", 403),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "navigate", "", 403),
        ("Cross-Site", "no-cors", "script", 403),
        ("cross-site", "navigate", "document", 200),
        ("same-site", "navigate", "document", 200),
        ("same-origin", "cors", "empty", 200),
        ("none", "navigate", "document", 200),
        ("", "", "", 200),
    ],
)
async def test_another_site_s_page_may_only_link_here(
    client: Client, site: str, mode: str, dest: str, status: int
) -> None:
    """A followed link comes in; what a foreign page would load does not."""
    headers = {
        "Sec-Fetch-Site": site,
        "Sec-Fetch-Mode": mode,
        "Sec-Fetch-Dest": dest,
    }
    for path in ("/", "/api/rooms"):
        async with client.get(path, headers=headers) as answer:
            assert answer.status == status


async def test_static_files_are_for_everybody(client: Client) -> None:
    """Anyone can import our client module, and learns nothing by it."""
    headers = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Dest": "script",
        "Origin": "https://elsewhere.example",
    }
    async with client.get("/static/js/boot.js", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Set-Cookie" not in answer.headers


# The host application's own sign-in


async def by_header(request: web.Request) -> Principal | None:
    """A host application's sign-in: by a header, or by a cookie of its own."""
    name = request.headers.get("X-User") or request.cookies.get("session")
    return Principal(f"u_{name}", name) if name else None


async def test_the_host_application_says_who_it_is(open_app: Open) -> None:
    """Its users get in by their names, others not at all; nobody gets our cookie."""
    client = await open_app(identify=by_header)
    assert await upgrade(client, {"X-User": "eve"}) == (101, "eve")
    assert await upgrade(client, {}) == (403, "")
    async with client.get("/", headers={"X-User": "eve"}) as answer:
        assert ">eve<" in await answer.text()
        assert "Set-Cookie" not in answer.headers
    async with client.get("/") as answer:
        assert answer.status == 403


async def test_the_host_s_cookies_do_not_count_without_an_origin_either(
    open_app: Open,
) -> None:
    """The rule holds whoever reads the cookies."""
    client = await open_app(identify=by_header)
    cookie = {"Cookie": "session=eve"}
    assert await upgrade(client, cookie) == (403, "")
    assert await upgrade(client, {"Origin": own(client), **cookie}) == (101, "eve")
