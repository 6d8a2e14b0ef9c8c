"""What a history command asks for: a run of publications before or after a place."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from ..errors import BAD_REQUEST, UNRECOVERABLE, Refusal, Unrecoverable
from ..seams.kind import weigh
from ..seams.log import Slice

if TYPE_CHECKING:
    from ..model import Position
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
        most_bytes = channel.kind.policy.state_limit_bytes
        try:
            if self.after is not None:
                page = await log.read(name, self.after, self.limit)
                return _cut(page, most_bytes, newest=False)
            start = None if self.before is None else self.before.offset
            page = await log.page(name, start, self.limit)
        except Unrecoverable:
            raise Refusal(UNRECOVERABLE) from None
        if self.before is not None and page.top.epoch != self.before.epoch:
            raise Refusal(UNRECOVERABLE)
        return _cut(page, most_bytes, newest=True)


def _cut(page: Slice, most_bytes: int, *, newest: bool) -> Slice:
    """Return the part next to the place that was asked for: not more than a catch-up.

    One publication at least, so that who reads on comes to an end.
    """
    found = page.publications[::-1] if newest else page.publications
    weights = accumulate(map(weigh, found))
    count = sum(1 for weight in weights if weight <= most_bytes)
    kept = found[: max(count, 1)]
    return Slice(kept[::-1] if newest else kept, page.top)
