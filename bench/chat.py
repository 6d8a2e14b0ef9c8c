"""Durable chat: how many messages are committed in a second, and how soon.

SQLite with `synchronous=FULL` in a directory on a real disk, 100 who listen, and some
who only speak: as fast as they are answered, and at half of what is aimed at, whatever
the server does. The commits are counted by the server itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from .field import HUBBUB, Contender
from .found import Answered, Scenario, Speed, Visit
from .generator import Acknowledged, Crowd, CrowdError
from .means import Means, rest
from .peers import Peer, Running
from .wires import CHAT
from .workshop import MADE

WHO: Final = (HUBBUB,)
LISTENERS: Final = 100
SPEAKERS: Final = 16
WINDOW: Final = 32
"""What one speaker has under way; a session may have 64, a transaction takes 512."""
AIMED_PER_S: Final = 5_000
TIMES: Final = 5
_IN_MEMORY = ("tmpfs", "ramfs")
_COMMITS, _COMMITTED = "hubbub_commits_total ", "hubbub_committed_total "


@dataclass(frozen=True, slots=True)
class Kept:
    """How many transactions a server has made, of how many appends."""

    commits: int
    committed: int


def measure(
    means: Means, contender: Contender, command: tuple[str, ...], found: Visit
) -> None:
    """Speak one at a time, as fast as it goes, and at half of what is aimed at."""
    MADE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=MADE, prefix="chat-") as directory:
        kind = file_system(Path(directory), Path("/proc/mounts").read_text("utf-8"))
        if kind in _IN_MEMORY:
            raise CrowdError(f"{MADE} is on {kind}, which is no disk")
        found.notes[Scenario.CHAT] = f"the database was on {kind}"
        with means.started(peer(directory), command) as server:
            server.wake()
            found.chat |= speak(means, server, LISTENERS, SPEAKERS, AIMED_PER_S // 2)


def peer(directory: str) -> Peer:
    """Return a server that keeps what it is told."""
    kept = ("--data-dir", directory, "--port", "0", "--market-hz", "0.1")
    return Peer("chat", ("-m", "server", "serve", *kept))


def speak(
    means: Means, server: Running, listeners: int, speakers: int, per_s: int
) -> dict[Speed, Answered]:
    """Return what came of each speed."""
    length_s = TIMES * means.seconds
    found = {}
    with _room(means, server, listeners, 1) as crowd:
        found[Speed.ONE] = _answered(server, lambda: crowd.press(1, means.seconds))
    with _room(means, server, listeners, speakers) as crowd:
        crowd.press(WINDOW, means.seconds / 2)
        found[Speed.MOST] = _answered(server, lambda: crowd.press(WINDOW, length_s))
        rest(1.0)
        found[Speed.HALF] = _answered(server, lambda: crowd.pace(per_s, length_s))
    return found


@contextmanager
def _room(
    means: Means, server: Running, listeners: int, speakers: int
) -> Iterator[Crowd]:
    with means.crowd(replace(CHAT, speakers=speakers), server) as crowd:
        crowd.connect("hall", 1, listeners)
        yield crowd


def _answered(server: Running, spoken: Callable[[], Acknowledged]) -> Answered:
    before, server_s = _kept(server), server.cpu_s()
    told = spoken()
    server_s, after = server.cpu_s() - server_s, _kept(server)
    return Answered(
        told.acknowledged / told.wall_s,
        told.p50_s,
        told.p99_s,
        told.max_s,
        told.refused,
        after.commits - before.commits,
        after.committed - before.committed,
        server_s / told.wall_s,
    )


def _kept(server: Running) -> Kept:
    with urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        return kept(answer.read().decode())


def kept(metrics: str) -> Kept:
    """Read a server's metrics."""

    def value(name: str) -> int:
        (line,) = (each for each in metrics.splitlines() if each.startswith(name))
        return int(float(line.removeprefix(name)))

    return Kept(value(_COMMITS), value(_COMMITTED))


def file_system(path: Path, mounts: str) -> str:
    """Return the kind of file system that a path is on; `mounts` as in /proc/mounts."""
    places = (line.split() for line in mounts.splitlines())
    holding = [
        (len(words[1]), words[2])
        for words in places
        if path.resolve().is_relative_to(words[1])
    ]
    # Of two mounts on one place the later one hides the other.
    return max(reversed(holding), key=lambda each: each[0], default=(0, "unknown"))[1]
