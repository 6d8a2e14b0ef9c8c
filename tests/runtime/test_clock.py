from __future__ import annotations

import re

from server.runtime.clock import Clock, SystemClock, random_id


def test_the_clock_goes_on() -> None:
    """Milliseconds since 1970, and seconds that never go back."""
    clock: Clock = SystemClock()
    assert clock.now_ms() > 1_700_000_000_000
    before = clock.monotonic()
    assert clock.monotonic() >= before


def test_ids_are_random_words_behind_their_prefix() -> None:
    """Fit for channel names and URLs, and none twice."""
    ids = {random_id("g_") for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(re.fullmatch(r"g_[a-z0-9]{16}", each) for each in ids)
