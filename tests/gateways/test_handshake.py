from __future__ import annotations

import pytest
from aiohttp import ClientConnectionResetError

from server.gateways.handshake import Response
from tests.gateways.conftest import OpenPlace


async def test_a_handshake_that_is_cut_leaves_no_trace_in_the_log(
    open_place: OpenPlace,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody can do it, as often as they like."""

    async def cut(*_: object) -> None:
        raise ClientConnectionResetError("cut")

    place = await open_place()
    monkeypatch.setattr(Response, "prepare", cut)
    response = await place.client.get(
        "/ws",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    )
    assert response.status == 400
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []
