"""A channel in the browser client: nothing doubled, nothing missed, all counted."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_subscribes_with_what_was_asked_for(tab: Tab) -> None:
    """At once when live, else when the connection is there."""
    assert await tab.run("""
        const options = { presence: true, since: "e.p.5" };
        const { subscription } = world.subscribe("open:a", options);
        world.connect();
        world.subscribe("open:b");
        return [...world.sent(), subscription.channel, subscription.position];
    """) == [
        {
            "type": "subscribe",
            "channel": "open:a",
            "id": 2,
            "since": "e.p.5",
            "presence": True,
        },
        {"type": "subscribe", "channel": "open:b", "id": 3},
        *("open:a", "e.p.5"),
    ]


@pytest.mark.parametrize("since", ["5", "ep.", ".5", "ep.x", ""])
async def test_refuses_a_since_that_is_no_position(tab: Tab, since: str) -> None:
    """A programmer's error is thrown, and leaves no subscription behind."""
    assert await tab.run(f"""
        try {{ hub.subscribe("open:a", {{ since: "{since}" }}); }} catch ({{ name }}) {{
          hub.subscribe("open:a");
          return [name];
        }}
    """) == ["SyntaxError"]


async def test_a_channel_is_subscribed_once(tab: Tab) -> None:
    """A second subscription would have no position of its own."""
    assert await tab.run("""
        world.subscribe("open:a");
        try { hub.subscribe("open:a"); } catch ({ message }) { return [message]; }
    """) == ["already subscribed to open:a"]


async def test_hands_over_the_reply_then_events_in_order(tab: Tab) -> None:
    """Publications move the position on, signals do not; both are counted."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        const before = subscription.position;
        world.joined("ep.3", { publications: [publication("ep.3")] });
        world.event("open:a", "ep.4");
        world.event("open:a");
        world.event("open:elsewhere", "ep.9");
        world.event("open:a", "ep.5");
        return [before, log, subscription.position, subscription.counts];
    """) == [
        None,
        [
            "reply ep.3 recovered=false first=true",
            "event ep.4",
            "event s",
            "event ep.5",
        ],
        "ep.5",
        {
            "received": 3,
            "recovered": 0,
            "doubled": 0,
            "missed": 0,
            "merged": 0,
            "skipped": 0,
        },
    ]


async def test_a_publication_that_was_seen_is_dropped(tab: Tab) -> None:
    """The same and an older offset of the epoch; both are counted."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        for (const offset of [4, 4, 2, 5]) world.event("open:a", `ep.${offset}`);
        return [log.slice(1), subscription.counts.doubled, subscription.position];
    """) == [["event ep.4", "event ep.5"], 2, "ep.5"]


async def test_a_gap_is_counted_and_filled(tab: Tab) -> None:
    """It asks from the last good position, and takes nothing but signals meanwhile."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        world.event("open:a", "ep.6");
        world.event("open:a", "ep.7");
        world.event("open:a");
        const { since } = world.last();
        const asked = world.sent("subscribe").length;
        world.joined("ep.7", { recovered: true,
          publications: [4, 5, 6, 7].map((offset) => publication(`ep.${offset}`)) });
        world.event("open:a", "ep.8");
        const { received, recovered, missed, doubled } = subscription.counts;
        return [since, asked, log.slice(1), received, recovered, missed, doubled];
    """) == [
        *("ep.3", 2),
        [
            *("event s", "reply ep.7 recovered=true first=false"),
            *(f"event ep.{offset}" for offset in (4, 5, 6, 7, 8)),
        ],
        *(6, 4, 2, 0),
    ]


async def test_resumes_after_a_reconnect(tab: Tab) -> None:
    """What was missed goes to onReply and, one by one, to onEvent."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a", { presence: true });
        world.connect();
        world.joined("ep.3");
        world.event("open:a", "ep.4");
        world.reconnect();
        const { since, presence } = world.last();
        world.joined("ep.6", { recovered: true,
          publications: [4, 5, 6].map((offset) => publication(`ep.${offset}`)) });
        const { received, recovered, doubled } = subscription.counts;
        return [since, presence, log.slice(2), subscription.position,
                received, recovered, doubled];
    """) == [
        *("ep.4", True),
        ["reply ep.6 recovered=true first=false", "event ep.5", "event ep.6"],
        *("ep.6", 3, 2, 1),
    ]


async def test_goes_on_from_a_past_that_it_was_given(tab: Tab) -> None:
    """It is told like a reply, before there is a connection; the rest comes once."""
    assert await tab.run("""
        const past = { type: "reply", channel: "open:a", position: "ep.2",
          recovered: false, publications: [1, 2].map((at) => publication(`ep.${at}`)) };
        const { subscription, log } = world.subscribe("open:a", { past });
        const atOnce = [...log];
        await null;
        const before = [...log, subscription.position];
        world.connect();
        const { since } = world.last();
        world.joined("ep.4", { recovered: true,
          publications: [2, 3, 4].map((offset) => publication(`ep.${offset}`)) });
        world.event("open:a", "ep.5");
        const { missed, doubled } = subscription.counts;
        return [atOnce, before, since, log.slice(1), missed, doubled];
    """) == [
        [],
        ["reply ep.2 recovered=false first=true", "ep.2"],
        "ep.2",
        [
            "reply ep.4 recovered=true first=false",
            *("event ep.3", "event ep.4", "event ep.5"),
        ],
        *(0, 1),
    ]


async def test_a_past_of_another_life_of_the_server_is_begun_anew(tab: Tab) -> None:
    """The server cannot go on from there: its reply is all there is."""
    assert await tab.run("""
        const past = { position: "old.7", recovered: false, publications: [] };
        const { subscription, log } = world.subscribe("open:a", { past });
        await null;
        world.connect();
        const { since } = world.last();
        world.joined("new.1");
        world.event("open:a", "new.2");
        return [since, log, subscription.position];
    """) == [
        "old.7",
        [
            "reply old.7 recovered=false first=true",
            "reply new.1 recovered=false first=false",
            "event new.2",
        ],
        "new.2",
    ]


async def test_who_left_is_not_told_of_the_past(tab: Tab) -> None:
    """Not even where it was given along with the subscription."""
    log = await tab.run("""
        const past = { position: "ep.2", recovered: false, publications: [] };
        const { subscription, log } = world.subscribe("open:a", { past });
        subscription.unsubscribe();
        await null;
        return log;
    """)
    assert log == []


async def test_a_hole_in_what_was_recovered_is_counted(tab: Tab) -> None:
    """A server that breaks its word is shown, not asked again and again."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a", { since: "ep.3" });
        world.connect();
        world.joined("ep.7", { recovered: true, publications: [publication("ep.6")] });
        const { missed } = subscription.counts;
        const asked = world.sent("subscribe").length;
        world.event("open:a", "ep.8");
        return [log, missed, asked, subscription.counts.missed, world.last().since];
    """) == [["reply ep.7 recovered=true first=true", "event ep.6"], 2, 1, 3, "ep.6"]


async def test_begins_anew_when_it_cannot_be_resumed(tab: Tab) -> None:
    """The reply is all there is; its publications are the page's to show."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        world.reconnect();
        world.joined("new.9", { publications: [publication("new.9")] });
        world.event("open:a", "new.10");
        return [log.slice(1), subscription.position, subscription.counts.received];
    """) == [["reply new.9 recovered=false first=false", "event new.10"], "new.10", 1]


async def test_a_reset_forgets_the_position(tab: Tab) -> None:
    """It is told, and the channel subscribed again without `since`."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a", { since: "ep.1" });
        world.connect();
        world.joined("ep.3", { recovered: true });
        world.socket.deliver({ type: "reset", channel: "open:a", position: "new.0" });
        const forgotten = subscription.position;
        const { since } = world.last();
        world.event("open:a", "new.1");
        world.joined("new.1");
        world.event("open:a", "new.2");
        return [forgotten, since, log.slice(1), subscription.position];
    """) == [
        *(None, None),
        ["reset new.0", "reply new.1 recovered=false first=false", "event new.2"],
        "new.2",
    ]


async def test_only_the_newest_subscribe_command_counts(tab: Tab) -> None:
    """A reset while a gap is being filled: the old reply says nothing any more."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        world.event("open:a", "ep.9");
        const old = world.last();
        world.socket.deliver({ type: "reset", channel: "open:a", position: "new.0" });
        world.reply(old, { position: "ep.9", recovered: true,
                           publications: [publication("ep.4")] });
        world.refuse(old, 108, true);
        world.joined("new.0");
        return [log.slice(1), subscription.position, world.sent("subscribe").length];
    """) == [["reset new.0", "reply new.0 recovered=false first=false"], "new.0", 3]


async def test_another_epoch_without_a_reset_is_not_trusted(tab: Tab) -> None:
    """The server is asked whether the old position can be resumed."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        world.event("open:a", "new.1");
        const { since } = world.last();
        world.joined("new.1");
        return [since, log.slice(1), subscription.counts.missed, subscription.position];
    """) == ["ep.3", ["reply new.1 recovered=false first=false"], 0, "new.1"]


async def test_tells_who_comes_and_goes_and_what_was_withheld(tab: Tab) -> None:
    """Join, leave and gap frames; the latter's numbers add up."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a");
        world.connect();
        world.joined("ep.0");
        const user = { id: "g_1", name: "Ada" };
        const told = { channel: "open:a" };
        world.socket.deliver({ type: "join", ...told, user, count: 2 });
        world.socket.deliver({ type: "leave", ...told, user, count: 1 });
        world.socket.deliver({ type: "gap", ...told, skipped: 1, merged: 20 });
        world.socket.deliver({ type: "gap", ...told, skipped: 2, merged: 0 });
        const { merged, skipped } = subscription.counts;
        return [log.slice(1), merged, skipped];
    """) == [["join Ada 2", "leave Ada 1", "gap 1 20", "gap 2 0"], 20, 3]


async def test_a_refused_subscription_is_told(tab: Tab) -> None:
    """And tried again with the next connection only: the visitor may have signed in."""
    assert await tab.run("""
        const { log } = world.subscribe("chat:secret");
        world.connect();
        world.refuse(world.last(), 103);
        clock.advance(60000);
        const asked = world.sent("subscribe").length;
        world.reconnect();
        return [log, asked, world.sent("subscribe").length];
    """) == [["error 103 false"], 1, 1]


async def test_a_temporarily_refused_subscription_is_tried_again(tab: Tab) -> None:
    """With backoff, which a success resets; a lost connection takes its place."""
    assert await tab.run("""
        world.chance = 1;
        const { log } = world.subscribe("open:a");
        world.connect();
        const asked = [];
        const count = () => asked.push(world.sent("subscribe").length);
        world.refuse(world.last(), 108, true);
        clock.advance(499); count();
        clock.advance(1); count();
        world.refuse(world.last(), 108, true);
        clock.advance(999); count();
        clock.advance(1); count();
        world.joined("ep.0");
        world.event("open:a", "ep.2");
        world.refuse(world.last(), 108, true);
        clock.advance(500); count();
        world.refuse(world.last(), 108, true);
        world.reconnect();
        clock.advance(5000); count();
        return [asked, log.filter((line) => line.startsWith("error")).length];
    """) == [[1, 2, 2, 3, 5, 1], 4]


async def test_a_subscription_is_not_tried_while_disconnected(tab: Tab) -> None:
    """A planned try ends with the connection; the next one begins with subscribing."""
    assert await tab.run("""
        world.subscribe("open:a");
        world.connect();
        world.refuse(world.last(), 108, true);
        world.chance = 0.1;
        world.socket.drop();
        clock.advance(5000);
        world.socket.accept();
        clock.advance(5000);
        return [hub.state, world.sent().length];
    """) == ["live", 1]


async def test_an_unrecoverable_position_is_forgotten(tab: Tab) -> None:
    """Refused with 112: once more, without `since`."""
    assert await tab.run("""
        const { log } = world.subscribe("open:a", { since: "ep.5" });
        world.connect();
        world.refuse(world.last(), 112);
        const { since } = world.last();
        world.refuse(world.last(), 112);
        return [since, log, world.sent("subscribe").length];
    """) == [None, ["error 112 false", "error 112 false"], 2]


async def test_a_subscription_without_answer_is_tried_again(tab: Tab) -> None:
    """The time-out is told; the socket, which answers pings, stays."""
    assert await tab.run("""
        const { log } = world.subscribe("open:a");
        world.connect();
        clock.advance(10250);
        return [log, world.sent("subscribe").length, world.sockets.length];
    """) == [["error 1 true"], 2, 1]


async def test_an_error_without_id_goes_to_its_channel(tab: Tab) -> None:
    """Without a channel that we have, to nobody."""
    assert await tab.run("""
        const { log } = world.subscribe("open:a");
        world.connect();
        const error = { type: "error", code: 107, message: "bad request" };
        world.socket.deliver({ ...error, channel: "open:a", temporary: false });
        world.socket.deliver({ ...error, temporary: false });
        return log;
    """) == ["error 107 false"]


async def test_unsubscribe_leaves_for_good(tab: Tab) -> None:
    """Nothing is called any more, not even from within a handler; one may come anew."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a",
          { onReply: () => subscription.unsubscribe() });
        world.connect();
        const first = world.last();
        world.joined("ep.2", { recovered: true, publications: [publication("ep.2")] });
        subscription.unsubscribe();
        world.event("open:a", "ep.3");
        const left = world.sent("unsubscribe");
        const again = world.subscribe("open:a");
        world.event("open:a", "ep.3");
        world.joined("ep.3");
        world.reconnect();
        return [log, left, again.log, world.sent("subscribe").length];
    """) == [
        [],
        [{"type": "unsubscribe", "channel": "open:a", "id": 3}],
        ["reply ep.3 recovered=false first=true"],
        1,
    ]


async def test_unsubscribe_while_disconnected_or_refused(tab: Tab) -> None:
    """Nothing is sent later: not the command, not a planned retry, not a rejoin."""
    assert await tab.run("""
        const { subscription } = world.subscribe("open:a");
        const other = world.subscribe("open:b",
          { onReset: () => other.subscription.unsubscribe() });
        const away = world.subscribe("open:c").subscription;
        away.unsubscribe();
        world.connect();
        world.socket.deliver({ type: "reset", channel: "open:b", position: "new.0" });
        world.refuse(world.sent()[0], 108, true);
        subscription.unsubscribe();
        clock.advance(30000);
        return world.sent().map(({ type, channel }) => `${type} ${channel}`);
    """) == [
        *("subscribe open:a", "subscribe open:b"),
        *("unsubscribe open:b", "unsubscribe open:a"),
    ]


async def test_a_handlers_fault_is_reported_and_breaks_nothing(tab: Tab) -> None:
    """Thrown or rejected, in a subscription's handler or a listener of the hub's."""
    assert await tab.run("""
        const { subscription, log } = world.subscribe("open:a", {
          onReply: () => { throw new Error("from onReply"); },
          onEvent: async (event) => {
            log.push(event.data);
            throw new Error("from onEvent");
          },
        });
        const reported = [];
        globalThis.reportError = ({ message }) => reported.push(message);
        hub.addEventListener("state", ({ detail }) => {
          if (detail.state === "live" && detail.latencyMs === null) {
            throw new Error("from state");
          }
        });
        world.answersPings = false;
        world.connect();
        world.joined("ep.1", { recovered: true, publications: [publication("ep.1")] });
        world.event("open:a", "ep.2");
        await new Promise((resolve) => setTimeout(resolve));
        return [log, subscription.position, hub.state, reported];
    """) == [
        *(["ep.1", "ep.2"], "ep.2", "live"),
        ["from onReply", "from onEvent", "from onEvent"],
    ]
    await tab.settle()
    assert tab.faults == ["from state"]
    tab.faults.clear()


async def test_closing_and_connecting_again_resumes(tab: Tab) -> None:
    """The subscriptions outlive the close, with their positions."""
    assert await tab.run("""
        world.subscribe("open:a");
        world.connect();
        world.joined("ep.3");
        hub.close();
        world.connect();
        return [world.last().since, world.sockets.length];
    """) == ["ep.3", 2]


async def test_what_was_refused_is_asked_for_when_the_server_is_whole(tab: Tab) -> None:
    """Its next try is not waited for; who is in already does not join anew."""
    assert await tab.run("""
        world.connect();
        world.subscribe("open:a");
        world.joined("ep.0");
        world.subscribe("open:b");
        world.refuse(world.last(), 108, true);
        const before = world.sent("subscribe").length;
        world.stand(true);
        clock.advance(5000);
        return [before, ...world.sent("subscribe").map(({ channel }) => channel)];
    """) == [2, "open:a", "open:b", "open:b"]
