"""Templates: compiled at the start, filled in with what every page has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web

from ..keys import BASE
from .assets import ASSETS
from .identity import VISITOR, user_context
from .package import version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HTML: Final = "text/html"


def setup(app: web.Application, folder: Path) -> None:
    """Prepare and compile all templates of a folder: none is read later."""
    assets, base = app[ASSETS], app[BASE]
    environment = aiohttp_jinja2.setup(
        app,
        default_helpers=False,
        loader=jinja2.FileSystemLoader(folder),
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
    )
    environment.globals |= {
        "asset": lambda name: assets.url(base, name),
        "url": lambda path: base + path,
        "vendor": assets.vendor,
        "asset_version": assets.version,
        "base": base,
        "version": version(),
    }
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def render(
    request: web.Request, template: str, page: str, words: Mapping[str, object]
) -> web.Response:
    """Return a page: `page` names it in the rail, `words` are the template's own.

    For those whom the gate let in.
    """
    user = user_context(request[VISITOR])
    context = {"page": page, "user": user, "style_nonce": None, **words}
    text = aiohttp_jinja2.render_string(template, request, context)
    return web.Response(text=text, content_type=HTML)
