"""The pill: what it says of a connection, and tells those who do not see it."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PILL = """
    const { ConnectionPill } = await import("/static/js/pill.js");
    document.body.innerHTML = `<div id="announcer"></div><div class="pill">
        <span class="pill__word"></span><span class="pill__more"></span>
        <span class="pill__again"><button class="pill__retry">retry</button></span>
    </div>`;
    const root = document.querySelector(".pill");
    const told = document.getElementById("announcer");
    const look = () => [root.dataset.state, root.innerText.trim(), told.textContent];
    new ConnectionPill(root).follow(hub);
    root.querySelector(".pill__again").hidden = true;
"""


async def test_says_when_the_server_is_cut_off(tab: Tab) -> None:
    """A live connection that carries nothing is not called live; it says why."""
    assert await tab.run(f"""{PILL}
        world.connect();
        clock.advance(0);
        const seen = [look()];
        world.stand(false);
        seen.push(look(), [root.title.startsWith("The server is cut off")]);
        world.stand(true);
        seen.push(look(), [root.title]);
        world.stand(false);
        world.socket.drop();
        seen.push([root.dataset.state, root.title, told.textContent]);
        return seen;
    """) == [
        ["live", "Live \N{MIDDLE DOT} 0 ms", "Connection: Live"],
        ["paused", "Paused", "Connection: Paused"],
        [True],
        ["live", "Live \N{MIDDLE DOT} 0 ms", "Connection: Live"],
        [""],
        ["reconnecting", "", "Connection: Reconnecting"],
    ]
