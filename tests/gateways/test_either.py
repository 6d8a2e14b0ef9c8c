"""`/ws/notes/{name}`: the first frame decides which wire it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import WSServerHandshakeError

from server.gateways import deflate
from server.gateways.yjs import codec
from server.settings import Settings
from tests.gateways.note_house import House, Yjs, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientWebSocketResponse


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An empty house."""
    async with open_house() as opened:
        yield opened


async def json_note(house: House, query: str = "") -> ClientWebSocketResponse:
    """Open a note without having said in which words."""
    return await house.client.ws_connect(f"/ws/notes/lab?as=ada{query}")


INSERT = {
    "type": "publish",
    "event": "insert",
    "data": {"at": 0, "text": "😀 in words"},
}


async def test_the_server_is_silent_until_the_first_frame(house: House) -> None:
    """Stock Yjs providers throw on a text frame, so nothing is said before."""
    ws = await json_note(house)
    with pytest.raises(asyncio.TimeoutError):
        await ws.receive(0.05)


async def test_a_first_text_frame_decides_for_json(house: House) -> None:
    """The reply of the subscription comes first, then that of the command."""
    ws = await json_note(house)
    await ws.send_json({"type": "ping", "id": 1})
    first = await ws.receive_json()
    assert first["type"] == "reply"
    assert first["channel"] == "notes:lab"
    assert first["state"] == {"text": "", "title": ""}
    assert (await ws.receive_json())["id"] == 1
    await ws.send_bytes(codec.sync_step1(b"\0"))
    await ws.receive()
    assert ws.close_code == 3501


async def test_the_query_decides_at_once(house: House) -> None:
    """With `format=json` the reply needs no frame."""
    ws = await json_note(house, "&format=json")
    assert (await ws.receive_json())["channel"] == "notes:lab"
    assert house.hub.stats.sessions == {"native": 1, "yjs": 0}


async def test_both_wires_lead_to_one_text(house: House) -> None:
    """An edit in words reaches Yjs clients, and theirs come as changes in words."""
    ws = await json_note(house, "&format=json")
    await ws.receive_json()
    bob = await house.join("bob")
    await ws.send_json(INSERT | {"id": 1})
    await bob.reads("😀 in words")
    change = await ws.receive_json()
    assert change["data"] == {"changes": [[0, 0, "😀 in words"]]}
    assert (await ws.receive_json())["position"] == change["position"]
    await bob.send(codec.update(bob.insert(4, "!")))
    assert (await ws.receive_json())["data"] == {"changes": [[1, 0, "!"]]}
    edit = {"from": 0, "to": 2, "text": ""}
    await ws.send_json({"type": "publish", "event": "replace", "data": edit})
    await bob.reads(" in words")


async def test_the_bare_route_is_the_welcome_note(house: House) -> None:
    """`/ws/notes` needs no name."""
    ws = await house.client.ws_connect("/ws/notes?format=json")
    assert (await ws.receive_json())["channel"] == "notes:welcome"


@pytest.mark.parametrize("name", ["Bad%20Name", "x" * 65, "%2e%2e%2fx"])
async def test_a_name_that_can_never_be_is_not_found(house: House, name: str) -> None:
    """It is refused before the upgrade."""
    with pytest.raises(WSServerHandshakeError, match="404"):
        await house.client.ws_connect(f"/ws/notes/{name}")


async def test_a_note_that_nobody_may_open_is_denied_in_words(house: House) -> None:
    """The error, then 3507."""
    ws = await house.client.ws_connect("/ws/notes/ACME?format=json")
    assert (await ws.receive_json())["type"] == "error"
    await ws.receive()
    assert ws.close_code == 3507


async def test_a_text_frame_has_the_bound_of_the_native_wire() -> None:
    """Binary frames may be larger here; a text frame is closed with 1009 as ever."""
    async with open_house(Settings(max_frame_bytes=2048)) as house:
        ws = await json_note(house)
        await ws.send_str("x" * 2049)
        await ws.receive_json()
        await ws.receive()
        assert ws.close_code == 1009
        bob = await house.join("bob")
        await bob.write("x" * 4096)
        await bob.send(codec.saved(1))
        await bob.is_saved(1)


async def test_both_wires_are_compressed_once_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For all who agreed to it (RFC 7692); what they say may be compressed as well."""
    compressed: list[bytes] = []
    whole = deflate.deflate

    def counting(payload: bytes, window_bits: int) -> bytes:
        compressed.append(payload)
        return whole(payload, window_bits)

    text = "what is said again and again " * 30
    async with open_house(Settings(compress=True)) as house:
        editors = []
        for who in ("ada", "bob", "cyd"):
            path = f"/ws/notes/lab?as={who}"
            editors.append(Yjs(await house.client.ws_connect(path, compress=15)))
            await editors[-1].sync()
        scripts = []
        for _ in range(2):
            path = "/ws/notes/lab?as=dan&format=json"
            scripts.append(await house.client.ws_connect(path, compress=15))
            await scripts[-1].receive_json()
        monkeypatch.setattr(deflate, "deflate", counting)
        await editors[0].write(text)
        for each in editors:
            await each.reads(text)
        for script in scripts:
            change = await script.receive_json()
            assert change["data"] == {"changes": [[0, 0, text]]}
        assert len(compressed) == 2
        late = Yjs(await house.client.ws_connect("/ws/notes/lab", compress=15))
        await late.sync()
        assert str(late.text) == text
        assert len(compressed) == 3
