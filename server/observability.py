"""What is written down for people: log records, one line each.

Rules:
1. A record is one line. Control characters, line separators and direction marks in it
   are escaped, so that nobody can forge a record or turn a terminal upside down.
2. Records of one logger and template are limited, so that a flood from outside cannot
   fill the disk. How many were left out stands in the next one that passes.
3. Payloads are not logged, nor the queries of URLs. That is the callers' part.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

session_id: ContextVar[str | None] = ContextVar("session_id", default=None)
"""The session on whose behalf this task works; None outside of one."""

LIMIT_RECORDS = 20
LIMIT_WINDOW_S = 60.0
LIMIT_TEMPLATES = 1_000
SERVER_FAULT = 500

# C0, DEL, C1, line and paragraph separators, marks of direction, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_line(text: str) -> str:
    """Return a text with everything escaped that could end or disguise a line."""
    return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


class LineFormatter(logging.Formatter):
    """Writes time (UTC), level, logger, session, message, and a trace behind them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        time_text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"{time_text} {record.levelname} {record.name}"
        session = session_id.get()
        who = f" [{session}]" if session is not None else ""
        text = f"{head}{who} {record.getMessage()}"
        left_out = getattr(record, LEFT_OUT, 0)
        if left_out:
            text += f" ({left_out} more like this were left out)"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return one_line(text)


LEFT_OUT = "left_out"
"""The attribute of a record that says how many like it were left out before."""


class _Window:
    __slots__ = ("began_at", "left_out", "passed")

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.passed = 0
        self.left_out = 0


class FloodFilter(logging.Filter):
    """Lets `limit` records of one logger, level and template pass in each window."""

    def __init__(
        self,
        limit: int = LIMIT_RECORDS,
        window_s: float = LIMIT_WINDOW_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._limit = limit
        self._window_s = window_s
        self._now = now
        self._windows: dict[tuple[str, int, str], _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record passes."""
        window = self._window((record.name, record.levelno, str(record.msg)))
        if window.passed >= self._limit:
            window.left_out += 1
            return False
        window.passed += 1
        setattr(record, LEFT_OUT, window.left_out)
        window.left_out = 0
        return True

    def _window(self, template: tuple[str, int, str]) -> _Window:
        now = self._now()
        window = self._windows.get(template)
        if window is None:
            if len(self._windows) >= LIMIT_TEMPLATES:
                # Somebody logs ready-made texts: forgetting bounds the memory.
                self._windows.clear()
            window = self._windows[template] = _Window(now)
        elif now - window.began_at >= self._window_s:
            window.began_at = now
            window.passed = 0
        return window


def without_payload(record: logging.LogRecord) -> bool:
    """Take the trace from what aiohttp says of a malformed request, as a filter.

    It would show what was sent. The record itself stays, as a warning.
    """
    error = record.exc_info[1] if record.exc_info else None
    code = getattr(error, "code", None)
    if (
        record.name == "aiohttp.server"
        and isinstance(code, int)
        and code < SERVER_FAULT
    ):
        record.msg, record.args = "a malformed request was refused (%d)", (code,)
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def set_up_logging(level: str, stream: TextIO | None = None) -> logging.Handler:
    """Log to a stream (None: stderr); `level` is Hubbub's own, others warn.

    For a process that is Hubbub alone: an application that embeds it has a set-up of
    its own. Returns the handler.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    handler.addFilter(without_payload)
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("hubbub").setLevel(level.upper())
    return handler
