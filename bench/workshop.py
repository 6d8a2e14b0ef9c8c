"""What the rivals need and Hubbub does not: made below .cache/bench/, once.

A C compiler for the load generator and the server in C; packages from PyPI and npm in
their exact versions, never in an environment of Hubbub's own. What cannot be had (no
network, no Node) is `Missing`: those rivals are left out, and the table says so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from enum import Enum, auto
from functools import cache
from pathlib import Path

from .peers import ROOT

RIVALS = Path(__file__).with_name("rivals")
CROWD = Path(__file__).with_name("crowd")
MADE = ROOT / ".cache" / "bench"
REQUIREMENTS = RIVALS / "requirements.txt"
PACKAGE = RIVALS / "package.json"
_COMPILE = ("-std=gnu17", "-O2", "-Wall", "-Wextra")
_PIP = ("-m", "pip", "install", "-qq", "--disable-pip-version-check")
_NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock")


class Missing(Exception):
    """Cannot be had on this machine; why, in a few words."""


class Runtime(Enum):
    """What runs a server."""

    OWN = auto()
    """The Python and the aiohttp that Hubbub runs on."""
    PYPI = auto()
    """The same Python with the packages of rivals/requirements.txt."""
    NODE = auto()
    """Node with the packages of rivals/package.json."""
    C = auto()
    """Nothing: the program is built."""


@cache
def command(runtime: Runtime) -> tuple[str, ...]:
    """Return what stands before a server's arguments. Raises `Missing`."""
    match runtime:
        case Runtime.OWN:
            return (sys.executable,)
        case Runtime.PYPI:
            return (str(_environment()),)
        case Runtime.NODE:
            return ("env", f"NODE_PATH={_modules()}", "node")
        case Runtime.C:
            return (str(_built("epoll", RIVALS / "epoll.c")),)


@cache
def generator() -> Path:
    """Return the load generator's program. Raises `Missing`."""
    return _built("crowd", *sorted(CROWD.glob("*.c")))


def versions() -> dict[str, str]:
    """Return the exact version of each package that is installed for rivals."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line)
    modules: dict[str, str] = json.loads(PACKAGE.read_bytes())["dependencies"]
    return {name: version for name, _, version in pairs} | modules


def _built(name: str, *sources: Path) -> Path:
    """Compile a program, where it is older than what it is made of."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler")
    program = MADE / name
    newest_s = max(path.stat().st_mtime for path in (*sources, *CROWD.glob("*.h")))
    if not program.exists() or program.stat().st_mtime < newest_s:
        MADE.mkdir(parents=True, exist_ok=True)
        _run(compiler, *_COMPILE, "-o", str(program), *map(str, sources))
    return program


def _environment() -> Path:
    """Make the virtual environment of the rivals; return its Python."""
    venv = MADE / "venv"
    python, done = venv / "bin" / "python", venv / REQUIREMENTS.name
    if not _is_done(done, REQUIREMENTS):
        print("Installing rivals from PyPI into .cache/bench/", file=sys.stderr)
        _run(sys.executable, "-m", "venv", "--clear", str(venv))
        _run(str(python), *_PIP, "-r", str(REQUIREMENTS))
        shutil.copyfile(REQUIREMENTS, done)
    return python


def _modules() -> Path:
    """Install the rivals' packages of Node; return where they are."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("no Node")
    done = MADE / PACKAGE.name
    modules = MADE / "node_modules"
    if not _is_done(done, PACKAGE) or not modules.exists():
        print("Installing rivals from npm into .cache/bench/", file=sys.stderr)
        MADE.mkdir(parents=True, exist_ok=True)
        done.unlink(missing_ok=True)
        wanted = json.loads(PACKAGE.read_bytes())["dependencies"]
        exact = (f"{name}@{version}" for name, version in wanted.items())
        _run("npm", "install", "--prefix", str(MADE), *_NPM, *exact)
        shutil.copyfile(PACKAGE, done)
    return modules


def _is_done(copy: Path, wanted: Path) -> bool:
    return copy.exists() and copy.read_bytes() == wanted.read_bytes()


def _run(*arguments: str) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        program = Path(arguments[0]).name
        raise Missing(f"{program} {arguments[1]} failed: {said[-1]}")
