"""Saying something by a call: answers, idempotency, and who is kept from it."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from server.errors import (
    INTERNAL,
    LIMIT_EXCEEDED,
    NOT_SUBSCRIBED,
    NOT_YET,
    PERMISSION_DENIED,
    REPLY_ERRORS,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Away,
    Refusal,
)
from server.gateways.sse.answers import STATUS, error_of
from server.model import Action, Principal
from server.settings import Settings
from tests.gateways.native.test_wire import BAD
from tests.gateways.sse.readers import RawReader
from tests.looptime import LoopTime, turns, until

from .conftest import cookie_of

if TYPE_CHECKING:
    from .conftest import House, OpenHouse

JSON = {"Content-Type": "application/json"}


async def say(
    house: House, channel: str, words: object, **headers: str
) -> tuple[int, Any]:
    """Post an object; return the status and the words of the answer."""
    path = f"/sse/{channel}"
    async with house.client.post(path, json=words, headers=headers) as answer:
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status, await answer.json()


async def post(house: House, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """Post bytes into `open:a`."""
    async with house.client.post("/sse/open:a", data=body, headers=headers) as answer:
        text = await answer.text()
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else text


# What it does


async def test_what_is_said_is_answered_and_heard(house: House) -> None:
    """The native reply, once it is kept; everybody hears it, from who said it."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    said = {"event": "note", "data": {"n": [1, "é"]}, "type": "ping", "channel": "x:y"}
    status, words = await say(house, "open:a", said, **house.own, **cookie_of("Ada"))
    assert status == 200
    assert words == {
        "type": "reply",
        "channel": "open:a",
        "position": "epoch1.1",
        "durable": False,
    }
    heard = await reader.hear()
    assert (heard.type, heard.words["data"]) == ("note", {"n": [1, "é"]})
    assert heard.words["from"] == {"id": "g_ada", "name": "Ada"}


async def test_a_durable_publication_is_answered_when_it_is_kept(house: House) -> None:
    """Not before: the answer is a promise."""
    house.log.durable = True
    house.log.append_gate.clear()
    saying = asyncio.Task(say(house, "chat:a", {"data": {"text": "Hi"}}))
    await until(lambda: house.log.batches, 20_000)
    await turns(100)
    assert not saying.done()
    house.log.append_gate.set()
    assert (await saying)[1]["durable"] is True


async def test_a_key_makes_it_once(house: House) -> None:
    """For the same user; the answer repeats the first position."""
    for who, position in (("Ada", 1), ("Ada", 1), ("Bob", 2), ("Ada", 1)):
        headers = {**house.own, **cookie_of(who)}
        words = {"data": who, "key": "k1"}
        status, answer = await say(house, "open:a", words, **headers)
        assert (status, answer["position"]) == (200, f"epoch1.{position}")
        assert answer["key"] == "k1"


async def test_a_signal_is_answered_without_a_position(house: House) -> None:
    """It is passed on and not kept."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    words = {"event": "typing", "data": True, "key": "k", "signal": True}
    assert await say(house, "open:a", words) == (
        200,
        {"type": "reply", "channel": "open:a"},
    )
    heard = await reader.hear()
    assert (heard.type, heard.words["key"], heard.id_line) == ("typing", "k", None)
    assert house.log.batches == []


async def test_a_signal_that_would_have_to_fall_is_refused(house: House) -> None:
    """There is no session that it could fall with, so it would stay for ever."""
    words = {"event": "retain", "data": 1, "key": "k", "signal": True}
    status, error = await say(house, "tally:a", words)
    assert (status, error["code"]) == (403, NOT_SUBSCRIBED.code)
    assert house.hub.retained("tally:a") == {}
    assert not house.hub.stats.opened


async def test_nothing_need_follow(house: House) -> None:
    """What was known is acknowledged, without a position."""
    assert await say(house, "tally:a", {"event": "known"}) == (
        200,
        {"type": "reply", "channel": "tally:a", "durable": False},
    )


# What is refused


@pytest.mark.parametrize("frame", BAD.values(), ids=BAD.keys())
async def test_poison_is_answered_and_harms_nobody(
    house: House, frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What no wire takes is taken here neither; what only the type spoils is said."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    status, words = await post(house, frame, JSON)
    known = {200, 400}
    assert status in known
    assert (status == 400) == (words["type"] == "error")
    await house.hub.publish("open:a", "next")
    while (await reader.hear()).words["data"] != "next":
        pass
    assert caplog.text == ""


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"hello", b"[1]", b"1", b"null", b'{"data":NaN}', b'{"data":"\\ud800"}'),
        *(b'{"data":"\\u0000"}', b'{"data":' + b"[" * 32 + b"]" * 32 + b"}", b"\xff"),
        *(b'{"data":1,"event":""}', b'{"data":1,"event":7}', b'{"data":1,"key":"a b"}'),
        *(b'{"data":1,"event":"' + b"e" * 65 + b'"}', b'{"data":1,"signal":1}'),
        *(b'{"data":1,"signal":null}', b'{"data":1,"key":1}', b"[" * 60_000),
    ],
)
async def test_a_bad_body_is_a_bad_request(house: House, body: bytes) -> None:
    """With the reason; nothing is published."""
    status, words = await post(house, body, JSON)
    assert (status, words["code"]) == (400, 107)
    assert words["message"].startswith("bad request: ")
    assert house.log.batches == []


async def test_an_unknown_channel_is_not_found(house: House) -> None:
    """By its form, or because no kind is called so."""
    for channel in ("open", "open:A", "x:y", "open:%C3%A9"):
        status, words = await say(house, channel, {"data": 1})
        assert (status, words["code"]) == (404, UNKNOWN_CHANNEL.code)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"),
        *("", "text/plain; application/json", "application/json-patch+json"),
    ],
)
async def test_what_a_form_can_send_is_refused(house: House, content_type: str) -> None:
    """Threat 2: a page of another site can send these without asking first."""
    status, _ = await post(house, b'{"data":1}', {"Content-Type": content_type})
    assert status == 415
    assert house.log.batches == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
async def test_a_foreign_page_cannot_say_anything(house: House, origin: str) -> None:
    """Threat 2: neither by a form nor by a script, with its cookies or without."""
    for headers in (JSON, {"Content-Type": "text/plain"}, {**JSON, **cookie_of("Ada")}):
        status, _ = await post(house, b'{"data":1}', {**headers, "Origin": origin})
        assert status == 403
    assert house.log.batches == []


async def test_cookies_do_not_count_without_an_origin(house: House) -> None:
    """No browser: whoever it is, it is not the cookie's owner."""
    reader = await house.follow("/sse/open:a")
    await reader.hear()
    await say(house, "open:a", {"data": 1}, **cookie_of("Ada"))
    assert (await reader.hear()).words["from"]["name"] != "Ada"


async def test_who_is_not_signed_in_says_nothing(open_house: OpenHouse) -> None:
    """The host application's word counts here, too."""

    async def by_header(request: web.Request) -> Principal | None:
        name = request.headers.get("X-User")
        return Principal(f"u_{name}", name) if name else None

    house = await open_house(identify=by_header)
    assert (await post(house, b'{"data":1}', JSON))[0] == 403
    assert (await post(house, b'{"data":1}', {**JSON, "X-User": "eve"}))[0] == 200


async def test_a_body_over_the_bound_is_not_read_on(open_house: OpenHouse) -> None:
    """Whether its length was told or not; one at the bound is taken."""
    house = await open_house(Settings(max_frame_bytes=2_000))

    fits = b'{"data":"' + b"x" * 1_989 + b'"}'
    assert (await post(house, fits, JSON))[0] == 200
    status, words = await post(house, fits + b" ", JSON)
    assert (status, words["code"]) == (413, LIMIT_EXCEEDED.code)
    chunks = b"3e8\r\n" + b" " * 1_000 + b"\r\n"
    reader = await RawReader.open(
        house.port,
        "POST /sse/open:a HTTP/1.1",
        {**JSON, "Transfer-Encoding": "chunked"},
        more=chunks * 3,
    )
    house.readers.append(reader)
    assert reader.status == 413
    assert reader.headers["connection"] == "close"


async def test_a_body_that_does_not_come_is_not_waited_for(house: House) -> None:
    """Half a call holds nothing but its connection, and that not for ever."""
    reading = asyncio.Task(
        house.follow("/sse/open:a", {**JSON, "Content-Length": "10"}, method="POST")
    )
    await turns(200)
    time = LoopTime()
    await time.advance(31)
    reader = await reading
    assert reader.status == 400
    assert reader.headers["connection"] == "close"


async def test_a_garbled_body_is_a_bad_request(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is not what its encoding says: told, not logged."""
    headers = {**JSON, "Content-Encoding": "gzip", "Content-Length": "10"}
    reader = await RawReader.open(
        house.port, "POST /sse/open:a HTTP/1.1", headers, more=b'{"data":1}'
    )
    house.readers.append(reader)
    assert reader.status == 400
    assert not [each for each in caplog.records if each.name.startswith("hubbub")]
    assert house.log.batches == []


async def test_a_bomb_is_not_unpacked(house: House) -> None:
    """A small body that would be a large one counts as the large one."""
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < house.settings.max_frame_bytes
    status, _ = await post(house, bomb, {**JSON, "Content-Encoding": "gzip"})
    assert status == 413


@pytest.mark.parametrize("hosted", [False, True])
async def test_who_goes_in_the_middle_of_a_body_leaves_no_trace(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture, *, hosted: bool
) -> None:
    """Nothing is said, nothing is logged."""
    house = await open_house(hosted=hosted)
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(
        b"POST /sse/open:a HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"data":1}'
    )
    await turns(200)
    writer.close()
    await turns(2_000)
    assert house.log.batches == []
    assert caplog.text == ""


async def test_what_may_not_be_said_is_forbidden(house: House) -> None:
    """As the kind says; it is counted."""
    house.tally.denied.add(("g_ada", Action.PUBLISH))
    headers = {**house.own, **cookie_of("Ada")}
    status, words = await say(house, "tally:a", {"event": "add", "data": 1}, **headers)
    assert (status, words["code"]) == (403, PERMISSION_DENIED.code)
    assert house.hub.stats.refused == {PERMISSION_DENIED.code: 1}


async def test_a_kind_s_verdict_is_told(house: House) -> None:
    """With the key that it was about."""
    for event, status, code in (("refuse", 400, 107), ("later", 409, NOT_YET.code)):
        words = {"event": event, "key": "k"}
        got, error = await say(house, "tally:a", words)
        assert (got, error["code"], error["key"]) == (status, code, "k")


async def test_an_outage_says_when_to_come_back(house: House) -> None:
    """A temporary error, and after how many seconds it may help to try again."""
    house.log.append_fault = Away("not there")
    async with house.client.post("/sse/open:a", json={"data": 1}) as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"
        words = await answer.json()
    assert (words["code"], words["temporary"]) == (UNAVAILABLE.code, True)


def test_every_error_has_a_status() -> None:
    """What is temporary is no fault of who asked; too many say when to come back."""
    assert set(STATUS) == {error.code for error in REPLY_ERRORS}
    for error in REPLY_ERRORS:
        assert (STATUS[error.code] in (409, 429, 500, 503)) >= error.temporary
    assert STATUS[TOO_MANY_REQUESTS.code] == 429


def test_a_fault_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """It stays in the log; what is raised on purpose is no fault."""
    assert error_of(KeyError("secret")) == INTERNAL
    assert "secret" in caplog.text
    caplog.clear()
    assert error_of(Refusal(TOO_MANY_REQUESTS)) == TOO_MANY_REQUESTS
    assert error_of(Away("host")) == UNAVAILABLE
    assert caplog.text == ""
