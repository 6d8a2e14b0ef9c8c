"""The set-up keeps its promises: locked, without addresses, and never in the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TypedDict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from server import flags
from tests.machine import node

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)


class Package(TypedDict, total=False):
    """What these tests read of one package in `package-lock.json`."""

    resolved: str
    integrity: str
    version: str
    dependencies: dict[str, str]
    devDependencies: dict[str, str]


def pins(lock: Path) -> dict[str, str]:
    """The versions that a lock names, by canonical name."""
    found = PINNED.findall(lock.read_text(encoding="utf-8"))
    return {canonicalize_name(name): version for name, version in found}


def npm_packages() -> dict[str, Package]:
    """What the npm lock holds, by folder; the key "" is our own package."""
    lock = ROOT / "static" / "package-lock.json"
    packages: dict[str, Package] = json.loads(lock.read_text("utf-8"))["packages"]
    return packages


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_python_lock_names_versions_and_hashes_but_no_address(lock: Path) -> None:
    """A lock says what to install, and leaves it to the machine where from."""
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"--(index-url|extra-index-url|find-links)|^\S+ @ ", text)
    requirements = re.split(r"\n(?=\S)", text.partition("make lock\n")[2].strip())
    assert requirements
    for requirement in requirements:
        assert PINNED.match(requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_the_npm_lock_names_versions_and_hashes_but_no_address() -> None:
    """The npm lock leaves it to the machine, too."""
    for folder, package in npm_packages().items():
        assert "resolved" not in package, folder
        assert folder == "" or package["integrity"].startswith("sha512-"), folder


def test_the_npm_lock_is_the_one_of_package_json() -> None:
    """`npm ci` refuses a lock that has fallen behind: so does this, earlier."""
    own: Package = json.loads((ROOT / "static" / "package.json").read_text("utf-8"))
    packages = npm_packages()
    assert packages[""]["dependencies"] == own["dependencies"]
    assert packages[""]["devDependencies"] == own["devDependencies"]
    for name, version in (own["dependencies"] | own["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    """Each direct dependency is locked at a version that `pyproject.toml` allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    dev = [text for name in ("test", "gates", "wheel") for text in groups[name]]
    run = project["project"]["dependencies"]
    wanted_by = {"run": run, "test": run + dev} | {
        lock: groups[lock] for lock in ("node", "pip")
    }
    assert {lock.stem for lock in LOCKS} == set(wanted_by)
    for lock, texts in wanted_by.items():
        versions = pins(ROOT / "requirements" / f"{lock}.lock")
        for wanted in map(Requirement, texts):
            assert versions[canonicalize_name(wanted.name)] in wanted.specifier, wanted


def test_what_is_tested_is_what_runs() -> None:
    """The tests' lock contains the server's, version for version."""
    run = pins(ROOT / "requirements" / "run.lock")
    assert run.items() <= pins(ROOT / "requirements" / "test.lock").items()


def test_the_example_of_many_nodes_has_settings_that_go_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The image's variables and those of the example, as a container has them."""
    image = re.findall(r"(HUBBUB_\w+)=([^\s\\]+)", (ROOT / "Dockerfile").read_text())
    example = (ROOT / "docs" / "howto" / "compose.yaml").read_text()
    nodes = re.findall(r"^    (HUBBUB_\w+): (.+)", example, re.MULTILINE)
    assert len(nodes) >= 3
    for name, text in [*image, *nodes]:
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "sesame", text))
    settings = flags.load([])
    assert settings.redis_url is not None
    assert settings.database_url is not None
    assert settings.data_dir is None


def test_each_ignored_lint_rule_has_its_reason_beside_it() -> None:
    """Nobody has to guess why a rule is off."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = text[text.index("[tool.ruff.lint]") : text.index("banned-api]")]
    rules = [line for line in lint.splitlines() if re.search(r'"[A-Z]{1,5}\d+"', line)]
    assert rules
    before = dict(zip(lint.splitlines()[1:], lint.splitlines(), strict=False))
    for line in rules:
        assert "#" in line or before[line].startswith("#"), line


@pytest.mark.skipif(node() is None, reason="no node")
def test_without_the_npm_registry_the_build_says_so_and_lets_the_server_start(
    tmp_path: Path,
) -> None:
    """Nobody listens at the registry's address: a message, no failure, no modules."""
    static = tmp_path / "static"
    static.mkdir()
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copy(ROOT / "static" / name, static)
    shutil.copytree(ROOT / "static" / "vendor-src", static / "vendor-src")
    with socket.socket() as bound_but_not_listening:
        bound_but_not_listening.bind(("127.0.0.1", 0))
        port = bound_but_not_listening.getsockname()[1]
        run = subprocess.run(
            [sys.executable, str(static / "vendor-src" / "build.py")],
            capture_output=True,
            check=False,
            text=True,
            timeout=45,
            env={
                **os.environ,
                "npm_config_registry": f"http://127.0.0.1:{port}/",
                "npm_config_cache": str(tmp_path / "cache"),
            },
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "It failed while fetching the browser modules" in run.stdout
    assert "Going on without them" in run.stdout
    assert not (static / "vendor").exists()
