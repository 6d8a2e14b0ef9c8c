"""Static files: what is served, and for how long."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from server.web.assets import ASSETS, Assets
from server.web.package import own_files

if TYPE_CHECKING:
    from server.web.package import Files

    from .conftest import Client


def raw_get(client: Client, path: str) -> bytes:
    """Ask for a path exactly as it is written: clients and libraries tidy it up."""
    with socket.create_connection((client.host, client.port), timeout=5) as peer:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        peer.sendall(request.encode())
        answer = b""
        while chunk := peer.recv(65536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    "path",
    [
        "../secret.js",
        "js/../../secret.js",
        "..%2fsecret.js",
        "%2e%2e/secret.js",
        "%2e%2e%2fsecret.js",
        "..%5csecret.js",
        "js/%2e%2e/%2e%2e/secret.js",
        "/etc/passwd",
        "//etc/passwd",
        "js/boot.js%00.css",
        "js/link.js",
        "js/.hidden.js",
        "js/",
        "js",
        "package.json",
        "node_modules/x/index.js",
        "vendor-src/notes.js",
        "css/../vendor-src/notes.js",
    ],
)
async def test_nothing_else_can_be_reached(client: Client, path: str) -> None:
    """Neither what lies outside, nor links, nor the workshop."""
    answer = await asyncio.to_thread(raw_get, client, "/static/" + path)
    assert answer.split(b" ")[1] in {b"404", b"403", b"400"}
    assert b"secret" not in answer


async def test_a_versioned_address_is_kept_for_ever_and_others_ask_first(
    client: Client, files: Files
) -> None:
    """A version that is not the current one is no promise."""
    version = Assets(files.static).version
    for query, rule in {
        f"?v={version}": "public, max-age=31536000, immutable",
        "": "no-cache",
        "?v=old": "no-cache",
    }.items():
        async with client.get(f"/static/js/boot.js{query}") as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == rule
            assert answer.content_type == "text/javascript"
            tag = answer.headers["ETag"]
    headers = {"If-None-Match": tag}
    async with client.get("/static/js/boot.js", headers=headers) as answer:
        assert answer.status == 304


def test_the_version_changes_with_any_byte(files: Files) -> None:
    """And says which bundles are there."""
    before = Assets(files.static)
    assert before.vendor == {"notes": False, "charts": True}
    (files.static / "css" / "base.css").write_text("b{}", encoding="utf-8")
    assert Assets(files.static).version != before.version


async def test_the_favicon_is_found_where_browsers_look(client: Client) -> None:
    """`/favicon.ico` leads to the one there is."""
    async with client.get("/favicon.ico") as answer:
        assert answer.status == 200
        assert answer.content_type == "image/svg+xml"


async def test_socket_io_s_client_is_found_where_pages_look(
    client: Client, files: Files
) -> None:
    """Its three builds and their maps; without them, how to get them."""
    async with client.get("/socket.io/socket.io.js") as answer:
        assert answer.status == 404
        assert "make vendor" in await answer.text()
    folder = files.static / "vendor" / "socket.io"
    folder.mkdir()
    (folder / "socket.io.min.js").write_text("io", encoding="utf-8")
    (folder / "socket.io.min.js.map").write_text("{}", encoding="utf-8")
    client.app[ASSETS].files = Assets(files.static).files
    async with client.get("/socket.io/socket.io.min.js") as answer:
        assert await answer.text() == "io"
        assert answer.content_type == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
    async with client.get("/socket.io/socket.io.min.js.map") as answer:
        assert answer.content_type == "application/json"
    for other in ("socket.io.js", "socket.io.msgpack.min.js", "../notes.js", "x"):
        async with client.get(f"/socket.io/{other}") as answer:
            assert answer.status == 404
            assert "make vendor" not in await answer.text()


def test_the_package_s_own_files_are_found() -> None:
    """Beside `server/` in the checkout."""
    assets = Assets(own_files().static)
    assert "js/hubbub.js" in assets.files
    assert not [name for name in assets.files if "node_modules" in name]
