"""Where this package lies on disk, and which version it is.

In the checkout `templates/` and `static/` lie beside `server/`; in the wheel they lie
inside the package.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Files:
    """The folders that pages are made of."""

    templates: Path
    static: Path


def own_files() -> Files:
    """Return this package's own folders."""
    inside = _PACKAGE / "templates"
    home = _PACKAGE if inside.is_dir() else _PACKAGE.parent
    return Files(home / "templates", home / "static")


def version() -> str:
    """Return the version, from the checkout's project file or the installed package."""
    project = _PACKAGE.parent / "pyproject.toml"
    if _PACKAGE.name == "server" and project.is_file():
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    try:
        return metadata.version("hubbub")
    except metadata.PackageNotFoundError:
        # Copied without either, as into a container.
        return "0"
