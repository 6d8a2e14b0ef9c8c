from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from server.errors import TOO_MANY_REQUESTS, UNAVAILABLE, Away, Refusal
from server.queues import commit as commit_module
from server.queues.commit import Committer
from server.runtime.stats import Stats
from server.runtime.tasks import Tasks
from server.seams.log import Append, Appended, Draft, Outcome
from server.stores.memory import MemoryLog
from tests.clocks import ManualClock
from tests.hub.logs import FaultyLog
from tests.looptime import turns, until


class Desk:
    """A committer, and what it said of what it kept."""

    def __init__(self, tasks: Tasks) -> None:
        self.log = FaultyLog(MemoryLog(ManualClock(), lambda: "e"))
        self.stats = Stats()
        self.kept: list[object] = []
        self.failed: list[list[object]] = []
        self.fault: Exception | None = None
        self.committer = Committer(self.log, tasks, self.stats, self._keep, self._fail)

    def _keep(self, append: Append, outcome: Outcome) -> None:
        self.kept.append(append.drafts[0].content)
        if self.fault is not None:
            raise self.fault

    def _fail(self, appends: Sequence[Append]) -> None:
        self.failed.append([append.drafts[0].content for append in appends])

    def say(self, number: int) -> asyncio.Future[Outcome | None]:
        """Submit one number."""
        draft = Draft("open:x", "message", number, None, 0)
        return self.committer.submit(Append((draft,)))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A committer that runs."""
    tasks = Tasks()
    await tasks.start()
    yield Desk(tasks)
    await tasks.stop()


async def test_what_comes_meanwhile_goes_with_the_next(desk: Desk) -> None:
    """One transaction is under way, all that waits is the next one; order holds."""
    desk.log.append_gate.clear()
    first = desk.say(1)
    await turns(3)
    others = [desk.say(number) for number in range(2, 12)]
    await turns(3)
    assert not first.done()
    desk.log.append_gate.set()
    await asyncio.wait([first, *others])
    assert desk.log.batches == [1, 10]
    assert desk.kept == list(range(1, 12))
    offsets = [
        each.result().positions[0].offset  # type: ignore[union-attr]
        for each in (first, *others)
    ]
    assert offsets == list(range(1, 12))
    assert (desk.stats.commits, desk.stats.committed) == (2, 11)


async def test_a_batch_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest goes with further transactions."""
    monkeypatch.setattr(commit_module, "BATCH_APPENDS", 4)
    said = [desk.say(number) for number in range(10)]
    await asyncio.wait(said)
    assert desk.log.batches == [4, 4, 2]
    assert desk.committer.idle


async def test_a_failed_transaction_refuses_what_followed(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have been judged against what was never kept; later ones are kept."""
    desk.log.append_gate.clear()
    desk.log.append_fault = OSError("disk full")
    doomed = [desk.say(1)]
    await turns(3)
    doomed += [desk.say(2), desk.committer.barrier(), desk.say(3)]
    desk.log.append_gate.set()
    await asyncio.wait(doomed)
    for future in doomed:
        error = future.exception()
        assert isinstance(error, Refusal)
        assert error.error is UNAVAILABLE
    assert desk.failed == [[1, 2, 3]]
    assert desk.kept == []
    assert desk.stats.failed_commits == 1
    assert "a transaction of 1 appends failed" in caplog.text

    desk.log.append_fault = None
    assert isinstance(await desk.say(4), Appended)
    assert desk.kept == [4]


async def test_a_barrier_waits_for_what_was_before(desk: Desk) -> None:
    """And for nothing else."""
    desk.log.append_gate.clear()
    said = desk.say(1)
    barrier = desk.committer.barrier()
    await turns(3)
    assert not barrier.done()
    desk.log.append_gate.set()
    assert await barrier is None
    assert said.done()
    assert await desk.committer.barrier() is None
    assert desk.log.batches == [1], "a barrier alone is no transaction"


async def test_too_many_that_wait_are_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until there is room again."""
    monkeypatch.setattr(commit_module, "WAITING_APPENDS", 3)
    desk.log.append_gate.clear()
    desk.say(0)
    await turns(3)
    for number in range(1, 4):
        desk.committer.check_room()
        desk.say(number)
    with pytest.raises(Refusal) as refused:
        desk.committer.check_room()
    assert refused.value.error is TOO_MANY_REQUESTS
    desk.log.append_gate.set()
    await until(lambda: desk.committer.idle)
    desk.committer.check_room()


async def test_a_cancelled_publisher_loses_nothing(desk: Desk) -> None:
    """Its publication is kept, and so are those behind it."""
    desk.log.append_gate.clear()
    first, second = desk.say(1), desk.say(2)
    first.cancel()
    desk.log.append_gate.set()
    assert isinstance(await second, Appended)
    assert desk.kept == [1, 2]


async def test_what_cannot_be_delivered_is_kept_all_the_same(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault behind the log does not leave those behind it without an answer."""
    desk.fault = ValueError("bug")
    first, second = desk.say(1), desk.say(2)
    await asyncio.wait([first, second])
    assert isinstance(first.result(), Appended)
    assert isinstance(second.result(), Appended)
    assert desk.kept == [1, 2]
    assert "could not be delivered" in caplog.text


async def test_nobody_waits_for_a_closed_one(desk: Desk) -> None:
    """What comes after the end is refused at once."""
    desk.committer.close()
    for future in (desk.say(1), desk.committer.barrier()):
        error = future.exception()
        assert isinstance(error, Refusal)
        assert error.error is UNAVAILABLE


async def test_what_is_under_way_at_the_end_is_refused() -> None:
    """Its transaction is cancelled with the tasks."""
    tasks = Tasks()
    await tasks.start()
    desk = Desk(tasks)
    desk.log.append_gate.clear()
    said = [desk.say(1)]
    await turns(3)
    said.append(desk.say(2))
    await tasks.stop()
    assert all(isinstance(each.exception(), Refusal) for each in said)
    assert desk.failed == [[1, 2]]


async def test_a_log_that_is_away_is_not_waited_for_again(desk: Desk) -> None:
    """Who comes next is refused at once, until the watch has seen it answer."""
    desk.log.append_fault = Away("no answer within 2 s")
    (outcome,) = await asyncio.gather(desk.say(1), return_exceptions=True)
    assert isinstance(outcome, Refusal)
    assert outcome.error.code == UNAVAILABLE.code
    with pytest.raises(Refusal, match="the store does not answer"):
        desk.committer.check_room()
    with pytest.raises(Refusal):
        desk.committer.check_fault()


async def test_a_fault_of_another_kind_is_asked_about_again(desk: Desk) -> None:
    """A full disk may have room for the next."""
    desk.log.append_fault = OSError("no space left")
    await asyncio.gather(desk.say(1), return_exceptions=True)
    desk.committer.check_room()
