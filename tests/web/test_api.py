"""The calls of pages: one's name, and the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server import keys
from server.errors import PERMISSION_DENIED, UNAVAILABLE, Refusal
from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.kinds.open import OpenKind
from server.model import Action, Principal, Subscribe
from server.runtime.clock import SystemClock
from server.web.identity import COOKIE, read_cookie
from tests.hub.stage import ANN
from tests.hub.wires import FakeWire, RecordingCodec
from tests.looptime import turns

from .conftest import SECRET

if TYPE_CHECKING:
    from aiohttp import web

    from .conftest import Client, Open, Rows


def from_page(client: Client) -> dict[str, str]:
    """The headers of a call by our own page."""
    return {"Origin": f"http://{client.host}:{client.port}"}


async def test_a_guest_is_called_what_they_say(client: Client) -> None:
    """The id stays, the cookie is new, and pages show the name from then on."""
    async with client.get("/") as answer:
        before = read_cookie(answer.cookies[COOKIE].value, SECRET)
        assert before
    body = {"name": "  Ada  Lovelace "}
    async with client.post("/api/name", json=body, headers=from_page(client)) as answer:
        assert answer.status == 200
        assert await answer.json() == {
            "id": before.principal.id,
            "name": "Ada Lovelace",
        }
        after = read_cookie(answer.cookies[COOKIE].value, SECRET)
    assert after
    assert after.named
    async with client.get("/") as answer:
        assert ">Ada Lovelace<" in await answer.text()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": ""}', 400),
        (b'{"name": "a\\u202eb"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": 3}', 400),
        (b'{"nam": "x"}', 400),
        (b"[]", 400),
        (b"", 400),
        (b"\xff", 400),
        (b'{"name": NaN}', 400),
        (b"[" * 4000, 400),
        (b'{"name": "' + b"x" * 5000 + b'"}', 413),
    ],
    ids=lambda part: ascii(part[:20]) if isinstance(part, bytes) else str(part),
)
async def test_what_is_no_name_is_refused_in_words(
    client: Client, body: bytes, status: int
) -> None:
    """With a code and a sentence, and no cookie."""
    headers = {**from_page(client), "Content-Type": "application/json"}
    async with client.post("/api/name", data=body, headers=headers) as answer:
        assert answer.status == status
        told = await answer.json()
        assert set(told) == {"code", "message"}
        assert COOKIE not in answer.cookies


async def test_a_form_cannot_name_anybody(client: Client) -> None:
    """The content type that a foreign form can send is none that is read."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {**from_page(client), "Content-Type": kind}
        data = b'{"name": "Eve"}'
        async with client.post("/api/name", data=data, headers=headers) as answer:
            assert answer.status == 400


async def test_the_host_application_s_users_are_named_by_it(open_app: Open) -> None:
    """With a sign-in of its own, names are not ours to change."""

    async def identify(_: web.Request) -> Principal:
        return Principal("u_1", "Ada")

    client = await open_app(identify=identify)
    async with client.post("/api/name", json={"name": "Eve"}) as answer:
        assert answer.status == 403
        assert COOKIE not in answer.cookies


async def test_rooms_and_notes_are_listed(client: Client, rows: Rows) -> None:
    """Each with all that its row holds."""
    rows.found_rooms.append(RoomRow("lobby", 1, "Hi", "Ada", 2, 3))
    rows.found_notes.append(NoteRow("welcome", "Welcome", 1, 2, "Ada", 7))
    async with client.get("/api/rooms") as answer:
        assert await answer.json() == {
            "rooms": [
                {
                    "name": "lobby",
                    "created_ms": 1,
                    "last_text": "Hi",
                    "last_author": "Ada",
                    "last_ms": 2,
                    "messages": 3,
                }
            ]
        }
    async with client.get("/api/notes") as answer:
        assert (await answer.json())["notes"][0]["title"] == "Welcome"


# What a channel costs


class Doors(OpenKind):
    """Channels that are closed to all, or at the moment, by their names."""

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Refuse by name; asked as for a subscribe."""
        assert action is Action.SUBSCRIBE
        if channel.endswith("closed"):
            raise Refusal(PERMISSION_DENIED)
        if channel.endswith("away"):
            raise Refusal(UNAVAILABLE)


@pytest.fixture
async def explained(open_app: Open) -> Client:
    """A client of a server whose channels `open:room` and `open:closed` are used.

    Of the room's two subscribers one does not read: 40 bytes or more wait for it.
    """
    client = await open_app(kinds={"open": Doors(SystemClock())})
    hub = client.app[keys.HUB]
    wires = []
    for _ in range(2):
        words = RecordingCodec("json", frame_bytes=40)
        wires.append(FakeWire(words))
        session = hub.open_session(ANN, "test", words, wires[-1])
        await session.dispatch(Subscribe(None, "open:room", None))
    await turns(5)
    wires[0].stall()
    for channel in ("open:room", "open:closed"):
        await hub.publish(channel, "hi")
    await turns(5)
    return client


async def test_a_channel_is_explained(explained: Client) -> None:
    """All that `hub.explain` knows; percentiles of bytes by their number."""
    hub = explained.app[keys.HUB]
    position = hub.channels["open:room"].top
    held = max(session.outbox.held_bytes for session in hub.sessions.values())
    assert held >= 40
    async with explained.get("/api/channels/open:room/explain") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "channel": "open:room",
            "top": str(position),
            "subscribers": {"json": 2},
            "joining": 0,
            "listeners": 0,
            "waiting": 0,
            "publications": 1,
            "runs": 1,
            "encodes": 2,
            "deliveries": 2,
            "queued_bytes": {"50": 0, "90": held, "99": held, "100": held},
        }


async def test_what_may_not_be_known_is_not_there(explained: Client) -> None:
    """Absent, unknown, malformed and forbidden: the same bytes. Nothing is opened."""
    hub = explained.app[keys.HUB]
    before = set(hub.channels)
    assert before == {"open:room", "open:closed"}
    answers = set()
    channels = ("open:nobody", "open:closed", "none:room", "room", "open:%20", "open:")
    for name in channels:
        async with explained.get(f"/api/channels/{name}/explain") as answer:
            headers = dict(answer.headers)
            for each in ("Date", "Set-Cookie", "Content-Security-Policy"):
                headers.pop(each, None)
            answers.add((answer.status, await answer.read(), tuple(headers.items())))
    ((status, body, _),) = answers
    assert (status, body) == (404, b'{"code": 102, "message": "unknown channel"}')
    assert set(hub.channels) == before


async def test_who_cannot_be_asked_is_away(explained: Client) -> None:
    """What is temporary says so: it tells nothing of the channel."""
    async with explained.get("/api/channels/open:away/explain") as answer:
        assert answer.status == 503


async def test_nothing_is_changed_by_asking(explained: Client) -> None:
    """Only GET and HEAD are answered."""
    path = "/api/channels/open:room/explain"
    async with explained.post(path, headers=from_page(explained)) as answer:
        assert answer.status == 405
    async with explained.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
