"""Following channels by an event stream: order, resumption, refusals, hostile peers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Text

from server.errors import (
    BAD_REQUEST,
    PERMISSION_DENIED,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Away,
)
from server.gateways.places import MAX_PLACES
from server.hub.limits import Limits
from server.model import SERVER, Action, Event
from server.settings import Settings
from tests.gateways.sse.readers import Heard, RawReader
from tests.looptime import turns, until

from .conftest import cookie_of

if TYPE_CHECKING:
    from .conftest import House, OpenHouse


def positions(heard: list[Heard]) -> list[str]:
    """The positions of the publications among events."""
    return [each.words["position"] for each in heard if each.type == "message"]


async def hear(reader: RawReader, count: int) -> list[Heard]:
    """The next events."""
    return [await reader.hear() for _ in range(count)]


# Joining


async def test_a_stream_begins_with_its_answer(house: House) -> None:
    """When to come back, the subscribe reply, then the newest few as events."""
    for number in range(3):
        await house.hub.publish("open:a", number)
    reader = await house.follow("/sse/open:a")
    assert reader.status == 200
    assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reader.headers["cache-control"] == "no-store, no-transform"
    assert reader.headers["x-accel-buffering"] == "no"
    answer, *recent = await hear(reader, 3)
    assert reader.retries == [1_000]
    assert (answer.type, answer.last_id) == ("subscribed", "epoch1.1")
    assert answer.words == {
        "type": "reply",
        "channel": "open:a",
        "position": "epoch1.3",
        "recovered": False,
        "signals": [],
        "durable": False,
    }
    assert [each.words["data"] for each in recent] == [1, 2]
    assert [each.last_id for each in recent] == ["epoch1.2", "epoch1.3"]


async def test_a_stream_tells_what_the_native_wire_tells(house: House) -> None:
    """Byte for byte, publications and signals, in the same order."""
    reader = await house.follow("/sse/open:a")
    socket = await house.client.ws_connect("/ws/open/a")
    await reader.hear()
    await socket.receive()
    for number in range(20):
        event = Event("note", {"n": number, "é": "\u2028"}, signal=number % 3 == 0)
        if event.signal:
            await house.hub.signal(SERVER, "open:a", event)
        else:
            await house.hub.publish("open:a", event.content, event="note")
    for _ in range(20):
        heard = await reader.hear()
        assert heard.type == "note"
        assert heard.data == (await socket.receive()).data
        assert (heard.id_line is None) == ("position" not in heard.words)
    await socket.close()


async def test_a_hundred_streams_share_one_encoding(house: House) -> None:
    """An event is made once for all that speak HTTP/1.1, and once for 1.0."""
    readers = [await house.follow("/sse/open:a") for _ in range(100)]
    readers.append(await house.follow("/sse/open:a", version="1.0"))
    for reader in readers:
        await reader.hear()
    before = house.hub.stats.encodes
    await house.hub.publish("open:a", "x")
    for reader in readers:
        assert (await reader.hear()).words["data"] == "x"
    assert house.hub.stats.encodes - before == 2


async def test_who_comes_and_goes_is_told_to_who_asks(house: House) -> None:
    """With `presence=1`; the answer has who is there."""
    ada = await house.follow("/sse/open:a?presence=1", cookie_of("Ada"))
    answer = (await ada.hear()).words
    assert [each["name"] for each in answer["presence"]] == ["Ada"]
    bob = await house.follow("/sse/open:a?name=Bob")
    assert "presence" not in (await bob.hear()).words
    own, join = await hear(ada, 2)
    assert (own.type, own.words["user"]["name"]) == ("join", "Ada")
    assert (join.words["user"]["name"], join.id_line) == ("Bob", None)


async def test_notes_show_their_text(house: House) -> None:
    """The state in the answer, then what changed, as the native wire shows it."""
    source: Doc[Text] = Doc()
    source["content"] = text = Text("Tea")
    await house.hub.publish("notes:n", source.get_update(), event="update")
    reader = await house.follow("/sse/notes:n")
    answer = (await reader.hear()).words
    assert answer["state"] == {"text": "Tea", "title": "Tea"}
    before = source.get_state()
    text.insert(3, "\ntime")
    await house.hub.publish("notes:n", source.get_update(before), event="update")
    change = await reader.hear()
    assert change.type == "change"
    assert change.last_id == change.words["position"]
    assert "\ntime" in json.dumps(change.words["data"]).replace("\\n", "\n")


# Resuming


def cuts(body: bytes) -> list[int]:
    """Where to cut: beside each line end, and in the middle of each line."""
    ends = [index for index, byte in enumerate(body) if byte == ord("\n")]
    middles = [(a + b) // 2 for a, b in zip([0, *ends], ends, strict=False)]
    near = [end + beside for end in ends for beside in (0, 1)]
    return sorted({0, *middles, *near})


def seen(body: bytes, last_id: str) -> tuple[list[str], str]:
    """What a reader has of a body that was cut: positions, and its last id."""
    found = []
    # What its empty line did not end is dropped.
    for block in body.decode(errors="ignore").split("\n\n")[:-1]:
        kind = ""
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name == "id":
                last_id = value
            elif name == "event":
                kind = value
            elif name == "data" and kind == "message":
                found.append(json.loads(value)["position"])
    return found, last_id


async def told(house: House, path: str, since: str) -> bytes:
    """All of a stream's body, as it stands when nothing more comes."""
    reader = await house.follow(path, {"Last-Event-ID": since}, version="1.0")
    house.hub.disconnect_all()
    return (await reader.body()).partition(b"retry: 1000\nevent: closing")[0]


async def test_a_stream_cut_anywhere_resumes(house: House) -> None:
    """Without a gap and without a double, wherever its bytes ended."""
    for number in range(5):
        await house.hub.publish("open:a", number)
    every = [f"epoch1.{number}" for number in range(2, 6)]
    body = await told(house, "/sse/open:a", "epoch1.1")
    assert seen(body, "") == (every, "epoch1.5")
    for cut in cuts(body):
        got, last_id = seen(body[:cut], "epoch1.1")
        rest, _ = seen(await told(house, "/sse/open:a", last_id), last_id)
        assert got + rest == every, body[:cut]


async def test_a_stream_of_several_channels_cut_anywhere_resumes(house: House) -> None:
    """Each channel without a gap and without a double."""
    every: dict[str, list[str]] = {"epoch1": [], "epoch2": []}
    for number in range(1, 4):
        for epoch, channel in (("epoch1", "open:a"), ("epoch2", "open:b")):
            await house.hub.publish(channel, number)
            every[epoch].append(f"{epoch}.{number}")
    path, since = "/sse/open:a?channel=open:b", "open:a=epoch1.0,open:b=epoch2.0"
    body = await told(house, path, since)
    assert seen(body, "")[1] == "open:a=epoch1.3,open:b=epoch2.3"
    for cut in cuts(body):
        got, last_id = seen(body[:cut], since)
        rest, _ = seen(await told(house, path, last_id), last_id)
        for epoch, expected in every.items():
            assert [at for at in got + rest if epoch in at] == expected, body[:cut]


async def test_several_channels_have_one_place_each(house: House) -> None:
    """Live events move theirs; a signal moves none."""
    reader = await house.follow("/sse/open:a?channel=open:b&channel=chat:c")
    answers = await hear(reader, 3)
    assert [each.words["channel"] for each in answers] == ["open:a", "open:b", "chat:c"]
    assert answers[0].last_id == "open:a=epoch1.0"
    await house.hub.publish("open:b", 1)
    await house.hub.signal(SERVER, "open:a", Event("s", 1, signal=True))
    await house.hub.publish("open:a", 2)
    heard = await hear(reader, 3)
    assert [each.id_line for each in heard] == [
        "open:a=epoch1.0,open:b=epoch2.1,chat:c=epoch3.0",
        None,
        "open:a=epoch1.1,open:b=epoch2.1,chat:c=epoch3.0",
    ]


async def test_one_channel_takes_its_place_out_of_many(house: House) -> None:
    """Who followed several may come back for one, by either spelling."""
    for number in range(3):
        await house.hub.publish("open:a", number)
    for since in ("epoch1.1", "open:a=epoch1.1", "open:z=e.7,open:a=epoch1.1"):
        reader = await house.follow(f"/sse/open:a?since={since}")
        assert (await reader.hear()).words["recovered"] is True
        assert positions(await hear(reader, 2)) == ["epoch1.2", "epoch1.3"]


async def test_the_header_wins_over_the_query(house: House) -> None:
    """An EventSource comes back to the same address, with where it is by then."""
    for number in range(3):
        await house.hub.publish("open:a", number)
    reader = await house.follow(
        "/sse/open:a?since=epoch1.0", {"Last-Event-ID": "epoch1.2"}
    )
    await reader.hear()
    assert (await reader.hear()).words["position"] == "epoch1.3"


async def test_what_cannot_be_resumed_is_said(house: House) -> None:
    """Another epoch, or ahead of the top: `recovered` is false, and a new beginning."""
    await house.hub.publish("open:a", 1)
    for since in ("gone.1", "epoch1.99"):
        reader = await house.follow("/sse/open:a", {"Last-Event-ID": since})
        answer, recent = await hear(reader, 2)
        assert answer.words["recovered"] is False
        assert (answer.last_id, recent.last_id) == ("epoch1.0", "epoch1.1")


async def test_one_may_leave_by_one_wire_and_resume_by_another(house: House) -> None:
    """From here to the native wire and back: the position is the same string."""
    reader = await house.follow("/sse/open:a")
    await house.hub.publish("open:a", 1)
    await reader.hear_of("message")
    reader.close()
    await house.hub.publish("open:a", 2)
    socket = await house.client.ws_connect(f"/ws/open/a?since={reader.last_id}")
    reply = await socket.receive_json()
    assert [each["data"] for each in reply["publications"]] == [2]
    await house.hub.publish("open:a", 3)
    position = (await socket.receive_json())["position"]
    await socket.close()
    await house.hub.publish("open:a", 4)
    again = await house.follow("/sse/open:a", {"Last-Event-ID": position})
    assert (await again.hear_of("message")).words["data"] == 4


async def test_what_is_live_while_the_past_is_read_comes_behind_it(
    house: House,
) -> None:
    """In order, each once."""
    await house.hub.publish("open:a", 1)
    house.log.read_gate.clear()
    reader = await house.follow("/sse/open:a?since=epoch1.0")
    await until(lambda: house.hub.channels["open:a"].subscriptions)
    await house.hub.publish("open:a", 2)
    house.log.read_gate.set()
    await reader.hear()
    assert positions(await hear(reader, 2)) == ["epoch1.1", "epoch1.2"]


async def test_a_new_stream_of_the_channel_is_told(house: House) -> None:
    """Without an id: what a reader has cannot be resumed, and then it is told so."""
    await house.hub.publish("open:a", 1)
    reader = await house.follow("/sse/open:a")
    await reader.hear_of("message")
    await house.hub.new_epoch("open:a")
    reset = await reader.hear()
    assert (reset.type, reset.last_id) == ("reset", "epoch1.1")
    await house.hub.publish("open:a", 2)
    assert (await reader.hear()).last_id == "epoch2.1"


# Refusals


async def refused(house: House, path: str, **headers: str) -> tuple[int, Any]:
    """The status and the words of a refusal."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with house.client.get(path, headers=names) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    "channel", ["open", "open:", "open:A", "OPEN:a", "x:y", "open:%C3%A9", "open:a%0A"]
)
async def test_an_unknown_channel_is_not_found(house: House, channel: str) -> None:
    """As a plain answer, from which an EventSource does not come back."""
    status, words = await refused(house, f"/sse/{channel}")
    assert (status, words["code"]) == (404, UNKNOWN_CHANNEL.code)
    assert not house.hub.sessions


@pytest.mark.parametrize(
    "query",
    [
        *("since=x", "since=epoch1", "since=epoch1.-1", "since=epoch1.1%0A"),
        *("since=open:a", "since=open:a=x", "since=open:a=e.1,open:a=e.2"),
        "since=epoch1.9007199254740993",
        *("channel=open:a", "channel=open:b&channel=open:b"),
        "channel=open:b&since=e.1",
    ],
)
async def test_a_bad_query_is_a_bad_request(house: House, query: str) -> None:
    """Positions that are none, channels that stand there twice."""
    status, words = await refused(house, f"/sse/open:a?{query}")
    assert (status, words["code"]) == (400, BAD_REQUEST.code)


@pytest.mark.parametrize(
    "last_id", ["x", "e.1.1", "é.1", "a=b", "e.1,e.2", "1" * 8_000]
)
async def test_a_bad_last_event_id_is_a_bad_request(house: House, last_id: str) -> None:
    """It was never ours."""
    status, _ = await refused(house, "/sse/open:a", Last_Event_ID=last_id)
    assert status == 400


async def test_what_may_not_be_read_is_forbidden(house: House) -> None:
    """Alone, and among others that may: then all of it."""
    house.tally.denied.add(("g_ada", Action.SUBSCRIBE))
    for path in ("/sse/tally:a", "/sse/open:a?channel=tally:a"):
        status, words = await refused(house, path, **cookie_of("Ada"))
        assert (status, words["code"]) == (403, PERMISSION_DENIED.code)
        assert words["channel"] == "tally:a"
    assert not house.hub.sessions
    assert house.hub.stats.refused[PERMISSION_DENIED.code] == 2


async def test_an_outage_is_told_on_the_stream(house: House) -> None:
    """A browser never comes back from an error, but from a stream that ended."""
    house.tally.load_fault = Away("not there")
    reader = await house.follow("/sse/tally:a")
    assert reader.status == 200
    heard = await reader.rest()
    assert [each.type for each in heard] == ["refused", "closing"]
    assert heard[0].words["code"] == UNAVAILABLE.code
    assert heard[0].words["temporary"] is True
    assert heard[1].words["code"] < 3500
    assert reader.retries == [1_000, 4_000]
    assert reader.last_id == ""
    assert not house.hub.sessions


async def test_an_outage_while_joining_is_told_too(house: House) -> None:
    """Behind what had been told; nothing is said of the channel that failed."""
    for channel in ("open:a", "open:b"):
        await house.hub.publish(channel, 1)
    house.log.read_fault = Away("not there")
    reader = await house.follow("/sse/open:a?channel=open:b")
    heard = await reader.rest()
    assert [each.type for each in heard] == ["refused", "closing"]
    assert reader.retries == [1_000, 4_000]


async def test_a_full_server_is_told_on_the_stream(open_house: OpenHouse) -> None:
    """There will be room later."""
    house = await open_house(limits=Limits(channels=1))
    await house.hub.publish("open:a", 1)
    reader = await house.follow("/sse/open:b")
    assert [each.type for each in await reader.rest()] == ["refused", "closing"]


async def test_a_fault_is_told_as_one_and_logged(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Its text stays in the log."""
    house.tally.load_fault = KeyError("secret")
    reader = await house.follow("/sse/tally:a")
    refusal = (await reader.rest())[0]
    assert "secret" not in refusal.data
    assert "secret" in caplog.text


async def test_a_node_that_is_cut_off_says_so(house: House) -> None:
    """And that it is whole again."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    house.log.read_fault = Away("not there")
    house.hub.watch.look()
    assert (await reader.hear()).words == {"type": "status", "live": False}
    house.log.read_fault = None
    house.hub.watch.look()
    assert (await reader.hear()).words == {"type": "status", "live": True}


# Other methods


async def test_head_tells_the_head_and_opens_nothing(house: House) -> None:
    """As GET would, refusals too."""
    reader = await house.follow("/sse/open:a", method="HEAD")
    assert reader.status == 200
    assert reader.headers["content-type"].startswith("text/event-stream")
    assert await reader.end() == b""
    assert not house.hub.stats.opened
    missing = await house.follow("/sse/open:A", method="HEAD")
    assert missing.status == 404


async def test_other_methods_are_not_allowed(house: House) -> None:
    """The answer says which are."""
    for method in ("PUT", "DELETE", "PATCH"):
        async with house.client.request(method, "/sse/open:a") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET,HEAD,OPTIONS,POST"


# Hostile peers


async def test_twenty_channels_are_the_most(open_house: OpenHouse) -> None:
    """Two hundred are refused before anything is opened; so are more than set."""
    house = await open_house()
    for count, status in ((MAX_PLACES, 200), (MAX_PLACES + 1, 400), (200, 400)):
        more = "&".join(f"channel=open:c{number}" for number in range(1, count))
        reader = await house.follow(f"/sse/open:c0?{more}")
        assert reader.status == status
    assert len(house.hub.channels) == MAX_PLACES
    few = await open_house(Settings(subscriptions_per_session=1))
    assert (await refused(few, "/sse/open:a?channel=open:b"))[0] == 400


async def test_header_bombs_are_refused(house: House) -> None:
    """By the server's own bounds, and nobody else notices."""
    neighbour = await house.follow("/sse/open:a")
    await neighbour.hear()
    many = {f"X-Bomb-{number}": "x" for number in range(200)}
    for headers in (many, {"X-Bomb": "x" * 10_000}, {"Last-Event-ID": "e" * 10_000}):
        reader = await house.follow("/sse/open:a", headers)
        assert reader.status == 400
    await house.hub.publish("open:a", 1)
    assert (await neighbour.hear()).words["data"] == 1


async def test_a_request_behind_a_stream_is_not_served(house: House) -> None:
    """It waits, bounded, and the connection ends with the stream."""
    second = b"GET /sse/open:b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    reader = await RawReader.open(
        house.port, "GET /sse/open:a HTTP/1.1", {}, more=second * 100
    )
    house.readers.append(reader)
    await reader.hear()
    await house.hub.publish("open:a", 1)
    assert (await reader.hear()).words["data"] == 1
    assert set(house.hub.channels) == {"open:a"}
    house.hub.disconnect_all()
    await reader.rest()
    assert await reader.end() == b""
    assert set(house.hub.channels) == {"open:a"}


async def test_who_closes_its_side_only_is_gone(house: House) -> None:
    """Half a connection is none: its session ends."""
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(b"GET /sse/open:a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await until(lambda: house.hub.sessions, 20_000)
    writer.write_eof()
    await until(lambda: not house.hub.sessions, 10_000_000)
    writer.close()


async def test_a_storm_of_streams_leaves_nothing(house: House) -> None:
    """Five hundred that come and go at once: no session, no subscription stays."""
    for _ in range(10):
        readers = [await house.follow("/sse/open:a") for _ in range(50)]
        for reader in readers:
            reader.close()
        house.readers.clear()
    await until(lambda: not house.hub.sessions, 10_000_000)
    await turns(20)
    assert not house.hub.channels["open:a"].subscriptions
    assert len(house.hub.channels["open:a"].roster.presence) == 0
