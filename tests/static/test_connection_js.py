"""How the browser client connects, finds out that it is cut off, and comes back."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_connects_and_tells_its_states(tab: Tab) -> None:
    """Closed until asked, then connecting, then live; a second connect is nothing."""
    assert await tab.run("""
        const before = hub.state;
        hub.connect();
        hub.connect();
        world.socket.accept();
        const told = world.states.map(({ state }) => state);
        return [before, ...told, hub.state, world.sockets.length];
    """) == ["closed", "connecting", "live", "live", "live", 1]


async def test_waits_with_full_jitter_over_a_doubling_window(tab: Tab) -> None:
    """The first retry comes within 0.5 s, no later one waits longer than 20 s."""
    assert await tab.run("""
        world.connect();
        const waits = [];
        for (const chance of [0, 1, 1, 0.5, 1, 1, 1, 1]) {
          world.chance = chance;
          world.socket.drop();
          waits.push(hub.retryInMs);
          clock.advance(hub.retryInMs);
        }
        return waits;
    """) == [0, 1000, 2000, 2000, 8000, 16000, 20000, 20000]


@pytest.mark.parametrize(
    ("chance", "wait_ms"), [(0, 700), (0.5, 770), (1, 840)], ids=str
)
async def test_comes_back_when_it_was_told_to(
    tab: Tab, chance: float, wait_ms: int
) -> None:
    """Not before, and up to 20 % later; the pill counts it down as any other wait."""
    assert await tab.run(f"""
        world.chance = {chance};
        world.connect();
        world.socket.drop(3001, "shutdown; retry 700 ms");
        const told = [world.states.at(-1).state, world.states.at(-1).retryInS];
        clock.advance({wait_ms} - 1);
        const before = world.sockets.length;
        clock.advance(1);
        world.socket.accept();
        return [...told, before, world.sockets.length, hub.state];
    """) == ["reconnecting", 1, 1, 2, "live"]


async def test_a_told_time_is_for_the_first_try_only(tab: Tab) -> None:
    """A server that is not there by then is tried again as after any other loss."""
    assert await tab.run("""
        world.chance = 1;
        world.connect();
        const waits = [];
        for (const reason of ["shutdown; retry 7000 ms", "", ""]) {
          world.socket.drop(3001, reason);
          waits.push(hub.retryInMs);
          clock.advance(hub.retryInMs);
        }
        return waits;
    """) == [8400, 500, 1000]


@pytest.mark.parametrize(
    "reason",
    [
        "shutdown",
        "retry 7000 ms",
        "x; retry 700000 ms",
        "x; retry -1 ms",
        "x; retry ms",
    ],
)
async def test_words_that_are_no_time_are_none(tab: Tab, reason: str) -> None:
    """It comes back as after any other loss."""
    assert await tab.run(f"""
        world.chance = 1;
        world.connect();
        world.socket.drop(3001, "{reason}");
        return [hub.retryInMs, world.states.at(-1).reason];
    """) == [500, reason]


async def test_tells_when_it_will_try_again(tab: Tab) -> None:
    """`retryInMs` counts down; the event says whole seconds and the close code."""
    assert await tab.run("""
        world.chance = 0.9;
        world.connect();
        world.socket.drop();
        clock.advance(500);
        world.socket.drop(3008, "slow");
        const { state, retryInS, code, reason, latencyMs } = world.states.at(-1);
        clock.advance(400);
        const left = hub.retryInMs;
        clock.advance(600);
        const trying = world.states.at(-1);
        world.socket.accept();
        return [state, retryInS, code, reason, latencyMs, left,
                trying.state, trying.retryInS, hub.retryInMs, world.states.at(-1).code];
    """) == [
        *("reconnecting", 1, 3008, "slow", None, 500),
        *("reconnecting", None, None, None),
    ]


@pytest.mark.parametrize(("lived_ms", "wait_ms"), [(4999, 1000), (5000, 500)])
async def test_only_a_connection_that_lasted_makes_the_retry_quick_again(
    tab: Tab, lived_ms: int, wait_ms: int
) -> None:
    """A server that accepts and drops at once is not asked ever so often."""
    assert await tab.run(f"""
        world.chance = 1;
        world.connect();
        world.reconnect();
        clock.advance({lived_ms});
        world.socket.drop();
        return [hub.retryInMs];
    """) == [wait_ms]


@pytest.mark.parametrize(
    "code", [1000, 1001, 1006, 1009, 3000, 3001, 3008, 3499, 4000, 4499]
)
async def test_comes_back_after_a_close_that_allows_it(tab: Tab, code: int) -> None:
    """All codes but the final ones mean: the connection was lost."""
    assert await tab.run(f"""
        world.connect();
        world.reconnect({code});
        return [hub.state, world.sockets.length];
    """) == ["live", 2]


@pytest.mark.parametrize("code", [3500, 3503, 3999, 4500, 4999])
async def test_stays_away_after_a_final_close(tab: Tab, code: int) -> None:
    """It keeps code and reason, has nothing planned, and does not wake either."""
    assert await tab.run(f"""
        world.connect();
        world.socket.drop({code}, "because");
        dispatchEvent(new Event("online"));
        document.dispatchEvent(new Event("visibilitychange"));
        hub.retryNow();
        const {{ state, code, reason, retryInS }} = world.states.at(-1);
        return [state, code, reason, retryInS, clock.timers.size, world.sockets.length];
    """) == ["closed", code, "because", None, 0, 1]


async def test_can_be_told_to_connect_again_after_a_final_close(tab: Tab) -> None:
    """An explicit connect is the page's own decision; subscriptions come along."""
    assert await tab.run("""
        world.subscribe("open:a");
        world.connect();
        world.socket.drop(3503, "forced");
        world.connect();
        return [hub.state, world.last().channel];
    """) == ["live", "open:a"]


async def test_retries_at_once_when_asked(tab: Tab) -> None:
    """`retryNow` does not wait, and does not dial twice."""
    assert await tab.run("""
        world.connect();
        hub.retryNow();
        world.socket.drop();
        hub.retryNow();
        hub.retryNow();
        clock.advance(1000);
        return [world.sockets.length, hub.state];
    """) == [2, "reconnecting"]


async def test_tries_seldom_while_the_browser_says_offline(tab: Tab) -> None:
    """A planned retry is put off into the widest window; what is live stays."""
    assert await tab.run("""
        world.chance = 1;
        world.connect();
        pretend(navigator, "onLine", false);
        dispatchEvent(new Event("offline"));
        const live = hub.state;
        world.socket.drop();
        const lost = [hub.state, hub.retryInMs];
        pretend(navigator, "onLine", true);
        clock.advance(20000);
        world.socket.drop();
        const online = [hub.state, hub.retryInMs];
        pretend(navigator, "onLine", false);
        dispatchEvent(new Event("offline"));
        return [live, ...lost, ...online, hub.state, hub.retryInMs,
                world.states.at(-1).state];
    """) == [
        *("live", "offline", 20000, "reconnecting", 500),
        *("offline", 20000, "offline"),
    ]


async def test_comes_back_at_once_when_the_browser_is_online_again(tab: Tab) -> None:
    """And the next retries are quick ones."""
    assert await tab.run("""
        world.chance = 1;
        world.connect();
        for (let n = 0; n < 4; n += 1) {
          world.socket.drop();
          clock.advance(hub.retryInMs);
        }
        world.socket.drop();
        dispatchEvent(new Event("online"));
        const dialled = world.sockets.length;
        world.socket.drop();
        return [dialled, hub.retryInMs];
    """) == [6, 500]


@pytest.mark.parametrize("event", ["online", "offline", "visibilitychange"])
async def test_a_live_connection_in_doubt_is_pinged_at_once(
    tab: Tab, event: str
) -> None:
    """When the page is seen again or the network changed, the socket may be dead."""
    assert await tab.run(f"""
        world.connect();
        const before = world.sent("ping").length;
        const target = "{event}" === "visibilitychange" ? document : window;
        target.dispatchEvent(new Event("{event}"));
        return [before, world.sent("ping").length];
    """) == [1, 2]


async def test_goes_on_while_hidden_and_retries_when_seen(tab: Tab) -> None:
    """Hiding the page changes nothing; showing it does not wait for the retry."""
    assert await tab.run("""
        world.connect();
        world.socket.drop();
        pretend(document, "visibilityState", "hidden");
        document.dispatchEvent(new Event("visibilitychange"));
        const hidden = [world.sockets.length, hub.retryInMs];
        pretend(document, "visibilityState", "visible");
        document.dispatchEvent(new Event("visibilitychange"));
        return [...hidden, world.sockets.length, hub.retryInMs];
    """) == [1, 250, 2, None]


async def test_pings_every_ten_seconds_and_measures(tab: Tab) -> None:
    """Each answer is a new latency, which is told."""
    assert await tab.run("""
        world.answersPings = false;
        world.connect();
        const unknown = hub.latencyMs;
        clock.advance(12);
        world.reply(world.last("ping"));
        const first = [hub.latencyMs, world.states.at(-1).latencyMs];
        clock.advance(9999);
        const early = world.sent("ping").length;
        clock.advance(1);
        const due = world.sent("ping").length;
        clock.advance(30);
        world.reply(world.last("ping"));
        return [unknown, ...first, early, due, hub.latencyMs];
    """) == [None, 12, 12, 1, 2, 30]


async def test_one_ping_at_a_time(tab: Tab) -> None:
    """However often the page is seen again while one waits for its answer."""
    assert await tab.run("""
        world.answersPings = false;
        world.connect();
        document.dispatchEvent(new Event("visibilitychange"));
        dispatchEvent(new Event("online"));
        return [world.sent("ping").length];
    """) == [1]


async def test_drops_a_socket_that_does_not_answer_a_ping(tab: Tab) -> None:
    """After ten seconds it reconnects, without waiting for the dead socket's close."""
    assert await tab.run("""
        world.answersPings = false;
        world.connect();
        clock.advance(9999);
        const before = hub.state;
        clock.advance(1);
        const dead = world.socket;
        const after = [hub.state, hub.latencyMs, dead.isClosedByUs];
        clock.advance(hub.retryInMs);
        world.socket.accept();
        dead.drop(3503);
        dead.deliver({ type: "event", channel: "open:a" });
        return [before, ...after, hub.state, world.sent("ping").length];
    """) == ["live", "reconnecting", None, True, "live", 1]


async def test_gives_up_an_attempt_that_hangs(tab: Tab) -> None:
    """A socket that does not open within ten seconds is dropped and dialled anew."""
    assert await tab.run("""
        hub.connect();
        clock.advance(10000);
        const after = [hub.state, world.socket.isClosedByUs];
        clock.advance(hub.retryInMs);
        return [...after, world.sockets.length];
    """) == ["reconnecting", True, 2]


async def test_close_ends_everything(tab: Tab) -> None:
    """The socket is closed, nothing is planned, window events mean nothing."""
    assert await tab.run("""
        world.connect();
        hub.close();
        hub.close();
        dispatchEvent(new Event("online"));
        const told = world.states.filter(({ state }) => state === "closed").length;
        return [hub.state, world.socket.isClosedByUs, clock.timers.size,
                world.sockets.length, told];
    """) == ["closed", True, 0, 1, 1]


async def test_after_close_and_connect_window_events_count_once(tab: Tab) -> None:
    """The first connection's listeners are gone."""
    assert await tab.run("""
        world.connect();
        hub.close();
        world.connect();
        dispatchEvent(new Event("online"));
        return [world.sent("ping").length];
    """) == [2]


async def test_live_is_told_when_the_subscriptions_are_sent(tab: Tab) -> None:
    """What a page publishes on hearing it comes after them."""
    assert await tab.run("""
        world.subscribe("open:a");
        hub.addEventListener("state", ({ detail }) => {
          if (detail.state === "live") hub.publish("open:a", 1);
        });
        world.answersPings = false;
        world.connect();
        return world.sent().map(({ type }) => type);
    """) == ["subscribe", "publish"]


async def test_tells_that_the_server_is_cut_off(tab: Tab) -> None:
    """It is live, and paused, until it hears otherwise or comes by a new connection."""
    assert await tab.run("""
        world.connect();
        world.stand(false);
        const told = [hub.state, hub.paused, world.states.at(-1).paused];
        world.stand(true);
        told.push(hub.paused, world.states.at(-1).paused);
        world.stand(false);
        world.socket.drop();
        told.push(hub.paused, world.states.at(-1).paused);
        return told;
    """) == ["live", True, True, False, False, False, False]
