from __future__ import annotations

import json

import pytest

from server import errors
from server.errors import (
    BAD_REQUEST,
    DISCONNECTS,
    FORCED_RECONNECT,
    REPLY_ERRORS,
    SHUTDOWN,
    UNAVAILABLE,
    Disconnect,
    Refusal,
    ReplyError,
    SettingsError,
)
from server.runtime.arrivals import FLOOR_MS, MOST_SPREAD_MS


def test_a_reason_stands_behind_the_message() -> None:
    """Code and whether it is temporary stay."""
    told = UNAVAILABLE.because("no disk")
    assert told == ReplyError(108, "unavailable: no disk", temporary=True)
    assert str(Refusal(told)) == "108 unavailable: no disk"


def test_the_tables_are_complete_and_unambiguous() -> None:
    """Every error and close that the module names stands in its table, once."""
    named = vars(errors).values()
    assert {each for each in named if isinstance(each, ReplyError)} == set(REPLY_ERRORS)
    assert {each for each in named if isinstance(each, Disconnect)} == set(DISCONNECTS)
    for table in (REPLY_ERRORS, DISCONNECTS):
        codes = [each.code for each in table]
        assert len(set(codes)) == len(codes)
    assert all(100 <= each.code <= 399 for each in REPLY_ERRORS)


@pytest.mark.parametrize("disconnect", DISCONNECTS, ids=lambda each: each.reason)
def test_a_reason_is_short_plain_and_no_json(disconnect: Disconnect) -> None:
    """Clients of the Centrifuge protocol read it as JSON first."""
    assert len(disconnect.reason.encode("ascii")) <= 32
    for words in (disconnect.words, disconnect.retry(2300).words):
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(words)


@pytest.mark.parametrize("disconnect", [SHUTDOWN, FORCED_RECONNECT])
def test_what_many_are_told_is_short_with_its_time_too(disconnect: Disconnect) -> None:
    """Also where the time is the last that anybody is told."""
    latest_ms = FLOOR_MS + int(MOST_SPREAD_MS)
    assert len(disconnect.retry(latest_ms).words.encode("ascii")) <= 32


def test_a_disconnect_may_say_when_to_come_back() -> None:
    """Behind its reason; it means the same with it."""
    timed = SHUTDOWN.retry(2300)
    assert SHUTDOWN.words == "shutdown"
    assert (timed.words, timed.reason) == ("shutdown; retry 2300 ms", "shutdown")
    assert timed == SHUTDOWN
    assert hash(timed) == hash(SHUTDOWN)
    assert timed.returns


@pytest.mark.parametrize(
    ("code", "returns"),
    [
        (2999, False),
        (3000, True),
        (3499, True),
        (3500, False),
        (3999, False),
        (4000, True),
        (4499, True),
        (4500, False),
        (4999, False),
    ],
)
def test_the_code_says_whether_to_come_back(code: int, returns: bool) -> None:  # noqa: FBT001 - the parameter
    """3000-3499 and 4000-4499: yes."""
    assert Disconnect(code, "x").returns is returns


def test_all_faults_of_settings_are_told() -> None:
    """A line each."""
    assert str(SettingsError(["one", "two"])) == "one\ntwo"
    assert BAD_REQUEST.temporary is False
