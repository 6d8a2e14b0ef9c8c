"""One visit to one server: started anew, measured in each scenario, and ended.

What one visit finds is a value; the visits of a run take turns among the servers, so
that a busy machine troubles all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from . import chat, stall, storm, ticker
from .field import Contender
from .found import COMPARED, Case, Scenario, Visit
from .generator import CrowdError
from .means import Means, rest
from .peers import Running

SUBSCRIBERS: Final = 1_000
JOINING_ROOMS: Final = 2
ROOMS, MEMBERS = 1_000, 10
BURST: Final = 16
SLOW_PAYLOAD_BYTES: Final = 8_000
"""So large that what waits for the one who does not read meets its bound soon."""
SLOW_TIMES: Final = 10
"""So long that also a server shows its bound whose kernel takes 4 MB first."""
_SLOW_BUFFER_BYTES = 4_096

Step: TypeAlias = Callable[[Means, Contender, Running, Visit], None]
Apart: TypeAlias = Callable[[Means, Contender, tuple[str, ...], Visit], None]


def visit(
    means: Means,
    contender: Contender,
    command: tuple[str, ...],
    scenarios: Sequence[Scenario],
) -> Visit:
    """Measure a server in each scenario that it can take part in.

    Those that compare share one process; the others start one of their own.
    """
    found = Visit()
    shared = [each for each in scenarios if each in COMPARED]
    if shared:
        _together(means, contender, command, shared, found)
    for scenario in applicable(contender.word, scenarios):
        try:
            _APART[scenario](means, contender, command, found)
        except (CrowdError, RuntimeError) as error:
            found.faults[scenario] = str(error)
    return found


def applicable(word: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Return the scenarios beside the compared ones that a server takes part in."""
    return [each for each in scenarios if word in _WHO.get(each, ())]


def _together(
    means: Means,
    contender: Contender,
    command: tuple[str, ...],
    scenarios: Sequence[Scenario],
    found: Visit,
) -> None:
    try:
        with means.started(contender.peer, command) as server:
            server.wake()
            for scenario in scenarios:
                try:
                    _STEPS[scenario](means, contender, server, found)
                except CrowdError as error:
                    found.faults[scenario] = str(error)
                rest()
    except RuntimeError as error:
        for scenario in scenarios:
            found.faults[scenario] = str(error)


def _joining(means: Means, contender: Contender, server: Running, found: Visit) -> None:
    wire = contender.wire
    with means.crowd(wire, server) as here, means.crowd(wire, server) as crowd:
        # These take the memory that the server had and did not use.
        here.connect("first", 1, SUBSCRIBERS)
        rest()
        memory_bytes, server_s = server.memory_bytes(), server.cpu_s()
        crowd.connect("more", JOINING_ROOMS, SUBSCRIBERS)
        rest()
        joined = JOINING_ROOMS * SUBSCRIBERS
        found.joining_s = (server.cpu_s() - server_s) / joined
        found.memory_bytes = (server.memory_bytes() - memory_bytes) / joined


def _fan_out(means: Means, contender: Contender, server: Running, found: Visit) -> None:
    with means.crowd(contender.wire, server) as crowd:
        crowd.connect("one", 1, SUBSCRIBERS)
        found.runs[Case.ONE] = means.run(crowd, server, 1)
        found.runs[Case.SIXTEEN] = means.run(crowd, server, BURST)


def _rooms(means: Means, contender: Contender, server: Running, found: Visit) -> None:
    with means.crowd(contender.wire, server) as crowd:
        crowd.connect("many", ROOMS, MEMBERS)
        found.runs[Case.ROOMS] = means.run(crowd, server, BURST)


def _slow(means: Means, contender: Contender, server: Running, found: Visit) -> None:
    size, wire = SLOW_PAYLOAD_BYTES, contender.wire
    all_ = means.crowd(wire, server, payload_bytes=size)
    one = means.crowd(wire, server, receive_buffer_bytes=_SLOW_BUFFER_BYTES)
    with all_ as crowd, one as slow:
        peak_bytes = 0

        def watch() -> None:
            nonlocal peak_bytes
            peak_bytes = max(peak_bytes, server.resident_bytes())

        crowd.connect("slow", 1, SUBSCRIBERS)
        calm = means.run(crowd, server, BURST, SLOW_TIMES, watch)
        slow.connect("slow", 1, 1)
        slow.stop_reading()
        calm_bytes = peak_bytes
        run = means.run(crowd, server, BURST, SLOW_TIMES, watch)
        found.runs |= {Case.CALM: calm, Case.SLOW: run}
        found.growth_bytes = peak_bytes - calm_bytes


_STEPS: Final[dict[Scenario, Step]] = {
    Scenario.JOINING: _joining,
    Scenario.FAN_OUT: _fan_out,
    Scenario.ROOMS: _rooms,
    Scenario.SLOW: _slow,
}
_APART: Final[dict[Scenario, Apart]] = {
    Scenario.STORM: storm.measure,
    Scenario.STALL: stall.measure,
    Scenario.TICKER: ticker.measure,
    Scenario.CHAT: chat.measure,
}
_WHO: Final = {
    Scenario.STORM: storm.WHO,
    Scenario.STALL: stall.WHO,
    Scenario.TICKER: ticker.WHO,
    Scenario.CHAT: chat.WHO,
}
