"""What the browser client asks of a server, and every way in which that ends."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_ids_increase_over_all_connections(tab: Tab) -> None:
    """An answer can never meet a later command of the same number."""
    assert await tab.run("""
        world.subscribe("open:a");
        world.connect();
        hub.presence("open:a");
        const before = world.socket.sent.map(({ id }) => id);
        world.reconnect();
        return [...before, ...world.socket.sent.map(({ id }) => id)];
    """) == [1, 2, 3, 4, 5]


async def test_an_answer_nobody_waits_for_is_ignored(tab: Tab) -> None:
    """Unknown and missing ids, and a second reply to the same command."""
    assert await tab.run("""
        world.connect();
        const { log } = world.subscribe("open:b");
        world.joined("ep.1");
        world.joined("ep.2");
        const asked = hub.presence("open:a");
        world.reply({ id: 99 }, { count: 1 });
        world.socket.deliver({ type: "reply", channel: "open:a", count: 2 });
        world.reply(world.last(), { count: 3 });
        world.reply(world.last(), { count: 4 });
        return [(await asked).count, hub.state, log.length];
    """) == [3, "live", 1]


async def test_a_frame_that_is_no_json_is_reported_and_survived(tab: Tab) -> None:
    """So is null; unknown types and binary frames are ignored."""
    assert await tab.run("""
        const { log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.0");
        world.socket.deliver("{");
        world.socket.deliver("null");
        world.socket.deliver({ type: "news", channel: "open:a" });
        world.socket.dispatchEvent(new MessageEvent("message", { data: new Blob() }));
        world.event("open:a", "ep.1");
        return [hub.state, log.at(-1)];
    """) == ["live", "event ep.1"]
    await tab.settle()
    assert len(tab.faults) == 2
    tab.faults.clear()


async def test_history_and_presence_ask_and_answer(tab: Tab) -> None:
    """They send what the wire names and resolve with the reply."""
    assert await tab.run("""
        world.connect();
        const back = hub.history("chat:a", { before: "ep.9", limit: 2 });
        const range = world.last();
        world.reply(range, { publications: [publication("ep.8")], position: "ep.20" });
        const who = hub.presence("chat:a");
        const asked = world.last();
        world.reply(asked, { count: 3, presence: [] });
        return [range, (await back).publications[0].position, asked, (await who).count];
    """) == [
        {"type": "history", "channel": "chat:a", "before": "ep.9", "limit": 2, "id": 2},
        "ep.8",
        {"type": "presence", "channel": "chat:a", "id": 3},
        3,
    ]


async def test_a_refused_command_rejects_with_the_servers_words(tab: Tab) -> None:
    """Code, message and whether it is temporary."""
    assert await tab.run("""
        world.connect();
        const asked = hub.history("chat:a");
        world.refuse(world.last(), 103);
        return await outcome(asked);
    """) == {
        "error": {
            "name": "HubbubError",
            "code": 103,
            "message": "refused 103",
            "temporary": False,
        }
    }


async def test_a_command_without_answer_rejects(tab: Tab) -> None:
    """When time is up, when the connection is lost, and when there is none."""
    assert await tab.run("""
        const errors = [];
        errors.push(await outcome(hub.presence("open:a")));
        world.connect();
        const slow = hub.history("open:a");
        clock.advance(9999);
        const waits = await soFar(slow);
        clock.advance(1);
        errors.push(await outcome(slow));
        const lost = hub.presence("open:a");
        const cut = hub.signal("open:a", "typing", true);
        const live = hub.state;
        world.socket.drop();
        errors.push(await outcome(lost), await outcome(cut));
        const told = errors.map(({ error }) => [error.code, error.temporary]);
        return [waits, live, ...told];
    """) == ["waits", "live", [2, True], [1, True], [2, True], [2, True]]


async def test_signals_are_for_now_only(tab: Tab) -> None:
    """Sent while live; while disconnected they resolve false and are not sent later."""
    assert await tab.run("""
        const before = await hub.signal("open:a", "typing", 1);
        world.connect();
        const sent = hub.signal("open:a", "cursor", { x: 1 }, { key: "me" });
        const command = world.last();
        world.reply(command);
        const refused = hub.signal("open:a", "typing", 2);
        world.refuse(world.last(), 111, true);
        const { error } = await outcome(refused);
        return [before, await sent, command, error.code, world.sent("signal").length];
    """) == [
        *(False, True),
        {
            "type": "signal",
            "channel": "open:a",
            "event": "cursor",
            "id": 2,
            "data": {"x": 1},
            "key": "me",
        },
        *(111, 2),
    ]


async def test_what_is_no_json_rejects(tab: Tab) -> None:
    """It is told to the caller and harms nothing."""
    assert await tab.run("""
        world.connect();
        const errors = [await outcome(hub.publish("open:a", 1n)),
                        await outcome(hub.signal("open:a", "big", 1n))];
        hub.publish("open:a", 1);
        return [...errors.map(({ error }) => error.name), world.sent().length];
    """) == ["TypeError", "TypeError", 1]


async def test_rejections_that_nobody_hears_trouble_nobody(tab: Tab) -> None:
    """No unhandled rejection, whatever fails, and when the page does not look."""
    assert await tab.run("""
        hub.publish("open:a", 1);
        world.connect();
        hub.publish("open:a", 2);
        hub.publish("open:a", 3n);
        hub.presence("open:a");
        hub.history("open:a");
        hub.signal("open:a", "typing", true);
        world.subscribe("open:a").subscription.unsubscribe();
        world.socket.drop(3503);
        hub.presence("open:a");
        return [hub.state];
    """) == ["closed"]
    await tab.settle()
    assert tab.faults == []
