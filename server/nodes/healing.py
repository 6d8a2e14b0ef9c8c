"""What a gap means: read from the log what is missing before a publication."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from ..model import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model import Publication
    from ..seams.log import Log

HEAL_LIMIT = 500
"""How many publications are read at once."""


class Gap(StrEnum):
    """A gap that cannot be filled."""

    LATE = "late"
    """What showed it is of a stream that has ended: let it go."""
    ANEW = "anew"
    """What is missing is gone, or of another stream: go on as a new one."""


Missing: TypeAlias = "Sequence[Publication] | Gap"


async def read_missing(log: Log, name: str, top: Position, needed: Position) -> Missing:
    """Return what follows `top`, up to `needed` or as much as is read at once."""
    if needed.epoch != top.epoch:
        # By `top`, which is always the log's own.
        found_top = await log.top(name)
        return Gap.ANEW if found_top.epoch == needed.epoch else Gap.LATE
    # By `page`: a memory of what was delivered here has nothing after it.
    until = max(min(needed.offset + 1, top.offset + 1 + HEAL_LIMIT), 1)
    found = await log.page(name, until, max(until - top.offset - 1, 1))
    if needed.epoch != found.top.epoch:
        return Gap.LATE
    missing = found.publications
    if missing and missing[0].position == Position(top.epoch, top.offset + 1):
        return missing
    return Gap.ANEW
