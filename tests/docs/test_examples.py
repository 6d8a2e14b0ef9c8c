"""The examples of the documents do what the documents say."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web

from server import Settings, add_hubbub, build_app, keys
from server.errors import FORCED
from server.model import SERVER
from tests.docs.pages import PAGES, ROOT, blocks, examples, run

if TYPE_CHECKING:
    from pytest_aiohttp.plugin import AiohttpClient

Check: TypeAlias = "Callable[[AiohttpClient], Awaitable[None]]"

CHECKS: dict[str, Check] = {}
SOCKETIO = {name for name in examples() if name.startswith("coming-")}
ELSEWHERE = SOCKETIO | {  # those in tests/docs/test_coming_from_socketio.py
    "lesson-page",  # in tests/docs/test_lesson_page.py
    "own-feed",  # in tests/kinds/ticker/test_own_feed.py
}


def checks(name: str) -> Callable[[Check], Check]:
    """Say which example a function runs and checks."""

    def note(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return note


@pytest.mark.parametrize("name", sorted(set(examples()) - ELSEWHERE))
async def test_example(name: str, aiohttp_client: AiohttpClient) -> None:
    """Each example in the documents runs, and does what its page says."""
    await CHECKS[name](aiohttp_client)


def test_every_check_has_its_example() -> None:
    """Nothing is checked that no page shows any more."""
    assert set(examples()) == set(CHECKS) | ELSEWHERE


def test_no_python_without_a_check() -> None:
    """Every block of Python in the documents is an example, and so is run."""
    unmarked = [
        (page.relative_to(ROOT).as_posix(), block.text.splitlines()[0])
        for page in PAGES
        for block in blocks(page)
        if block.language == "python" and block.name is None
    ]

    assert unmarked == []


@pytest.mark.parametrize("name", ["readme-embed", "readme-test"])
def test_readme_is_short(name: str) -> None:
    """The README's examples are ten to twelve lines of code."""
    lines = [line for line in examples()[name].splitlines() if line.strip()]

    assert len(lines) <= 12


@checks("readme-embed")
async def _readme_embed(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(run("readme-embed").app)
    async with client.ws_connect("/live/ws/open/orders") as ws:
        await ws.receive_json()

        response = await client.post("/orders/17")

        assert await response.text() == "told everybody\n"
        assert (await ws.receive_json())["data"] == {"order": "17"}


@checks("readme-test")
async def _readme_test(aiohttp_client: AiohttpClient) -> None:
    await run("readme-test").test_what_ada_says_bob_hears(aiohttp_client)


@checks("embed")
async def _embed(aiohttp_client: AiohttpClient) -> None:
    example = run("embed")
    client = await aiohttp_client(example.app)
    ada = {"X-Key": "ada-key"}
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await client.ws_connect("/live/ws/open/orders")
    async with client.ws_connect("/live/ws/open/orders", headers=ada) as ws:
        await ws.receive_json()

        first = await (await client.post("/orders/17")).text()
        again = await (await client.post("/orders/17")).text()
        await client.post("/orders/18")

        assert first == again
        orders = [(await ws.receive_json())["data"] for _ in range(2)]
        await client.post("/sign-out", headers=ada)
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == FORCED.code
    assert orders == [{"order": "17"}, {"order": "18"}] == example.seen


@checks("embed-follow")
async def _embed_follow(aiohttp_client: AiohttpClient) -> None:
    app = web.Application()
    hub = add_hubbub(app)
    await aiohttp_client(app)
    async with aclosing(run("embed-follow").follow(hub, "open:news")) as news:
        coming = asyncio.Task(anext(news))
        await asyncio.sleep(0)
        # More than fit at once: the first is read before, the rest overflow.
        for number in range(2_500):
            await hub.publish("open:news", number)
        assert (await coming).content == 0
        for number in range(1, 2_500):
            assert (await anext(news)).content == number

        coming = asyncio.Task(anext(news))
        await asyncio.sleep(0)
        await hub.new_epoch("open:news")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await hub.publish("open:news", "anew")

        assert (await coming).content == "anew"


@checks("embed-settings")
async def _embed_settings(aiohttp_client: AiohttpClient) -> None:
    settings = run("embed-settings").settings
    assert settings.data_dir is not None
    client = await aiohttp_client(
        build_app(settings.model_copy(update={"data_dir": None}))
    )
    statuses = [
        (await client.get("/healthz", headers={"Host": host})).status
        for host in ("app.example.org", "else.example.org")
    ]

    assert statuses == [200, 421]


@checks("settings")
async def _settings(aiohttp_client: AiohttpClient) -> None:
    settings = run("settings").app[keys.SETTINGS]

    assert str(settings.data_dir) == "hubbub-data"
    assert "chat.example.org" in settings.host_names


@checks("own-kind")
async def _own_kind(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(run("own-kind").app)
    ada, bob = ({"X-User": name} for name in ("u_ada", "u_bob"))
    goal = {"type": "publish", "channel": "scores:final", "event": "goal", "id": 1}
    join = {"type": "subscribe", "channel": "scores:final", "id": 2}
    async with (
        client.ws_connect("/live/ws", headers=ada) as referee,
        client.ws_connect("/live/ws", headers=bob) as fan,
    ):
        await fan.send_json(join)
        assert (await fan.receive_json())["publications"] == []
        for side in ("home", "away", "home"):
            await referee.send_json({**goal, "data": side})
            assert (await referee.receive_json())["type"] == "reply"
        scores = [await fan.receive_json() for _ in range(3)]
        assert scores[-1]["event"] == "score"
        assert scores[-1]["data"] == {"home": 2, "away": 1}

        await referee.send_json({**goal, "data": "moon"})
        assert (await referee.receive_json())["code"] == 107
        await fan.send_json({**goal, "data": "away"})
        assert (await fan.receive_json())["code"] == 103

        await referee.send_json(join)
        newest = (await referee.receive_json())["publications"]
        assert [each["data"] for each in newest] == [{"home": 2, "away": 1}]


@checks("own-feed")
async def _own_feed(aiohttp_client: AiohttpClient) -> None:
    example = run("own-feed")

    async def readings() -> AsyncIterator[tuple[str, float]]:
        client_is_there = example.__dict__["subscribed"]
        await client_is_there.wait()
        for reading in (("north", 61.0), ("south", 90.0)):
            yield reading

    example.__dict__.update(readings=readings, subscribed=asyncio.Event())
    client = await aiohttp_client(example.app)
    async with client.ws_connect("/live/ws/open/boiler") as ws:
        await ws.receive_json()
        example.subscribed.set()
        told = [await ws.receive_json() for _ in range(3)]

    said = {
        (each["event"], each["data"]["sensor"], "position" in each) for each in told
    }
    assert said == {
        ("reading", "north", False),
        ("reading", "south", False),
        ("alarm", "south", True),
    }


@checks("deploy-runner")
async def _deploy_runner(aiohttp_client: AiohttpClient) -> None:
    runner = await run("deploy-runner").serve(Settings(port=0))
    try:
        host, port = runner.addresses[0][:2]
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{host}:{port}/healthz") as response,
        ):
            assert response.status == 200
    finally:
        await runner.cleanup()


@checks("first-client")
async def _first_client(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(build_app())
    url = str(client.make_url("/ws/chat/lobby?name=Python"))
    async with client.ws_connect("/ws/chat/lobby") as ws:
        await ws.receive_json()
        running = asyncio.Task(run("first-client").main(url))

        event = await ws.receive_json()

        assert event["from"]["name"] == "Python"
        assert event["data"]["text"] == "Hello from Python"
        running.cancel()
        await asyncio.wait([running])


@checks("first-resume")
async def _first_resume(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(build_app())
    hub = client.app[keys.HUB]
    example = run("first-resume")
    example.__dict__["random"] = _NoWait
    url = str(client.make_url("/ws/chat/tea"))

    async def say(number: int) -> None:
        await hub.publish("chat:tea", {"text": str(number)})

    async with (
        aiohttp.ClientSession() as session,
        aclosing(example.follow(session, url)) as tea,
    ):
        await say(1)
        assert _text(await anext(tea)) == "1"
        await say(2)
        assert _text(await anext(tea)) == "2"
        hub.disconnect_all()
        await say(3)
        await say(4)
        assert [_text(await anext(tea)) for _ in range(2)] == ["3", "4"]
    page = await hub.history(SERVER, "chat:tea")
    assert page.top.offset == 4


class _NoWait:
    """Chance, as a test wants it."""

    @staticmethod
    def uniform(*bounds: float) -> float:
        """Return the least."""
        return min(bounds)


def _text(said: Any) -> object:  # noqa: ANN401 - a frame's JSON
    return said["data"]["text"]


def test_examples_have_no_hidden_parts() -> None:
    """An example says `hubbub`, as one who has installed it would."""
    assert "server" not in {
        word
        for text in examples().values()
        for line in text.splitlines()
        if line.startswith(("from ", "import "))
        for word in line.replace(".", " ").split()[:2]
    }
    assert inspect.ismodule(run("embed-settings"))
