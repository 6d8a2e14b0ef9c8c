"""*Break it*, over HTTP and a socket of a whole application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from server.app import build_app
from server.keys import HUB
from server.web.lab import LAB_KEY, MAX_FLOODS

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse, web
    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient


@dataclass
class Visitor:
    """A browser with a cookie, and the socket of its lab."""

    client: TestClient[web.Request, web.Application]
    id: str

    @property
    def channel(self) -> str:
        """A lab channel of this visitor's."""
        return f"open:lab-{self.id}.tab1"

    @property
    def origin(self) -> dict[str, str]:
        """What a browser says of where it is."""
        return {"Origin": str(self.client.make_url("")).rstrip("/")}

    async def post(self, call: str, **words: object) -> tuple[int, dict[str, Any]]:
        """Call; return the status and the answer."""
        async with self.client.post(
            f"/api/lab/{call}", json=words, headers=self.origin
        ) as answer:
            return answer.status, await answer.json()

    async def join(self) -> ClientWebSocketResponse:
        """Subscribe to the lab channel."""
        socket = await self.client.ws_connect("/ws", headers=self.origin)
        await socket.send_json({"type": "subscribe", "id": 1, "channel": self.channel})
        assert (await socket.receive_json())["type"] == "reply"
        return socket


@pytest.fixture
async def visitor(aiohttp_client: AiohttpClient) -> AsyncIterator[Visitor]:
    """Somebody with a name, in a house in memory."""
    client = await aiohttp_client(build_app())
    origin = {"Origin": str(client.make_url("")).rstrip("/")}
    async with client.post("/api/name", json={"name": "Ada"}, headers=origin) as answer:
        yield Visitor(client, (await answer.json())["id"])


async def read_flood(socket: ClientWebSocketResponse) -> tuple[list[int], Any]:
    """Read to the flood's end; return the numbers and what the end says."""
    numbers: list[int] = []
    while True:
        frame = await socket.receive_json()
        if frame["event"] == "end":
            return numbers, frame["data"]
        numbers.append(frame["data"]["n"])


async def test_a_flood_comes_whole(visitor: Visitor) -> None:
    """What is received is what was sent, in order; then another may begin."""
    socket = await visitor.join()
    for _ in range(2):
        status, told = await visitor.post(
            "flood", channel=visitor.channel, per_s=500, seconds=0.2
        )
        assert status == 202
        assert (told["total"], told["mode"]) == (100, "publications")
        numbers, end = await read_flood(socket)
        assert numbers == list(range(1, 101))
        assert end == {"flood": told["flood"], "sent": 100, "mode": "publications"}


async def test_one_flood_at_a_time(visitor: Visitor) -> None:
    """A second one of the same user is answered 429, also into another channel."""
    socket = await visitor.join()
    flood = {"per_s": 100, "seconds": 0.3}
    assert (await visitor.post("flood", channel=visitor.channel, **flood))[0] == 202
    status, told = await visitor.post("flood", channel=visitor.channel + "x", **flood)
    assert (status, told["code"]) == (429, 111)
    await read_flood(socket)


async def test_floods_are_few_in_all(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When enough others flood, one is asked to come again."""
    others = {f"g_{n}" for n in range(MAX_FLOODS)}
    monkeypatch.setattr(visitor.client.app[LAB_KEY], "flooding", others)
    status, told = await visitor.post(
        "flood", channel=visitor.channel, per_s=1, seconds=1
    )
    assert (status, told["code"]) == (429, 111)


@pytest.mark.parametrize("call", ["flood", "epoch"])
@pytest.mark.parametrize(
    ("channel", "status"),
    [
        ("open:lab-g_other", 403),
        ("open:lab-g_other.tab1", 403),
        ("open:news", 403),
        ("chat:lobby", 403),
        ("chat:lab-{id}", 403),
        ("hub:stats", 403),
        ("no channel", 404),
    ],
)
async def test_only_ones_own_lab_can_be_broken(
    visitor: Visitor, call: str, channel: str, status: int
) -> None:
    """Neither another's lab nor anything that is no lab."""
    words: dict[str, object] = {"channel": channel.format(id=visitor.id)}
    if call == "flood":
        words |= {"per_s": 1, "seconds": 1}
    got, told = await visitor.post(call, **words)
    assert got == status
    assert set(told) == {"code", "message"}


async def test_a_new_epoch_is_told(visitor: Visitor) -> None:
    """Subscribers get a reset; a second at once is answered 429."""
    socket = await visitor.join()
    status, told = await visitor.post("epoch", channel=visitor.channel)
    assert (status, told) == (200, {"channel": visitor.channel})
    assert (await socket.receive_json())["type"] == "reset"
    status, told = await visitor.post("epoch", channel=visitor.channel)
    assert (status, told["code"]) == (429, 111)


async def test_what_was_said_before_a_new_epoch_cannot_be_resumed(
    visitor: Visitor,
) -> None:
    """A position of the old stream is answered: not recovered."""
    socket = await visitor.join()
    hub = visitor.client.app[HUB]
    position = await hub.publish(visitor.channel, 1)
    assert (await socket.receive_json())["position"] == str(position)
    await visitor.post("epoch", channel=visitor.channel)
    assert (await socket.receive_json())["type"] == "reset"
    await socket.send_json(
        {
            "type": "subscribe",
            "id": 2,
            "channel": visitor.channel,
            "since": str(position),
        }
    )
    reply = await socket.receive_json()
    assert (reply["type"], reply["recovered"]) == ("reply", False)


async def test_an_epoch_of_a_channel_that_is_not_open(visitor: Visitor) -> None:
    """There is nobody to tell: unavailable."""
    status, told = await visitor.post("epoch", channel=visitor.channel)
    assert (status, told["code"]) == (503, 108)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"\xff", "application/json"),
        (b'{"channel": 1}', "application/json"),
        (b'{"channel": "open:x"}', "text/plain"),
    ],
)
async def test_a_bad_body_is_refused(visitor: Visitor, body: bytes, kind: str) -> None:
    """What is not the asked-for JSON is answered 400, in JSON."""
    headers = {**visitor.origin, "Content-Type": kind}
    async with visitor.client.post(
        "/api/lab/epoch", data=body, headers=headers
    ) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == 107


async def test_a_big_body_is_refused(visitor: Visitor) -> None:
    """A call's body has at most 4 KiB."""
    status, _ = await visitor.post("epoch", channel="x" * 5000)
    assert status == 413
