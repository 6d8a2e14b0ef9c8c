"""The calls of pages: one's name, and the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from server.kinds.chat.rows import RoomRow
from server.kinds.notes.rows import NoteRow
from server.model import Principal
from server.web.identity import COOKIE, read_cookie

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
