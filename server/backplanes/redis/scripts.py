"""The scripts that run inside Redis, each in one step that nothing comes between."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text, and the name by which a server that has loaded it knows it."""

    text: bytes
    sha: str


def _script(name: str, *before: str) -> Script:
    files = (*before, name)
    text = b"".join((_FOLDER / f"{file}.lua").read_bytes() for file in files)
    return Script(text, sha1(text, usedforsecurity=False).hexdigest())


APPEND = _script("append", "stream")
READ = _script("read", "stream")
PAGE = _script("page", "stream")
TOP = _script("top", "stream")
RENEW = _script("renew", "stream")
SNAPSHOT = _script("snapshot", "stream")
LATEST = _script("latest", "stream")
SAY = _script("say")
BURY = _script("bury")
BEAT = _script("beat")
DEPART = _script("depart")
HOLD = _script("hold")
RELEASE = _script("release")

ALL = (
    APPEND,
    READ,
    PAGE,
    TOP,
    RENEW,
    SNAPSHOT,
    LATEST,
    SAY,
    BURY,
    BEAT,
    DEPART,
    HOLD,
    RELEASE,
)
