"""Guests: a signed cookie that nobody else can make."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec
import pytest

from server.model import Principal
from server.web.identity import (
    COOKIE,
    COOKIE_AGE_S,
    Visitor,
    fresh_guest,
    read_cookie,
    write_cookie,
)

from .conftest import SECRET

if TYPE_CHECKING:
    from .conftest import Client, Open

ADA = Visitor(Principal("g_ada", "Ada"), named=True, kept=False)


def test_a_cookie_comes_back_as_it_went() -> None:
    """Id, name and whether the name was chosen."""
    found = read_cookie(write_cookie(ADA, SECRET), SECRET)
    assert found == Visitor(ADA.principal, named=True, kept=True)


def forged(**fields: object) -> str:
    """A cookie with other contents under Ada's signature."""
    signature = write_cookie(ADA, SECRET).partition(".")[2]
    told = [fields.get("id", "g_ada"), fields.get("name", "Ada"), True]
    return (
        base64.urlsafe_b64encode(msgspec.json.encode(told)).decode() + "." + signature
    )


GOOD = write_cookie(ADA, SECRET)
HIDDEN = Visitor(Principal("g_x", "\u202eAda"), named=True, kept=False)
FORGERIES = {
    "empty": "",
    "a dot": ".",
    "no signature": GOOD.partition(".")[0],
    "short words": "x.y",
    "another id": forged(id="g_eve"),
    "another name": forged(name="Eve"),
    "another secret": write_cookie(ADA, b"another secret"),
    "a short signature": GOOD[:-1],
    "a long signature": GOOD + "0",
    "upper case": GOOD.swapcase(),
    "not ASCII": "é" + GOOD,
    "a megabyte": "A" * 1_000_000,
    "a name that is none": write_cookie(HIDDEN, SECRET),
}


@pytest.mark.parametrize("cookie", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_or_garbled_cookie_is_none(cookie: str) -> None:
    """So is a well-signed one whose name would be refused today."""
    assert read_cookie(cookie, SECRET) is None


def test_a_signature_covers_only_what_it_was_made_for() -> None:
    """What the secret signs for another use is no cookie."""
    text = write_cookie(ADA, SECRET).partition(".")[0]
    bare = hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()
    assert read_cookie(f"{text}.{bare}", SECRET) is None


def test_guests_differ_and_are_called_something_friendly() -> None:
    """A random id; two words."""
    one, two = fresh_guest(), fresh_guest()
    assert one.principal.id != two.principal.id
    assert one.principal.id.startswith("g_")
    assert len(one.principal.name.split()) == 2
    assert not one.named


async def test_a_page_gives_a_cookie_once(client: Client) -> None:
    """The next page knows the visitor by it."""
    async with client.get("/") as answer:
        cookie = answer.cookies[COOKIE]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["max-age"] == str(COOKIE_AGE_S)
        assert cookie["path"] == "/"
        assert not cookie["secure"]
        first = read_cookie(cookie.value, SECRET)
        assert first
    async with client.get("/chat/lobby") as answer:
        assert COOKIE not in answer.cookies
        assert first.principal.id in await answer.text()


async def test_a_forged_cookie_makes_a_new_guest(client: Client) -> None:
    """It is ignored, and replaced."""
    headers = {"Cookie": f"{COOKIE}={forged(id='g_eve')}"}
    async with client.get("/", headers=headers) as answer:
        assert "g_eve" not in await answer.text()
        assert COOKIE in answer.cookies


async def test_behind_a_tls_proxy_the_cookie_is_secure(client: Client) -> None:
    """The proxy says that the browser came by https."""
    async with client.get("/", headers={"X-Forwarded-Proto": "https"}) as answer:
        assert answer.cookies[COOKIE]["secure"]


async def test_under_a_prefix_the_cookie_stays_there(open_app: Open) -> None:
    """The host application's other pages never see it."""
    client = await open_app(base="/live")
    async with client.get("/live/") as answer:
        assert answer.cookies[COOKIE]["path"] == "/live"
