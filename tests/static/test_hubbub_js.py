"""The browser client as pages make it: its address, its raw frames, a real socket."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_shows_raw_frames_to_those_who_look(tab: Tab) -> None:
    """Direction, text, size in bytes and time; nobody looks: nothing is made."""
    assert await tab.run("""
        world.connect();
        const made = [];
        const dispatch = hub.dispatchEvent.bind(hub);
        hub.dispatchEvent = (event) => made.push(event.type) && dispatch(event);
        world.event("open:a");
        const unseen = made.filter((type) => type === "frame").length;
        const frames = [];
        hub.addEventListener("frame", (event) => frames.push(event.detail));
        hub.signal("open:a", "cursor", "é");
        world.socket.deliver('{"type": "pong"}');
        const [out, into] = frames;
        return [unseen, out.dir, out.size - out.text.length, JSON.parse(out.text).type,
                out.at, into];
    """) == [
        *(0, "out", 1, "signal", 1_000_000),
        {"dir": "in", "text": '{"type": "pong"}', "size": 16, "at": 1_000_000},
    ]


@pytest.mark.parametrize(
    ("meta", "option", "expected"),
    [
        (None, "undefined", "{ws}/ws"),
        ("", "undefined", "{ws}/ws"),
        ("/live/", "undefined", "{ws}/live/ws"),
        ("https://hub.test/a", "undefined", "wss://hub.test/a/ws"),
        ("/live", '"/ws/chat/lobby?name=Ada"', "{ws}/ws/chat/lobby?name=Ada"),
        (None, 'new URL("http://hub.test/ws")', "ws://hub.test/ws"),
    ],
)
async def test_finds_its_address(
    tab: Tab, origin: str, meta: str | None, option: str, expected: str
) -> None:
    """The option, else under the page's `hubbub-base`, else the origin's `/ws`."""
    if meta is not None:
        await tab.page.evaluate(
            """(content) => {
                const meta = document.createElement("meta");
                Object.assign(meta, { name: "hubbub-base", content });
                document.head.append(meta);
            }""",
            meta,
        )
    assert await tab.run(f"""
        const elsewhere = new World({{ url: {option} }});
        elsewhere.connect();
        return elsewhere.socket.url;
    """) == expected.format(ws=origin.replace("http", "ws"))


async def test_a_refused_address_is_told_to_the_caller(tab: Tab) -> None:
    """When the constructor of the socket throws, connect throws, and stays closed."""
    assert await tab.run("""
        class Refusing {
          constructor() { throw new DOMException("", "SecurityError"); }
        }
        const refused = new World({ WebSocket: Refusing });
        try { refused.hub.connect(); } catch ({ name }) {
          return [name, refused.hub.state, refused.clock.timers.size];
        }
    """) == ["SecurityError", "closed", 0]


async def test_works_with_the_browsers_own_socket_clock_and_keys(tab: Tab) -> None:
    """Nothing injected: a publication comes back over a real WebSocket."""
    assert await tab.page.evaluate("""async () => {
        const { Hubbub } = await import("/static/js/hubbub.js");
        const hub = new Hubbub();
        const heard = new Promise((resolve) => {
          const onEvent = ({ data, position }) => resolve([data, position]);
          hub.subscribe("open:a", { onEvent });
        });
        hub.connect();
        const published = await hub.publish("open:a", "hello");
        const event = await heard;
        hub.close();
        return [published, event, hub.state];
    }""") == [{"position": "ep.1", "durable": False}, ["hello", "ep.1"], "closed"]
