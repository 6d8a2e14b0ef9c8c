"""What a history command asks for: a run of publications before or after a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import BAD_REQUEST, UNRECOVERABLE, Refusal, Unrecoverable

if TYPE_CHECKING:
    from ..model import Position
    from ..seams.log import Slice
    from .channel import Channel

HISTORY_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Span:
    """Up to `limit` (1 to 200) before or after a position; both None: the newest.

    Raises `Refusal` (bad request) for another limit.
    """

    before: Position | None
    after: Position | None
    limit: int

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= HISTORY_LIMIT:
            raise Refusal(BAD_REQUEST.because(f"limit must be 1 to {HISTORY_LIMIT}"))

    async def read(self, channel: Channel) -> Slice:
        """Read it, ascending. Raises `Refusal` (unrecoverable position)."""
        log, name = channel.committer.log, channel.name
        try:
            if self.after is not None:
                return await log.read(name, self.after, self.limit)
            start = None if self.before is None else self.before.offset
            page = await log.page(name, start, self.limit)
        except Unrecoverable:
            raise Refusal(UNRECOVERABLE) from None
        if self.before is not None and page.top.epoch != self.before.epoch:
            raise Refusal(UNRECOVERABLE)
        return page
