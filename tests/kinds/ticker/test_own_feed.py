"""The page about one's own feed says what is true: its code runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from tests.docs.pages import run

if TYPE_CHECKING:
    from pytest_aiohttp.plugin import AiohttpClient


async def readings() -> AsyncIterator[tuple[str, float]]:
    """Two sensors, one of which gets hot."""
    for reading in (("north", 20.5), ("south", 79.0), ("north", 81.0)):
        yield reading


async def test_readings_are_signals_and_alarms_publications(
    aiohttp_client: AiohttpClient,
) -> None:
    """Each reading comes under its sensor's key; the alarm gets a position."""
    example = run("own-feed")
    example.__dict__["readings"] = readings
    # It begins when the reader is there, not at the start.
    example.app.on_startup.remove(example.start)
    client = await aiohttp_client(example.app)
    async with client.ws_connect("/live/ws/open/boiler") as ws:
        await ws.receive_json()
        await example.start(example.app)
        told: list[dict[str, Any]] = []
        while len(told) < 3:
            frame = await ws.receive_json()
            if frame["type"] == "event":
                told.append(frame)
    readings_told = {
        each["key"]: each["data"] for each in told if "position" not in each
    }
    (alarm,) = [each for each in told if "position" in each]
    # Of the north only the newest: the first had not left when the second came.
    assert readings_told == {
        "north": {"sensor": "north", "celsius": 81.0},
        "south": {"sensor": "south", "celsius": 79.0},
    }
    assert (alarm["event"], alarm["data"]) == ("alarm", readings_told["north"])


async def test_it_starts_with_the_application(aiohttp_client: AiohttpClient) -> None:
    """As the page has it, readings come by themselves."""
    client = await aiohttp_client(run("own-feed").app)
    async with client.ws_connect("/live/ws/open/boiler") as ws:
        assert (await ws.receive_json())["type"] == "reply"
        assert (await ws.receive_json())["event"] in ("reading", "alarm")
