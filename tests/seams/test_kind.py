from __future__ import annotations

import pytest

from server.model import Position, StateVector
from server.seams.kind import CatchUp, Policy, from_history
from server.seams.log import Append, Draft
from server.stores.memory import MemoryLog
from server.stores.ring import Bounds
from tests.clocks import ManualClock

ROOM = "open:x"


async def filled(count: int, size: int = 1_000) -> MemoryLog:
    """A log with that many publications, of which it keeps `size`."""
    log = MemoryLog(ManualClock(), lambda: "e", lambda _: Bounds(size=size))
    drafts = [Draft(ROOM, "message", number, None, 0) for number in range(1, count + 1)]
    await log.append([Append((draft,)) for draft in drafts])
    return log


def shown(past: CatchUp) -> tuple[list[object], bool, int]:
    """Contents, whether they are all, and where they end."""
    contents: list[object] = [each.content for each in past.publications]
    return contents, past.recovered, past.at.offset


@pytest.mark.parametrize(
    ("since", "told"),
    [
        (None, ([4, 5], False, 5)),
        (Position("e", 5), ([], True, 5)),
        (Position("e", 2), ([3, 4, 5], True, 5)),
        (Position("e", 6), ([4, 5], False, 5)),
        (Position("f", 2), ([4, 5], False, 5)),
        (Position("e", 1), ([4, 5], False, 5)),
        (StateVector(b""), ([4, 5], False, 5)),
    ],
)
async def test_a_joiner_gets_all_that_it_missed_or_the_newest(
    since: Position | StateVector | None, told: tuple[list[object], bool, int]
) -> None:
    """The log keeps four here, and two are the newest few."""
    log = await filled(5, size=3 if since == Position("e", 1) else 4)
    past = await from_history(Policy(recent=2), ROOM, since, log)
    assert shown(past) == told


async def test_too_much_to_recover_is_not_told_in_part() -> None:
    """Over the limit it is a new beginning."""
    log = await filled(5)
    policy = Policy(recover_limit=3, recent=1)
    assert shown(await from_history(policy, ROOM, Position("e", 1), log)) == (
        [5],
        False,
        5,
    )
    assert shown(await from_history(policy, ROOM, Position("e", 2), log)) == (
        [3, 4, 5],
        True,
        5,
    )


async def test_without_newest_few_there_is_only_the_place() -> None:
    """Also in a channel that nobody wrote to."""
    assert shown(await from_history(Policy(), ROOM, None, await filled(3))) == (
        [],
        False,
        3,
    )
    empty = await from_history(Policy(recent=5), ROOM, None, await filled(0))
    assert shown(empty) == ([], False, 0)
