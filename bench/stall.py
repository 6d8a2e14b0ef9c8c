"""For how long a broadcast to 10,000 keeps the loop: `bench.stalling` measures it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from .field import HUBBUB, SERVE_FLAGS, Contender
from .found import Case, Scenario, Stall, Visit
from .means import Means, most_people, rest
from .peers import Peer, Running
from .storm import SOURCES

WHO: Final = (HUBBUB,)
PEOPLE: Final = 10_000
WINDOWS: Final = {Case.ONE: 1, Case.SIXTEEN: 16}
PEER: Final = Peer("stalling", ("-m", "bench.stalling", *SERVE_FLAGS))


def measure(
    means: Means, contender: Contender, command: tuple[str, ...], found: Visit
) -> None:
    """Broadcast to all, with W = 1 and W = 16."""
    people = most_people(PEOPLE)
    if people < PEOPLE:
        found.notes[Scenario.STALL] = (
            f"only {people:,}: this machine allows no more open files"
        )
    with means.started(PEER, command) as server:
        server.wake()
        found.stalls |= broadcast(means, contender, server, people)


def broadcast(
    means: Means, contender: Contender, server: Running, people: int
) -> dict[Case, Stall]:
    """Return what the loop's turns were like, for each window."""
    stalls = {}
    with means.crowd(replace(contender.wire, sources=SOURCES), server) as crowd:
        crowd.connect("stall", 1, people)
        rest()
        for case, window in WINDOWS.items():
            crowd.run(window, 0.0)
            told(server, people)
            crowd.run(window, means.seconds)
            stalls[case] = told(server, people)
    return stalls


def told(server: Running, people: int) -> Stall:
    """Ask the server about its turns since it was asked before."""
    return Stall(people, **json.loads(server.ask()))
