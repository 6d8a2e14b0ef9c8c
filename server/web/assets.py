"""The static files: which there are, and how long browsers may keep them.

What is served is looked up in a list made at the start, so a path can lead nowhere
else: neither out of the folder nor to what lies in it for the workshop.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ..keys import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDERS: Final = ("css", "js", "vendor")
# Said here: what a machine's own table says of a script may keep it from running.
CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
CLIENT_FOLDER: Final = "vendor/socket.io/"
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_FIRST: Final = "no-cache"


class Assets:
    """The files of a static folder, as they were when it was read.

    `version` changes with any byte of them.
    """

    def __init__(self, folder: Path) -> None:
        self.files: Mapping[str, Path] = dict(_served(folder))
        digest = hashlib.sha256()
        for name, path in sorted(self.files.items()):
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        self.version = digest.hexdigest()[:12]

    @property
    def vendor(self) -> dict[str, bool]:
        """Which bundled third-party modules are there."""
        return {name: f"vendor/{name}.js" in self.files for name in ("notes", "charts")}

    def url(self, base: str, name: str) -> str:
        """Return a file's address, which changes with the version."""
        return f"{base}/static/{name}?v={self.version}"


ASSETS = web.AppKey("ASSETS", Assets)


async def static_file(request: web.Request) -> web.StreamResponse:
    """`/static/{path}`: a file for anybody, for ever if its address has the version."""
    assets = request.app[ASSETS]
    path = assets.files.get(request.match_info["path"])
    if path is None:
        raise web.HTTPNotFound(text="There is no such file.")
    current = request.query.get("v") == assets.version
    headers = {
        "Content-Type": CONTENT_TYPES[path.suffix],
        "Cache-Control": FOR_EVER if current else ASK_FIRST,
    }
    return web.FileResponse(path, headers=headers)


async def socketio_client(request: web.Request) -> web.StreamResponse:
    """`/socket.io/{file}`: where pages look for Socket.IO's own client."""
    assets = request.app[ASSETS]
    path = assets.files.get(CLIENT_FOLDER + request.match_info["file"])
    if path is None:
        if not any(name.startswith(CLIENT_FOLDER) for name in assets.files):
            raise web.HTTPNotFound(
                text="Socket.IO's client is not built here: `make vendor` builds it."
            )
        raise web.HTTPNotFound(text="There is no such file.")
    headers = {"Content-Type": CONTENT_TYPES[path.suffix], "Cache-Control": ASK_FIRST}
    return web.FileResponse(path, headers=headers)


async def favicon(request: web.Request) -> web.StreamResponse:
    """`/favicon.ico`: where browsers look when no page says."""
    raise web.HTTPFound(request.app[ASSETS].url(request.app[BASE], "favicon.svg"))


def _served(folder: Path) -> Iterator[tuple[str, Path]]:
    roots = [(folder, [path.name for path in folder.iterdir() if path.is_file()])]
    for name in FOLDERS:
        # Links are not followed: they may lead anywhere.
        roots += [(Path(at), files) for at, _, files in os.walk(folder / name)]
    for at, names in roots:
        for name in names:
            path = at / name
            fit = path.suffix in CONTENT_TYPES and not name.startswith(".")
            if fit and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path
