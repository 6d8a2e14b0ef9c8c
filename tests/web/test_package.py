"""The package on disk: which version it is, and where its files lie."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from server.web import package

ROOT = Path(__file__).resolve().parents[2]


def test_the_checkout_knows_its_version_and_files() -> None:
    """They are those of the project file, and beside the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert package.version() == project["version"]
    assert package.own_files() == package.Files(ROOT / "templates", ROOT / "static")


def test_an_installed_package_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the wheel they lie inside; its metadata says the version."""
    inside = tmp_path / "hubbub"
    (inside / "templates").mkdir(parents=True)
    monkeypatch.setattr(package, "_PACKAGE", inside)
    assert package.own_files() == package.Files(inside / "templates", inside / "static")
    monkeypatch.setattr(metadata, "version", lambda name: f"{name} 7")
    assert package.version() == "hubbub 7"

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert package.version() == "0"
