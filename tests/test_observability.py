"""The log: one line a record, whatever stands in it and however many come."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from server.observability import (
    LIMIT_TEMPLATES,
    FloodFilter,
    LineFormatter,
    one_line,
    session_id,
    set_up_logging,
    without_payload,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged while logging is set up as the command does it."""
    root, own = logging.getLogger(), logging.getLogger("hubbub")
    levels = root.level, own.level
    stream = io.StringIO()
    handler = set_up_logging("info", stream)
    yield stream
    root.removeHandler(handler)
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.mark.parametrize(
    "attack",
    [
        "a\n2026-01-01T00:00:00.000Z INFO hubbub forged",
        "a\r\nforged",
        "\x1b[2J\x1b[31m",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "a\0b",
        "a\ud800b",
    ],
    ids=ascii,
)
def test_a_record_is_one_line(written: io.StringIO, attack: str) -> None:
    """Whatever came from outside, in the message or in an exception's text."""
    logger = logging.getLogger("hubbub.test")
    logger.warning("channel %s: refused", attack)
    try:
        int(attack)
    except ValueError:
        logger.exception("it failed")
    lines = written.getvalue().splitlines()
    assert len(lines) == 2
    written.getvalue().encode()
    assert all(line.isprintable() for line in lines)
    assert lines[0].split(" ", 3)[1:3] == ["WARNING", "hubbub.test"]
    assert "ValueError" in lines[1]


def test_escaping_leaves_words_alone() -> None:
    """Names in any script stay readable."""
    text = "\u674e \u0645\u0631\u064a\u0645 \U0001f680 \\n"
    assert one_line(text) == text
    assert one_line("a\nb\u202e") == "a\\nb\\u202e"


def test_a_record_names_its_session(written: io.StringIO) -> None:
    """Where there is one."""
    logger = logging.getLogger("hubbub.test")
    logger.info("before")
    token = session_id.set("c_1")
    logger.info("inside")
    session_id.reset(token)
    before, inside = written.getvalue().splitlines()
    assert before.endswith("Z INFO hubbub.test before")
    assert inside.endswith("Z INFO hubbub.test [c_1] inside")


def test_others_only_warn(written: io.StringIO) -> None:
    """Libraries' chatter is not ours."""
    logging.getLogger("somebody").info("hello")
    logging.getLogger("hubbub").debug("hello")
    assert written.getvalue() == ""


def test_a_flood_cannot_fill_the_disk() -> None:
    """A hundred thousand alike leave a few lines, and the number of the others."""
    now = 0.0
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    handler.addFilter(FloodFilter(limit=3, window_s=10, now=lambda: now))
    logger = logging.Logger("hubbub.test")  # noqa: LOG001 - forgotten after the test
    logger.addHandler(handler)
    for number in range(100_000):
        logger.warning("bad frame %d", number)
    logger.warning("something else")
    assert len(stream.getvalue().splitlines()) == 4
    now = 10.0
    logger.warning("bad frame %d", -1)
    logger.warning("bad frame %d", -2)
    *_, first, second = stream.getvalue().splitlines()
    assert first.endswith("bad frame -1 (99997 more like this were left out)")
    assert second.endswith("bad frame -2")


def test_ready_made_texts_do_not_fill_the_memory() -> None:
    """A logger without templates is limited only as long as it is remembered."""
    flood = FloodFilter(limit=1, window_s=10, now=lambda: 0.0)

    def passes(text: str) -> bool:
        record = logging.LogRecord("x", logging.INFO, "", 0, text, (), None)
        return flood.filter(record)

    assert passes("0")
    assert not passes("0")
    for number in range(LIMIT_TEMPLATES):
        passes(f"text {number}")
    assert passes("0")


def test_a_malformed_request_is_logged_without_what_was_sent() -> None:
    """Left alone, aiohttp would show it."""
    error = BadHttpMethod("BREW secret words")
    trace = (BadHttpMethod, error, None)
    record = logging.LogRecord(
        "aiohttp.server", logging.ERROR, "", 0, "Error from %s", ("x",), trace
    )
    assert without_payload(record)
    line = LineFormatter().format(record)
    assert "secret" not in line
    assert line.endswith("WARNING aiohttp.server a malformed request was refused (400)")


def test_a_real_failure_keeps_its_trace() -> None:
    """Only what the peer did wrong is shortened."""
    for name, error in (
        ("aiohttp.server", RuntimeError("bug")),
        ("hubbub.web", web.HTTPBadRequest()),
    ):
        trace = (type(error), error, None)
        record = logging.LogRecord(name, logging.ERROR, "", 0, "failed", (), trace)
        assert without_payload(record)
        assert type(error).__name__ in LineFormatter().format(record)
