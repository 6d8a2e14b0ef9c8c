from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest
from aiohttp import WSMsgType, web
from pydantic import SecretStr

from server import Hub, Position, Refusal, Settings, build_app, keys
from server.errors import SHUTDOWN, UNAVAILABLE, SettingsError
from server.model import JSON, SERVER, Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    Client: TypeAlias = TestClient[web.Request, web.Application]
    Open: TypeAlias = Callable[[], Awaitable[Client]]

CHAT = "/ws/chat/tea"
ROUTES = (
    "/ws",
    "/ws/chat",
    "/ws/chat/tea",
    "/ws/notes/plan?format=json",
    "/ws/open/news",
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "kept" / "here"


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    """Settings that keep what is said."""
    return Settings(data_dir=data_dir)


@pytest.fixture
def open_kept(settings: Settings, aiohttp_client: AiohttpClient) -> Open:
    """Starts an application on the data directory; each after the one before."""

    async def start() -> Client:
        return await aiohttp_client(build_app(settings))

    return start


def hub_of(client: Client) -> Hub:
    """Return the hub behind a client."""
    return client.app[keys.HUB]


async def test_messages_survive_a_restart(open_kept: Open) -> None:
    """What was acknowledged in chat is there after a restart, at its position."""
    client = await open_kept()
    async with client.ws_connect(CHAT) as ws:
        await ws.receive_json()
        await ws.send_json(
            {"type": "publish", "data": {"text": "Hi"}, "id": 1, "key": "k"}
        )
        answers = [await ws.receive_json(), await ws.receive_json()]
    reply = next(each for each in answers if each["type"] == "reply")
    assert reply["durable"] is True
    await client.close()

    async with (await open_kept()).ws_connect(CHAT) as ws:
        welcome = await ws.receive_json()

    said = [
        (each["position"], each["data"]["text"]) for each in welcome["publications"]
    ]
    assert said == [(reply["position"], "Hi")]


async def test_resume_over_a_restart(open_kept: Open) -> None:
    """Who left before a restart gets after it what was missed, and only that."""
    client = await open_kept()
    seen = await hub_of(client).publish("chat:tea", {"text": "seen"})
    await hub_of(client).publish("chat:tea", {"text": "missed"})
    await client.close()

    async with (await open_kept()).ws_connect(f"{CHAT}?since={seen}") as ws:
        welcome = await ws.receive_json()

    assert welcome["recovered"] is True
    assert [each["data"]["text"] for each in welcome["publications"]] == ["missed"]


async def test_notes_survive_a_restart(open_kept: Open) -> None:
    """A note has its text after a restart."""
    client = await open_kept()
    edit: JSON = {"at": 0, "text": "# Plan"}
    await hub_of(client).publish("notes:plan", edit, event="insert")
    await client.close()

    async with (await open_kept()).ws_connect("/ws/notes/plan?format=json") as ws:
        assert (await ws.receive_json())["state"]["text"] == "# Plan"


async def test_keys_survive_a_restart(open_kept: Open) -> None:
    """A message resent after a restart is stored once, at its first position."""
    client = await open_kept()
    first = await hub_of(client).publish("chat:tea", {"text": "Hi"}, key="k")
    await client.close()

    again = await open_kept()

    assert await hub_of(again).publish("chat:tea", {"text": "Hi"}, key="k") == first


async def test_welcome_is_said_once(open_kept: Open) -> None:
    """The welcome room and note are furnished at the first start only."""
    tops: list[Position] = []
    for _ in range(2):
        client = await open_kept()
        hub = hub_of(client)
        tops.append((await hub.history(SERVER, "chat:lobby")).top)
        tops.append((await hub.history(SERVER, "notes:welcome")).top)
        await client.close()

    assert tops[:2] == tops[2:]
    assert [top.offset for top in tops[:2]] == [2, 1]


async def test_guests_survive_a_restart(open_kept: Open) -> None:
    """A guest's cookie is good after a restart: the secret is kept."""
    client = await open_kept()
    origin = str(client.make_url("/")).rstrip("/")
    response = await client.post(
        "/api/name", json={"name": "Ada"}, headers={"Origin": origin}
    )
    cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
    ada = await response.json()
    await client.close()

    again = await open_kept()
    headers = cookie | {"Origin": str(again.make_url("/")).rstrip("/")}
    async with again.ws_connect(CHAT + "?presence=1", headers=headers) as ws:
        members = (await ws.receive_json())["presence"]

    assert members == [{"id": ada["id"], "name": "Ada", "sessions": 1}]


async def test_memory_channels_begin_anew(open_kept: Open) -> None:
    """A memory channel has another epoch after a restart, and says so."""
    client = await open_kept()
    before = await hub_of(client).publish("open:news", 1)
    await client.close()

    again = await open_kept()
    async with again.ws_connect(f"/ws/open/news?since={before}") as ws:
        welcome = await ws.receive_json()

    assert (welcome["recovered"], welcome["publications"]) == (False, [])
    assert welcome["position"].partition(".")[0] != str(before).partition(".")[0]


async def test_one_process_a_directory(open_kept: Open, settings: Settings) -> None:
    """A second application on a data directory does not start, and says why."""
    await open_kept()

    with pytest.raises(SettingsError, match="in use by another Hubbub"):
        await _start(build_app(settings))


async def test_a_failed_start_lets_go(
    open_kept: Open, data_dir: Path, settings: Settings
) -> None:
    """After a start that failed the directory is free again."""
    app = build_app(settings)

    async def fail(app: web.Application) -> None:
        raise OSError("no")

    app.on_startup.append(fail)
    with pytest.raises(OSError, match="no"):
        await _start(app)

    assert (await (await open_kept()).get("/readyz")).status == 200


@pytest.mark.parametrize("path", ROUTES)
async def test_shutdown_sends_away(aiohttp_client: AiohttpClient, path: str) -> None:
    """On shutdown every socket is closed with the code that says: come back."""
    client = await aiohttp_client(build_app())
    async with client.ws_connect(path) as ws:
        if path != "/ws":
            await ws.receive_json()

        stopping = asyncio.Task(client.app.shutdown())

        message = await ws.receive()
        while message.type is WSMsgType.TEXT:
            message = await ws.receive()
        await stopping
        assert message.type is WSMsgType.CLOSE
        assert message.data == SHUTDOWN.code
        assert message.extra == SHUTDOWN.retry(1000).words


async def test_what_waits_is_told_before_the_close(
    aiohttp_client: AiohttpClient,
) -> None:
    """What was published before the shutdown arrives before its close frame."""
    client = await aiohttp_client(build_app())
    hub = hub_of(client)
    async with client.ws_connect("/ws/open/news") as ws:
        await ws.receive_json()
        for number in range(50):
            await hub.publish("open:news", number)

        stopping = asyncio.Task(client.app.shutdown())

        assert [(await ws.receive_json())["data"] for _ in range(50)] == [*range(50)]
        assert (await ws.receive()).data == SHUTDOWN.code
        await stopping


async def test_nothing_before_the_start() -> None:
    """Before its start a hub refuses everything, for now."""
    hub = build_app()[keys.HUB]

    with pytest.raises(Refusal) as refused:
        await hub.publish("open:news", 1)

    assert refused.value.error is UNAVAILABLE


async def test_nothing_after_the_stop(aiohttp_client: AiohttpClient) -> None:
    """After its stop a hub refuses at once, in open channels too."""
    client = await aiohttp_client(build_app())
    hub = hub_of(client)
    await hub.publish("open:news", 1)
    await client.close()

    async with asyncio.timeout(5):
        for name in ("open:news", "open:other"):
            with pytest.raises(Refusal) as refused:
                await hub.publish(name, 1)
            assert refused.value.error is UNAVAILABLE


async def test_what_was_submitted_is_kept(open_kept: Open) -> None:
    """The stop waits for what was submitted, though nobody waits for its answer."""
    client = await open_kept()
    hub = hub_of(client)
    sent = [
        await hub.submit(SERVER, "chat:tea", Event("message", {"text": str(number)}))
        for number in range(200)
    ]
    await client.close()

    positions = [hub.judge(each.result()) for each in sent]
    page = await hub_of(await open_kept()).history(SERVER, "chat:tea", limit=200)

    assert [each.position for each in page.publications] == positions
    assert len(positions) == 200


async def test_nobody_waits_for_a_stopped_hub(open_kept: Open) -> None:
    """Who publishes while the hub stops is acknowledged or refused, never left."""
    client = await open_kept()
    hub = hub_of(client)
    sending = [
        asyncio.Task(_outcome(hub.publish(f"chat:r{number}", {"text": "hi"})))
        for number in range(200)
    ]
    await asyncio.sleep(0)
    await client.close()

    async with asyncio.timeout(5):
        outcomes = [await each for each in sending]

    again = hub_of(await open_kept())
    for number, outcome in enumerate(outcomes):
        kept = (await again.history(SERVER, f"chat:r{number}")).publications
        if isinstance(outcome, Position):
            assert [each.position for each in kept] == [outcome]
        else:
            # Its transaction may have been under way: a resend by its key would tell.
            assert outcome is UNAVAILABLE
            assert len(kept) <= 1


async def test_start_and_stop_order(settings: Settings) -> None:
    """The hub serves while other parts start and stop, and not outside of that."""
    app = build_app(settings)
    hub = app[keys.HUB]
    seen: list[object] = []

    async def say(app: web.Application) -> None:
        seen.append(await hub.publish("chat:tea", {"text": "hi"}))

    app.on_startup.append(say)
    app.on_shutdown.append(say)
    runner = await _start(app)
    await runner.cleanup()

    assert [type(each) for each in seen] == [Position, Position]
    assert hub.stopping


async def _outcome(publishing: Awaitable[Position | None]) -> object:
    try:
        return await publishing
    except Refusal as refusal:
        return refusal.error


async def _start(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app)
    try:
        await runner.setup()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


def test_a_missing_redis_package_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who needs one node only need not install it."""
    for name in tuple(sys.modules):
        if "backplanes.redis" in name:
            monkeypatch.delitem(sys.modules, name)
        elif name.partition(".")[0] == "redis":
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "redis", None)
    settings = Settings(
        redis_url=SecretStr("redis://ann:sesame@localhost"),
        database_url=SecretStr("postgresql+asyncpg://ann:sesame@localhost/hubbub"),
    )
    with pytest.raises(SettingsError, match=r"pip install 'hubbub\[redis\]'") as fault:
        build_app(settings)
    assert "sesame" not in str(fault.value)
