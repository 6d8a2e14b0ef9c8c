"""Group commit: what arrives while a transaction is under way goes with the next one.

Rules:
1. Appends reach the log in the order of `submit`, from one task.
2. A future is resolved only when the log has kept its append.
3. When a transaction fails, everything that was submitted meanwhile is refused too: it
   may have been judged against a state that was never kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from ..errors import TOO_MANY_REQUESTS, UNAVAILABLE, HubbubError, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime.stats import Stats
    from ..runtime.tasks import Tasks
    from ..seams.log import Append, Log, Outcome

logger = logging.getLogger("hubbub.commit")

AWAY = "the store does not answer"
BATCH_APPENDS = 512
WAITING_APPENDS = 10_000
"""Above this many waiting appends, publishing is refused as too many requests."""

Kept: TypeAlias = "Callable[[Append, Outcome], None]"


class Committer:
    """Feeds one log, in batches."""

    def __init__(
        self,
        log: Log,
        tasks: Tasks,
        stats: Stats,
        kept: Kept,
        failed: Callable[[Sequence[Append]], None],
    ) -> None:
        self.log = log
        self.fault: str | None = None
        """Why the log does not answer; None while it does. The watch clears it."""
        self._tasks = tasks
        self._stats = stats
        self._kept = kept
        self._failed = failed
        self._waiting: deque[tuple[Append | None, asyncio.Future[Outcome | None]]] = (
            deque()
        )
        self._running = False
        self._closed = False

    def check_room(self) -> None:
        """Raise `Refusal`: unavailable, or too much waits already."""
        self.check_fault()
        if len(self._waiting) >= WAITING_APPENDS:
            raise Refusal(TOO_MANY_REQUESTS)

    def check_fault(self) -> None:
        """Raise `Refusal` (unavailable) while the log does not answer."""
        if self.fault is not None:
            raise Refusal(UNAVAILABLE.because(self.fault))

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no transaction is under way."""
        return not self._running

    def barrier(self) -> asyncio.Future[Outcome | None]:
        """Return a future that is done (None) when all before it is kept."""
        return self.submit(None)

    def close(self) -> None:
        """Refuse what still waits, and all that comes: no task will take it."""
        self._closed = True
        self._refuse([])

    def submit(self, append: Append | None) -> asyncio.Future[Outcome | None]:
        """Queue an append; the future has its outcome, or a `Refusal` (unavailable)."""
        future: asyncio.Future[Outcome | None] = (
            asyncio.get_running_loop().create_future()
        )
        # The sender may be gone when it is refused; that is not an error of anyone's.
        future.add_done_callback(_look_at)
        if self._closed:
            future.set_exception(Refusal(UNAVAILABLE))
            return future
        self._waiting.append((append, future))
        if not self._running:
            self._running = True
            self._tasks.spawn(self._run(), "commit")
        return future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._commit_some()
        finally:
            self._running = False

    async def _commit_some(self) -> None:
        count = min(len(self._waiting), BATCH_APPENDS)
        batch = [self._waiting.popleft() for _ in range(count)]
        appends = [append for append, _ in batch if append is not None]
        try:
            outcomes = iter(await self.log.append(appends) if appends else ())
        except asyncio.CancelledError:
            self._refuse(batch)
            raise
        except HubbubError as error:
            # What is behind the log is away. Who comes next need not wait for that.
            self.fault = AWAY
            logger.debug("a transaction of %d appends failed: %r", len(appends), error)
            self._fail(batch)
            return
        except Exception:
            logger.exception("a transaction of %d appends failed", len(appends))
            self._fail(batch)
            return
        self._stats.commits += bool(appends)
        self._stats.committed += len(appends)
        for append, future in batch:
            outcome = None
            if append is not None:
                outcome = next(outcomes)
                self._tell(append, outcome)
            if not future.done():
                future.set_result(outcome)

    def _tell(self, append: Append, outcome: Outcome) -> None:
        try:
            self._kept(append, outcome)
        except Exception:
            # It is kept all the same, and so are those behind it: they must be told.
            logger.exception("what was kept could not be delivered")

    def _fail(
        self, batch: list[tuple[Append | None, asyncio.Future[Outcome | None]]]
    ) -> None:
        self._stats.failed_commits += 1
        self._refuse(batch)

    def _refuse(
        self, batch: list[tuple[Append | None, asyncio.Future[Outcome | None]]]
    ) -> None:
        doomed = [*batch, *self._waiting]
        self._waiting.clear()
        self._failed([append for append, _ in doomed if append is not None])
        for _, future in doomed:
            if not future.done():
                future.set_exception(Refusal(UNAVAILABLE))


def _look_at(future: asyncio.Future[Outcome | None]) -> None:
    if not future.cancelled():
        future.exception()
