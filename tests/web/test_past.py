"""The past in a page: what its visitor would be answered, and nothing that harms it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from aiohttp import web

from server import keys
from server.backplanes.local import LocalBackplane
from server.errors import PERMISSION_DENIED, UNAVAILABLE, Refusal
from server.gateways.native import handler as native
from server.gateways.words import words_of
from server.hub.hub import Hub
from server.kinds.chat.kind import ChatKind
from server.kinds.open import OpenKind
from server.model import SERVER, Action, Event, Principal, Signal
from server.runtime.clock import random_id
from server.seams.kind import Keep, Kind, Policy
from server.settings import Settings
from server.stores.memory import MemoryStore
from server.web import past, routes
from tests.clocks import ManualClock
from tests.hub.logs import FaultyLog

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    from server.model import Since
    from server.seams.kind import CatchUp
    from server.seams.log import Log

    Client: TypeAlias = TestClient[web.Request, web.Application]

ROOM, MARKET, STATS, ACTIVITY = (
    "chat:lobby",
    "ticker:market",
    "hub:stats",
    "hub:activity",
)
BLOCK = re.compile(
    r'<script type="application/json" id="past-([^"]+)">(.*?)</script>', re.DOTALL
)
HOSTILE = (
    "</script><script>pwned=1</script><!--<script> & ]]> \u2028\u2029 \" ' \\ é 上"
)


class MembersOnly(ChatKind):
    """Rooms that are shown to one visitor only."""

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Refuse all others."""
        if who.id != "u_ada":
            raise Refusal(PERMISSION_DENIED)


class Board(OpenKind):
    """A market that says all in its state."""

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """See `Kind.catch_up`."""
        found = await super().catch_up(channel, since, log)
        return replace(found, state={"symbols": ["ACME"]})


@dataclass
class Site:
    """Pages before a hub, and the log below it."""

    client: Client
    hub: Hub
    log: FaultyLog

    async def page(self, path: str) -> str:
        """Return a page's HTML."""
        async with self.client.get(path) as answer:
            assert answer.status == 200
            return await answer.text()

    async def blocks(self, path: str) -> dict[str, Any]:
        """Return what a page says of the past, by channel."""
        found = BLOCK.findall(await self.page(path))
        return {channel: json.loads(text) for channel, text in found}

    async def replies(self, *channels: str, **more: str) -> dict[str, Any]:
        """Return what the page's socket is answered, by channel."""
        found = {}
        async with self.client.ws_connect("/ws") as socket:
            for channel in channels:
                command = {"type": "subscribe", "channel": channel, **more}
                await socket.send_json(command)
                found[channel] = await socket.receive_json()
        return found

    async def say(self, text: str, who: Principal = SERVER) -> None:
        """Say something in the room."""
        await self.hub.publish(ROOM, {"text": text}, who=who)


OpenSite: TypeAlias = Callable[..., Awaitable[Site]]


@pytest.fixture
def open_site(aiohttp_client: AiohttpClient) -> OpenSite:
    """Makes the application and a client of it that keeps its cookies."""

    async def make(
        chat: ChatKind | None = None,
        identify: keys.Identify | None = None,
        *,
        knows_words: bool = True,
    ) -> Site:
        clock = ManualClock()
        memory = MemoryStore(clock, lambda: "epoch1")
        log = FaultyLog(memory.log)
        kinds: dict[str, Kind] = {
            "chat": chat or ChatKind(clock),
            "hub": OpenKind(clock, Policy(recent=3), writers=frozenset()),
            "ticker": Board(clock),
        }
        hub = Hub(kinds, LocalBackplane(), clock, random_id)
        app = web.Application()
        app[keys.SETTINGS], app[keys.BASE], app[keys.HUB] = Settings(), "", hub
        if identify is not None:
            app[keys.IDENTIFY] = identify
        if knows_words:
            app[keys.WORDS] = words_of
        routes.setup(app)
        app.add_routes(native.routes())

        async def life(app: web.Application) -> AsyncIterator[None]:
            app[keys.SECRET] = bytes(range(32))
            app[keys.CHAT_ROWS], app[keys.NOTE_ROWS] = memory.chat, memory.notes
            await hub.start(dict.fromkeys(Keep, log))
            yield
            await hub.stop()

        app.cleanup_ctx.append(life)
        return Site(await aiohttp_client(app), hub, log)

    return make


@pytest.fixture
async def site(open_site: OpenSite) -> Site:
    """A site with guests."""
    return await open_site()


async def test_a_room_s_page_says_what_its_subscribe_would(site: Site) -> None:
    """The newest fifty, word for word, with the position that leads on from them."""
    for number in range(60):
        await site.say(f"line {number}", Principal("u_ada", "Ada <3"))
    blocks = await site.blocks("/chat/lobby")
    assert blocks == await site.replies(ROOM)
    said = [each["data"]["text"] for each in blocks[ROOM]["publications"]]
    assert said == [f"line {number}" for number in range(10, 60)]
    assert blocks[ROOM]["position"] == "epoch1.60"


async def test_the_socket_goes_on_from_the_page_s_position(site: Site) -> None:
    """What was said between the two is all that it is told."""
    await site.say("before")
    since = (await site.blocks("/chat/lobby"))[ROOM]["position"]
    await site.say("between")
    reply = (await site.replies(ROOM, since=since))[ROOM]
    assert reply["recovered"]
    assert [each["data"]["text"] for each in reply["publications"]] == ["between"]


async def test_each_page_has_the_past_of_its_channels(site: Site) -> None:
    """Publications, states and retained signals, as the subscribe would tell them."""
    for number in range(4):
        await site.hub.publish(STATS, {"lag_ms": number})
    # Whoever looks opens the channel, and an open one retains signals.
    await site.page("/")
    news = {"lines": [{"text": "<b>"}]}
    site.hub.send_signal(
        Signal(ACTIVITY, "activity", news, None, 5, "all", retained=True)
    )
    market, board = await site.blocks("/ticker"), await site.blocks("/")
    assert market == await site.replies(MARKET)
    assert market[MARKET]["state"] == {"symbols": ["ACME"]}
    assert board == await site.replies(STATS, ACTIVITY, MARKET)
    assert [each["data"]["lag_ms"] for each in board[STATS]["publications"]] == [
        1,
        2,
        3,
    ]
    assert board[ACTIVITY]["signals"][0]["data"] == news
    for path in ("/notes/welcome", "/lesson"):
        assert await site.blocks(path) == {}


async def test_nothing_that_was_said_ends_its_block(site: Site) -> None:
    """Tags, comments, entities and line ends are escaped, and come back whole."""
    await site.say(HOSTILE, Principal("u_eve", "</script><img src=x>"))
    html = await site.page("/chat/lobby")
    ((channel, block),) = BLOCK.findall(html)
    assert channel == ROOM
    assert not set("<>&'\u2028\u2029") & set(block)
    (said,) = json.loads(block)["publications"]
    assert said["data"]["text"] == HOSTILE
    assert said["from"]["name"] == "</script><img src=x>"
    assert "<script>pwned" not in html
    assert "<img" not in html


async def test_without_javascript_the_messages_can_be_read(site: Site) -> None:
    """Names and texts, as text."""
    await site.say("a <b>bold</b> word & more", Principal("u_ada", "Ada <3"))
    await site.say("from the house")
    html = await site.page("/chat/lobby")
    ((inner),) = re.findall(r"<noscript><ol.*?</noscript>", html, re.DOTALL)
    assert "Ada &lt;3</bdi>" in inner
    assert "a &lt;b&gt;bold&lt;/b&gt; word &amp; more</p>" in inner
    assert inner.index("bold") < inner.index("Server</bdi>") < inner.index("the house")


async def test_who_may_not_subscribe_is_shown_nothing(open_site: OpenSite) -> None:
    """It is asked as the visitor, not as the server; the page comes all the same."""

    async def identify(request: web.Request) -> Principal:
        return Principal(request.headers["X-Id"], "Somebody")

    site = await open_site(MembersOnly(ManualClock()), identify)
    await site.say("a secret")
    pages = {}
    for user in ("u_ada", "u_bob"):
        async with site.client.get("/chat/lobby", headers={"X-Id": user}) as answer:
            assert answer.status == 200
            pages[user] = await answer.text()
    assert "a secret" in pages["u_ada"]
    assert "a secret" not in pages["u_bob"]
    assert "past-" not in pages["u_bob"]


async def test_where_nothing_was_said_the_page_says_nothing(site: Site) -> None:
    """Of a name that anybody may have made up there is nothing to tell."""
    assert await site.blocks("/chat/nobody-was-here") == {}
    assert list(await site.blocks("/")) == [MARKET]


async def test_looking_is_not_being_there(site: Site) -> None:
    """No session, no presence, and nothing that keeps the channel open."""
    await site.say("hello")
    assert ROOM in await site.blocks("/chat/lobby")
    assert site.hub.sessions == {}
    assert await site.hub.presence(SERVER, ROOM) == ((), 0)
    assert site.hub.channels[ROOM].idle


@pytest.mark.parametrize("fault", [Refusal(UNAVAILABLE), OSError("secret words")])
async def test_a_store_that_is_away_takes_no_page_with_it(
    site: Site, fault: Exception
) -> None:
    """Served without the past; with it again as soon as there is one."""
    await site.say("hello")
    site.log.read_fault = fault
    html = await site.page("/chat/lobby")
    assert "past-" not in html
    assert "secret words" not in html
    site.log.read_fault = None
    assert ROOM in await site.blocks("/chat/lobby")


async def test_a_store_that_hangs_holds_no_page(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page leaves its past to the socket after a moment, and breaks nothing."""
    monkeypatch.setattr(past, "WITHIN_S", 0.05)
    await site.say("hello")
    site.log.read_gate.clear()
    assert await site.blocks("/chat/lobby") == {}
    site.log.read_gate.set()
    assert ROOM in await site.blocks("/chat/lobby")


async def test_without_the_wire_s_words_pages_are_shells(open_site: OpenSite) -> None:
    """For who serves the pages beside a wire of their own."""
    site = await open_site(knows_words=False)
    await site.say("here it is")
    html = await site.page("/chat/lobby")
    assert "past-" not in html
    assert "here it is" not in html


async def test_a_page_with_a_past_is_kept_nowhere(site: Site) -> None:
    """No cache has what was said; and the policy lets no inline script run."""
    await site.say("hello")
    async with site.client.get("/chat/lobby") as answer:
        assert ROOM in await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        rules = answer.headers["Content-Security-Policy"].split("; ")
        assert "script-src 'self'" in rules


async def test_a_signal_is_no_past(site: Site) -> None:
    """One that is not retained leaves no trace in the page."""
    await site.hub.signal(
        Principal("u_ada", "Ada"), ROOM, Event("typing", None, signal=True)
    )
    assert await site.blocks("/chat/lobby") == {}
