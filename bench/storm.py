"""A reconnect storm: all go at once, and come back at once for what they missed.

The load generator holds what each is told against what was said meanwhile: just that,
in order, nothing twice. Beside it the bare server, which only lets them in again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .field import HUBBUB, JOINED, Contender
from .found import Scenario, Storm, Visit
from .generator import CrowdError, Returned
from .means import Means, most_people, rest
from .peers import Running

WHO: Final = (HUBBUB, JOINED)
PEOPLE: Final = 10_000
HISTORY: Final = 1_000
MISSED: Final = 10
SOURCES: Final = 4
"""So many addresses they come from: one has not ports enough for all."""
_BURST = 50
_SETTLES_S = 2.0


def measure(
    means: Means, contender: Contender, command: tuple[str, ...], found: Visit
) -> None:
    """Let a storm blow over a server. Raises `CrowdError` where anything is lost."""
    people = most_people(PEOPLE)
    if people < PEOPLE:
        found.notes[Scenario.STORM] = (
            f"only {people:,}: this machine allows no more open files"
        )
    with means.started(contender.peer, command) as server:
        server.wake()
        found.storm = blow(means, contender, server, people)


def blow(means: Means, contender: Contender, server: Running, people: int) -> Storm:
    """Connect so many and one who stays; let them go, and come back."""
    recovers = contender.word == HUBBUB
    wire = replace(contender.wire, sources=SOURCES, has_positions=recovers)
    with means.crowd(wire, server) as one:
        # Before the others come, each of whom would have to be told.
        one.connect("storm", 1, 1)
        for _ in range(HISTORY // _BURST):
            one.run(_BURST, 0.0)
    with means.crowd(wire, server) as crowd:
        crowd.connect("storm", 1, people + 1)
        crowd.leave(MISSED if recovers else 0)
        rest(_SETTLES_S)
        server_s = server.cpu_s()
        returned = crowd.come_back()
        rest()
        server_s = server.cpu_s() - server_s
        check(returned)
        # All are there again: what is said reaches everybody.
        crowd.run(1, 0.0)
    return Storm(people, returned.wall_s, server_s, returned.retried)


def check(returned: Returned) -> None:
    """Raise `CrowdError` where not everybody was told just what was missed."""
    if returned.lost or returned.wrong or returned.unrecovered:
        raise CrowdError(
            f"of what was missed {returned.lost} were lost, {returned.wrong} came twice"
            f" or out of order; {returned.unrecovered} clients were not recovered"
        )
