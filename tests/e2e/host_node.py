"""A host application with Hubbub in it, as one node of several; run as a program.

Its visitors are who their query says. `POST /out/{user}` sends a user away, everywhere.
"""

from __future__ import annotations

import sys

from aiohttp import web
from pydantic import SecretStr

from server import Principal, Settings, add_hubbub


async def identify(request: web.Request) -> Principal | None:
    """Believe the query."""
    name = request.query.get("user", "nobody")
    return Principal(f"u_{name}", name)


def main(redis_url: str, database_url: str) -> None:
    """Serve on a free port, and print it."""
    app = web.Application()
    settings = Settings(
        redis_url=SecretStr(redis_url), database_url=SecretStr(database_url)
    )
    hub = add_hubbub(app, prefix="/live", identify=identify, settings=settings)

    async def out(request: web.Request) -> web.Response:
        hub.disconnect(f"u_{request.match_info['user']}")
        return web.Response(text="sent away\n")

    app.router.add_post("/out/{user}", out)
    web.run_app(app, host="127.0.0.1", port=0, print=_say)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
