"""Publications of the browser client: in order, and once, whatever breaks."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_publication_resolves_when_it_is_acknowledged(tab: Tab) -> None:
    """With position and durability; it has a key, its own or a made one."""
    assert await tab.run("""
        world.connect();
        const first = hub.publish("chat:a", { text: "hi" });
        const made = world.last();
        const waits = await soFar(first);
        world.acknowledge("chat:a", "ep.7");
        hub.publish("chat:a", 2, { event: "edit", key: "mine" });
        return [made, waits, await first, world.last()];
    """) == [
        {
            "type": "publish",
            "channel": "chat:a",
            "key": "key-1",
            "id": 2,
            "data": {"text": "hi"},
        },
        "waits",
        {"position": "ep.7", "durable": True},
        {
            "type": "publish",
            "channel": "chat:a",
            "event": "edit",
            "id": 3,
            "data": 2,
            "key": "mine",
        },
    ]


async def test_made_keys_are_visible_ascii_and_never_the_same(tab: Tab) -> None:
    """The default makes 128 random bits, also where the context is not secure."""
    assert await tab.run("""
        const own = new World({ newKey: undefined });
        own.connect();
        own.hub.publish("open:a", 1);
        own.hub.publish("open:b", 1);
        const [a, b] = own.sent("publish").map(({ key }) => key);
        return [a !== b, /^[0-9a-f]{32}$/.test(a)];
    """) == [True, True]


async def test_a_publication_waits_for_the_connection(tab: Tab) -> None:
    """What was published meanwhile follows the subscriptions' commands, in order."""
    assert await tab.run("""
        world.subscribe("open:a");
        hub.connect();
        const waiting = hub.publish("open:a", 1);
        hub.publish("open:b", 2);
        hub.publish("open:c", 3);
        const waits = await soFar(waiting);
        world.socket.accept();
        const sent = world.sent().map(({ type, channel }) => `${type} ${channel}`);
        return [waits, ...sent];
    """) == [
        "waits",
        *("subscribe open:a", "publish open:a", "publish open:b", "publish open:c"),
    ]


async def test_what_is_unacknowledged_is_sent_again_before_what_is_new(
    tab: Tab,
) -> None:
    """With the same key, in the order of publishing, after the subscribe commands."""
    assert await tab.run("""
        world.subscribe("open:a");
        world.connect();
        const promises = [hub.publish("open:a", 1), hub.publish("open:a", 2)];
        const before = world.last();
        world.socket.drop();
        promises.push(hub.publish("open:a", 3));
        clock.advance(hub.retryInMs);
        world.socket.accept();
        promises.push(hub.publish("open:a", 4));
        for (const n of [1, 2, 3, 4]) world.acknowledge("open:a", `ep.${n}`);
        const positions = (await Promise.all(promises)).map(({ position }) => position);
        return [before.key, positions,
                world.sent().map(({ type, data, key }) => [type, data, key])];
    """) == [
        "key-1",
        ["ep.1", "ep.2", "ep.3", "ep.4"],
        [
            ["subscribe", None, None],
            *[["publish", n, f"key-{n}"] for n in (1, 2, 3, 4)],
        ],
    ]


async def test_one_publication_of_a_channel_is_under_way_at_a_time(tab: Tab) -> None:
    """Another channel's does not wait for it."""
    assert await tab.run("""
        world.connect();
        for (const channel of ["open:a", "open:a", "open:b"]) hub.publish(channel, 1);
        const sent = () =>
          world.sent("publish").map(({ channel, key }) => channel + key);
        const before = sent();
        world.acknowledge("open:b");
        world.acknowledge("open:a");
        return [before, sent()];
    """) == [
        ["open:akey-1", "open:bkey-3"],
        ["open:akey-1", "open:bkey-3", "open:akey-2"],
    ]


async def test_no_acknowledgement_in_time_forces_a_reconnect(tab: Tab) -> None:
    """The publication is sent again with its key: stored once, whatever happened."""
    assert await tab.run("""
        world.connect();
        const published = hub.publish("open:a", 1);
        clock.advance(9999);
        const before = hub.state;
        clock.advance(1);
        const after = [hub.state, world.socket.isClosedByUs, await soFar(published)];
        clock.advance(hub.retryInMs);
        world.socket.accept();
        const { key, data } = world.last();
        world.acknowledge("open:a", "ep.3");
        return [before, ...after, key, data, (await published).position];
    """) == ["live", "reconnecting", True, "waits", "key-1", 1, "ep.3"]


async def test_a_lost_connections_deadlines_are_gone_with_it(tab: Tab) -> None:
    """They do not drop the next connection, which has deadlines of its own."""
    assert await tab.run("""
        world.connect();
        hub.publish("open:a", 1);
        clock.advance(9000);
        world.reconnect();
        clock.advance(9999);
        const before = hub.state;
        clock.advance(1);
        return [before, hub.state];
    """) == ["live", "reconnecting"]


async def test_a_temporary_refusal_is_tried_again_under_the_same_key(
    tab: Tab,
) -> None:
    """With backoff, five times in all; what follows in the channel keeps its place."""
    assert await tab.run("""
        world.chance = 1;
        world.connect();
        const first = hub.publish("open:a", 1);
        hub.publish("open:a", 2);
        const waits = [];
        for (let n = 0; n < 4; n += 1) {
          world.refuse(world.last(), 111, true);
          const sent = world.sent("publish").length;
          const startMs = clock.nowMs;
          while (world.sent("publish").length === sent) clock.advance(100);
          waits.push(clock.nowMs - startMs);
        }
        const keys = world.sent("publish").map(({ key }) => key);
        const before = await soFar(first);
        world.refuse(world.last(), 111, true);
        const { error } = await outcome(first);
        return [waits, keys, before, error.code, world.last().key];
    """) == [[500, 1000, 2000, 4000], ["key-1"] * 5, "waits", 111, "key-2"]


async def test_a_new_publication_does_not_hurry_the_one_before_it(tab: Tab) -> None:
    """While that waits for its next try, nothing is sent in the channel."""
    assert await tab.run("""
        world.connect();
        hub.publish("open:a", 1);
        world.refuse(world.last(), 111, true);
        hub.publish("open:a", 2);
        const before = world.sent("publish").length;
        clock.advance(250);
        return [before, ...world.sent("publish").map(({ key }) => key)];
    """) == [1, "key-1", "key-1"]


async def test_while_the_server_is_cut_off_nothing_is_given_up(tab: Tab) -> None:
    """It is tried again for as long as that lasts, and at once when it is over."""
    assert await tab.run("""
        world.chance = 1;
        world.connect();
        const first = hub.publish("open:a", 1);
        hub.publish("open:a", 2);
        const sent = () => world.sent("publish").length;
        const refuse = (times) => {
          for (let n = 0; n < times; n += 1) {
            world.refuse(world.last(), 108, true);
            for (const before = sent(); sent() === before;) clock.advance(100);
          }
        };
        world.stand(false);
        refuse(9);
        world.refuse(world.last(), 108, true);
        const before = [sent(), await soFar(first)];
        world.stand(true);
        before.push(sent());
        refuse(4);
        world.acknowledge("open:a", "ep.1");
        const keys = world.sent("publish").map(({ key }) => key);
        return [...before, (await first).position, [...new Set(keys)]];
    """) == [10, "waits", 11, "ep.1", ["key-1", "key-2"]]


async def test_what_cannot_be_taken_ever_is_refused_while_cut_off_too(tab: Tab) -> None:
    """Only a temporary refusal waits for better times."""
    assert await tab.run("""
        world.connect();
        const published = hub.publish("open:a", 1);
        world.stand(false);
        world.refuse(world.last(), 103);
        return [(await outcome(published)).error.code];
    """) == [103]


async def test_a_publication_that_waits_for_its_next_try_survives_a_reconnect(
    tab: Tab,
) -> None:
    """It is sent with the others, once."""
    assert await tab.run("""
        world.connect();
        hub.publish("open:a", 1);
        world.refuse(world.last(), 108, true);
        world.reconnect();
        clock.advance(5000);
        return world.sent("publish").map(({ key }) => key);
    """) == ["key-1"]


async def test_a_refusal_rejects_and_the_next_follows(tab: Tab) -> None:
    """What will never be accepted is not tried again."""
    assert await tab.run("""
        world.connect();
        const first = hub.publish("open:a", 1);
        hub.publish("open:a", 2);
        world.refuse(world.last(), 103);
        const { error } = await outcome(first);
        const keys = world.sent("publish").map(({ key }) => key);
        return [error.code, error.temporary, keys];
    """) == [103, False, ["key-1", "key-2"]]


async def test_a_thousand_publications_may_wait(tab: Tab) -> None:
    """One more is refused in words; an acknowledgement makes room."""
    assert await tab.run("""
        world.connect();
        for (let n = 0; n < 999; n += 1) hub.publish("open:a", n);
        const last = await soFar(hub.publish("open:a", 999));
        const { error } = await outcome(hub.publish("open:b", 1000));
        world.acknowledge("open:a");
        return [last, error, await soFar(hub.publish("open:b", 1001))];
    """) == [
        "waits",
        {
            "name": "HubbubError",
            "code": 4,
            "temporary": True,
            "message": "1000 publications wait for their acknowledgement",
        },
        "waits",
    ]


async def test_a_publication_is_what_it_was_when_published(tab: Tab) -> None:
    """Later changes to the object do not reach the server."""
    assert await tab.run("""
        const data = { text: "then" };
        hub.connect();
        hub.publish("open:a", data);
        data.text = "now";
        world.socket.accept();
        return [world.last().data.text];
    """) == ["then"]


async def test_a_frame_that_is_too_large_is_not_sent_for_ever(tab: Tab) -> None:
    """Close 1009 rejects the largest of those under way, and only that."""
    assert await tab.run("""
        world.connect();
        const small = hub.publish("open:a", "x");
        const large = hub.publish("open:b", "x".repeat(100));
        const waiting = hub.publish("open:a", "x".repeat(200));
        world.reconnect(1009);
        const { error } = await outcome(large);
        return [error.code, error.temporary, await soFar(small), await soFar(waiting),
                world.sent("publish").map(({ key }) => key)];
    """) == [106, False, "waits", "waits", ["key-1"]]


async def test_a_1009_without_publications_is_a_lost_connection(tab: Tab) -> None:
    """Something else was too large; what comes later is not blamed."""
    assert await tab.run("""
        world.connect();
        world.socket.drop(1009);
        const published = hub.publish("open:a", 1);
        return [hub.state, await soFar(published)];
    """) == ["reconnecting", "waits"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("hub.close()", "closed"),
        ('world.socket.drop(3503, "forced")', "closed: 3503 forced"),
    ],
)
async def test_when_it_is_closed_what_waits_is_rejected(
    tab: Tab, how: str, message: str
) -> None:
    """Sent, waiting, and new ones: nothing will carry them; the reason is told."""
    assert await tab.run(f"""
        world.connect();
        const promises = [hub.publish("open:a", 1), hub.publish("open:a", 2)];
        {how};
        promises.push(hub.publish("open:a", 3));
        const errors = await Promise.all(promises.map(outcome));
        world.connect();
        return [...errors.map(({{ error }}) => [error.code, error.message]),
                world.sent("publish").length];
    """) == [[3, message], [3, message], [3, message], 0]
