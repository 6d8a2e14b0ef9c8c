"""The log in Redis keeps what `test_log` says of every log, but for what stands below.

Its tests are taken over as they are; only their fixture is another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.backplanes.redis.nodes import running
from tests.contracts import test_log as contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.seams.log import Log
    from tests.services.redis import RedisServer

OTHERWISE = {
    "test_a_batch_that_raises_keeps_nothing": "it keeps no rows of kinds",
    "test_dropping_or_remembering_breaks_nothing": "other nodes may be there still",
    "test_readers_beside_a_writer_see_whole_runs": "a batch is no transaction",
    "test_text_from_people_holds_anything": "it keeps no rows of kinds",
}
"""What does not hold, and why. `tests/backplanes/redis/test_log.py` has its own."""

globals().update(
    (name, test)
    for name, test in vars(contract).items()
    if name.startswith("test_") and name not in OTHERWISE
)


@pytest.fixture
async def log(redis_server: RedisServer) -> AsyncIterator[Log]:
    """Give the log of a node."""
    async with running(redis_server.url) as node:
        yield node.backplane.log


def test_what_holds_otherwise_is_in_the_contract() -> None:
    """A reason for a test that is gone is gone with it."""
    assert all(hasattr(contract, name) for name in OTHERWISE)
