"""The names of rooms, as `static/js/chat/room-name.js` makes them of what is typed."""

from __future__ import annotations

import pytest

from server.model import split_channel
from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TYPED = {
    "lobby": "lobby",
    "  Team Lunch! ": "team-lunch",
    "Café  Zoë": "cafe-zoe",
    "a_b.c-d": "a_b.c-d",
    "..": "",
    ".hidden": "hidden",
    "#general": "general",
    "a/b?c#d": "a-b-c-d",
    "上海": "",
    "ﬁne ①": "fine-1",
    "x" * 70: "x" * 64,
    "x" * 63 + " y": "x" * 63,
    "": "",
}


async def test_what_is_typed_becomes_a_name_or_nothing(tab: Tab) -> None:
    """Each is one that the server takes, and that an address can hold as it is."""
    names = await tab.run(
        f"""const {{ roomName }} = await import("/static/js/chat/room-name.js");
        return {list(TYPED)!r}.map(roomName);"""
    )
    assert names == list(TYPED.values())
    for name in filter(None, TYPED.values()):
        assert split_channel(f"chat:{name}") == ("chat", name)
