from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import WSServerHandshakeError, hdrs, web

from server import (
    Hub,
    Lagged,
    Position,
    Principal,
    Publication,
    Refusal,
    Settings,
    add_hubbub,
    build_app,
)
from server.errors import PERMISSION_DENIED, UNKNOWN_CHANNEL
from server.model import Action, Event, Since
from server.seams.kind import (
    Accepted,
    CatchUp,
    Follows,
    Policy,
    Refused,
    Say,
    from_history,
)
from server.seams.log import Log

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    Client: TypeAlias = TestClient[web.Request, web.Application]

USERS = {
    "ada-key": Principal("u_ada", "Ada"),
    "ben-key": Principal("u_ben", "Ben"),
}
PAGES = ("/", "/chat/lobby", "/ticker", "/notes/welcome", "/lesson")
SOCKETS = ("/ws/chat", "/ws/chat/tea", "/ws/ticker", "/ws/open/news")
HUB = web.AppKey("HUB", Hub)


async def identify(request: web.Request) -> Principal | None:
    """The host's own sign-in: a cookie for browsers, a header for scripts."""
    key = request.cookies.get("session") or request.headers.get("X-Key")
    return USERS.get(key or "")


async def order(request: web.Request) -> web.Response:
    """A normal handler of the host's, that publishes."""
    told = {"order": request.match_info["id"]}
    position = await request.app[HUB].publish("open:orders", told)
    return web.Response(text=str(position))


async def front(request: web.Request) -> web.Response:
    """The host's own front page."""
    return web.Response(text="the host's own")


def as_user(name: str) -> dict[str, str]:
    """Return the header that signs somebody in."""
    return {"X-Key": f"{name}-key"}


Host: TypeAlias = Callable[..., "Awaitable[Client]"]


@pytest.fixture
def host(aiohttp_client: AiohttpClient) -> Host:
    """Starts somebody's application with Hubbub in it; returns its client."""

    async def start(prefix: str = "/live", **options: object) -> Client:
        app = web.Application()
        app.add_routes([web.get("/", front), web.post("/orders/{id}", order)])
        app[HUB] = add_hubbub(app, prefix=prefix, **options)  # type: ignore[arg-type]
        return await aiohttp_client(app)

    return start


class ScoresKind:
    """A kind of the host's own: a score never falls, and only Ada may tell it."""

    policy = Policy(history_size=10, recent=1)

    def __init__(self) -> None:
        self.points: dict[str, int] = {}

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Let everybody read and Ada write."""
        if action is Action.PUBLISH and who.id != "u_ada":
            raise Refusal(PERMISSION_DENIED)

    async def load(self, channel: str, log: Log) -> Position:
        """Begin at nothing."""
        return await log.top(channel)

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take a number that is not lower than the last."""
        points = event.content
        if type(points) is not int or points < self.points.get(channel, 0):
            return Refused(PERMISSION_DENIED.because("a score never falls"))
        self.points[channel] = points
        return Follows(says=(Say(channel, "score", points),))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """Tell the newest."""
        return await from_history(self.policy, channel, since, log)

    def fold(self, publication: Publication) -> Publication:
        """Keep nothing more."""
        return publication

    def retract(self, channel: str) -> None:
        """Keep nothing that was not kept."""

    def forget(self, channel: str) -> None:
        """Begin anew."""
        self.points.pop(channel, None)


async def test_handler_publishes(host: Host) -> None:
    """What a normal handler publishes reaches a socket under the prefix."""
    client = await host(identify=identify)
    async with client.ws_connect("/live/ws/open/orders", headers=as_user("ada")) as ws:
        assert (await ws.receive_json())["type"] == "reply"

        response = await client.post("/orders/17")

        event = await ws.receive_json()
    assert event["data"] == {"order": "17"}
    assert event["position"] == await response.text()
    assert "from" not in event


async def test_own_sign_in(host: Host) -> None:
    """Who publishes by a socket is who the host says, and may not be called else."""
    client = await host(identify=identify)
    ben = as_user("ben")
    async with client.ws_connect("/live/ws/open/news?name=Eve", headers=ben) as ws:
        await ws.receive_json()

        await ws.send_json({"type": "publish", "data": "hello"})

        assert (await ws.receive_json())["from"] == {"id": "u_ben", "name": "Ben"}


async def test_cookie_of_the_hosts_pages(host: Host) -> None:
    """The host's cookie signs a socket in, if a page of the host's opened it."""
    client = await host(identify=identify)
    headers = {
        "Cookie": "session=ada-key",
        "Origin": str(client.make_url("/")).rstrip("/"),
    }

    async with client.ws_connect("/live/ws/open/news", headers=headers) as ws:
        assert (await ws.receive_json())["type"] == "reply"


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://elsewhere.example"}])
async def test_cookie_of_nobodys_page(host: Host, origin: dict[str, str]) -> None:
    """The host's cookie counts neither from a foreign page nor without an origin."""
    client = await host(identify=identify)
    headers = {"Cookie": "session=ada-key", **origin}

    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/live/ws/open/news", headers=headers)

    assert refused.value.status == 403


@pytest.mark.parametrize("path", [*PAGES, "/api/rooms", "/metrics"])
async def test_nobody_is_refused_pages(host: Host, path: str) -> None:
    """Whom the host does not know gets no page."""
    client = await host(identify=identify)

    assert (await client.get("/live" + path)).status == 403


@pytest.mark.parametrize("path", ["/ws", *SOCKETS, "/ws/notes/welcome"])
async def test_nobody_is_refused_sockets(host: Host, path: str) -> None:
    """Whom the host does not know gets no socket."""
    client = await host(identify=identify)

    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/live" + path)

    assert refused.value.status == 403


async def test_names_are_the_hosts(host: Host) -> None:
    """Nobody renames themselves where the host says who they are."""
    client = await host(identify=identify)

    response = await client.post(
        "/live/api/name", json={"name": "Eve"}, headers=as_user("ada")
    )

    assert response.status == 403


@pytest.mark.parametrize("prefix", ["/live", "/intern/live"])
@pytest.mark.parametrize("page", PAGES)
async def test_pages_know_their_prefix(host: Host, prefix: str, page: str) -> None:
    """Every address in a page is under the prefix, and what it loads is there."""
    client = await host(prefix)

    response = await client.get(prefix + page)

    assert response.status == 200
    html = await response.text()
    assert f'<meta name="hubbub-base" content="{prefix}">' in html
    own = re.findall(r'(?:href|src|action)="(/[^"]*)"', html)
    assert [url for url in own if not url.startswith(prefix + "/")] == []
    files = {url for url in own if "/static/" in url}
    assert any("/js/" in url for url in files)
    for url in files:
        assert (await client.get(url)).status == 200, url


@pytest.mark.parametrize("page", PAGES)
async def test_signed_in_pages(host: Host, page: str) -> None:
    """Pages call the visitor what the host does."""
    client = await host(identify=identify)

    response = await client.get("/live" + page, headers=as_user("ada"))

    assert response.status == 200
    assert "u_ada" in await response.text()
    assert hdrs.SET_COOKIE not in response.headers


@pytest.mark.parametrize("short", ["", "/chat", "/notes"])
async def test_short_addresses(host: Host, short: str) -> None:
    """The addresses without a last part lead on, under the prefix."""
    client = await host()

    response = await client.get("/live" + short, allow_redirects=False)

    assert response.status == 302
    assert response.headers[hdrs.LOCATION].startswith("/live/")


# Not the ticker's: its market takes a while to open, on a busy machine seconds.
@pytest.mark.parametrize("path", [path for path in SOCKETS if "ticker" not in path])
async def test_sockets_under_the_prefix(host: Host, path: str) -> None:
    """Two sockets on one route, with `receive_json` alone, see one channel."""
    client = await host()
    async with (
        client.ws_connect("/live" + path) as one,
        client.ws_connect("/live" + path) as two,
    ):
        first, second = await one.receive_json(), await two.receive_json()

    assert first["channel"] == second["channel"]
    assert first["position"].partition(".")[0] == second["position"].partition(".")[0]


async def test_notes_under_the_prefix(host: Host) -> None:
    """A note is written and read as JSON under the prefix."""
    client = await host()
    path = "/live/ws/notes/plan?format=json"
    async with client.ws_connect(path) as one, client.ws_connect(path) as two:
        await one.receive_json()
        await two.receive_json()

        await one.send_json(
            {"type": "publish", "event": "insert", "data": {"at": 0, "text": "Hello"}}
        )

        event = await two.receive_json()
    assert (event["event"], event["channel"]) == ("change", "notes:plan")


async def test_the_host_stays_itself(host: Host) -> None:
    """The host's own pages have no gate before them and none of Hubbub's headers."""
    client = await host(identify=identify)

    response = await client.get("/", headers={"Host": "any.example"})

    assert await response.text() == "the host's own"
    assert "Content-Security-Policy" not in response.headers


async def test_gate_under_the_prefix(host: Host) -> None:
    """Hubbub answers only to host names that it was told, `Host` is checked."""
    client = await host(settings=Settings(allow_host=("app.example",)))

    known = await client.get("/live/healthz", headers={"Host": "app.example"})
    foreign = await client.get("/live/healthz", headers={"Host": "evil.example"})

    assert (known.status, foreign.status) == (200, 421)


async def test_own_kind(host: Host) -> None:
    """A kind of the host's own has its rules, its events and its joiners' past."""
    client = await host(identify=identify, kinds={"scores": ScoresKind()})
    async with (
        client.ws_connect("/live/ws", headers=as_user("ada")) as ada,
        client.ws_connect("/live/ws", headers=as_user("ben")) as ben,
    ):
        say = {"type": "publish", "channel": "scores:final", "id": 1}
        await ada.send_json({**say, "data": 2})
        assert (await ada.receive_json())["type"] == "reply"
        await ada.send_json({**say, "data": 1})
        assert (await ada.receive_json())["code"] == PERMISSION_DENIED.code
        await ben.send_json({**say, "data": 3})
        assert (await ben.receive_json())["code"] == PERMISSION_DENIED.code

        await ben.send_json({"type": "subscribe", "channel": "scores:final", "id": 2})

        past = (await ben.receive_json())["publications"]
    assert [(each["event"], each["data"]) for each in past] == [("score", 2)]


async def test_subscribe_in_python(host: Host) -> None:
    """`hub.subscribe` yields what sockets say, and resumes by position."""
    client = await host()
    hub = client.app[HUB]
    first = await hub.publish("open:news", 1)
    await hub.publish("open:news", 2)
    async with (
        aclosing(hub.subscribe("open:news", since=first)) as news,
        client.ws_connect("/live/ws/open/news") as ws,
    ):
        await ws.receive_json()
        assert _content(await anext(news)) == 2

        await ws.send_json({"type": "publish", "data": 3})

        assert _content(await anext(news)) == 3


async def test_slow_subscriber_in_python(host: Host) -> None:
    """A reader in Python that falls too far behind is told, and where to go on."""
    client = await host()
    hub = client.app[HUB]
    async with aclosing(hub.subscribe("open:news")) as news:
        waiting: asyncio.Task[object] = asyncio.Task(_next(news))
        await asyncio.sleep(0)
        await hub.publish("open:news", 0)
        assert _content(await waiting) == 0
        # One more than a reader's queue holds.
        for number in range(1, 1_002):
            await hub.publish("open:news", number)

        for number in range(1, 1_001):
            last = await anext(news)
            assert _content(last) == number
        with pytest.raises(Lagged) as lagged:
            await anext(news)

    assert isinstance(last, Publication)
    assert lagged.value.position == last.position


async def test_unknown_kind(host: Host) -> None:
    """A channel of no kind is refused, in Python as on a wire."""
    client = await host()

    with pytest.raises(Refusal) as refused:
        await client.app[HUB].publish("scores:final", 1)

    assert refused.value.error is UNKNOWN_CHANNEL


async def test_applications_share_nothing(host: Host) -> None:
    """Two applications in one process have their own channels and people."""
    one, two = await host(), await host("/other")
    async with (
        one.ws_connect("/live/ws/open/news?presence=1") as here,
        two.ws_connect("/other/ws/open/news?presence=1") as there,
    ):
        left, right = await here.receive_json(), await there.receive_json()
        assert left["position"] != right["position"]
        assert len(left["presence"]) == len(right["presence"]) == 1
        assert (await here.receive_json())["count"] == 1
        assert (await there.receive_json())["count"] == 1

        await one.app[HUB].publish("open:news", "one")
        await two.app[HUB].publish("open:news", "two")

        assert (await here.receive_json())["data"] == "one"
        assert (await there.receive_json())["data"] == "two"


async def test_twice_in_one_application(aiohttp_client: AiohttpClient) -> None:
    """Even under two prefixes of one application they are two hubs."""
    app = web.Application()
    first, second = add_hubbub(app, prefix="/a"), add_hubbub(app, prefix="/b")
    client = await aiohttp_client(app)

    async with client.ws_connect("/b/ws/open/news") as ws:
        await ws.receive_json()
        await first.publish("open:news", 1)
        await second.publish("open:news", 2)

        assert (await ws.receive_json())["data"] == 2


async def test_in_memory_without_settings(aiohttp_client: AiohttpClient) -> None:
    """`build_app()` with no settings works, and says that nothing is durable."""
    client = await aiohttp_client(build_app())
    async with client.ws_connect("/ws/chat") as ws:
        welcome = await ws.receive_json()
        assert (welcome["durable"], len(welcome["publications"])) == (False, 2)

        await ws.send_json({"type": "publish", "data": {"text": "Hi"}, "id": 1})

        replies = [await ws.receive_json(), await ws.receive_json()]
    by_type = {each["type"]: each for each in replies}
    assert by_type["reply"]["durable"] is False
    assert by_type["reply"]["position"] == by_type["event"]["position"]


async def _next(news: AsyncIterator[object]) -> object:
    return await anext(news)


def _content(found: object) -> object:
    assert isinstance(found, Publication)
    return found.content
