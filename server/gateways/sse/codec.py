"""What a session is told, as Server-Sent Events. Pure.

Specified in docs/reference/sse-wire.md; the format is that of the HTML standard,
section 9.2.6. An event's data is the object that the native wire sends. Only
publications, and the answer that comes before them, have an `id:`: where to go on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from ...model import (
    Failed,
    Gap,
    Joined,
    Left,
    Position,
    Publication,
    Reset,
    Signal,
    Standing,
    Subscribed,
)
from ..places import write_places
from ..recent import Recent
from ..words import said_words, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...errors import Disconnect
    from ...model import Outbound

BEAT: Final = b":\n"
"""A comment: no reader shows it, and what stands between takes the stream for alive.

It has no empty line behind it: some readers (httpx-sse) take any for an event's end.
"""
ANY_EVENT: Final = "event"
"""The type of events whose own name cannot be one; their data has it."""
CLOSING: Final = "closing"

_OURS: Final[Mapping[type, str]] = {
    Subscribed: "subscribed",
    Joined: "join",
    Left: "leave",
    Gap: "gap",
    Reset: "reset",
    Standing: "status",
    Failed: "refused",
}
# An EventSource fires `open` and `error` itself.
_RESERVED: Final = frozenset({*_OURS.values(), CLOSING, "open", "error"})
# Section 9.2.6: these three end a line, and nothing else does.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_encode = msgspec.json.Encoder().encode


def event_lines(event: str, data: str, event_id: str | None = None) -> bytes:
    """Return the lines of one event, with the empty one that ends it.

    Line ends in `data` arrive as LF. `event_id` None leaves the reader's as it is;
    empty, it is cleared. Raises ValueError for what would end its line, and for U+0000
    in an id, which readers would ignore.
    """
    if _LINE_END.search(event + (event_id or "")) or "\0" in (event_id or ""):
        raise ValueError("an event's type and id are one line each, without U+0000")
    lines = [] if event_id is None else [f"id: {event_id}"]
    lines.append(f"event: {event}")
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()


def retry_line(retry_ms: int) -> bytes:
    """Return the line that says how long to wait before coming back.

    It is the first of whichever event comes next, as `BEAT` is.
    """
    return f"retry: {retry_ms}\n".encode()


def closing_lines(disconnect: Disconnect) -> bytes:
    """Return the last event of a stream."""
    words = {"code": disconnect.code, "reason": disconnect.reason}
    return event_lines(CLOSING, _encode(words).decode())


def type_of(name: str) -> str:
    """Return an event's type: its name, where that can be one and is not ours."""
    fits = name.isprintable() and name.strip(" ") == name != ""
    return name if fits and name not in _RESERVED else ANY_EVENT


class SseCodec:
    """Events with the position of their one channel as id.

    `chunked`: each frame is a chunk of HTTP/1.1 (RFC 9112 section 7.1), so that it is
    made once for all streams; else it is what HTTP/1.0 reads until the end.
    """

    name = "sse"

    def __init__(self, *, chunked: bool) -> None:
        self._chunked = chunked

    @property
    def end(self) -> bytes:
        """What ends the response, behind all frames."""
        return b"0\r\n\r\n" if self._chunked else b""

    def frame(self, lines: bytes) -> bytes:
        """Return lines as they are written to the connection."""
        return b"%x\r\n%b\r\n" % (len(lines), lines) if self._chunked else lines

    def encode(self, outbound: Outbound) -> bytes | None:
        """Return the frame; None for what only answers commands, which none come."""
        lines = self._lines(outbound)
        return None if lines is None else self.frame(lines)

    def _lines(self, outbound: Outbound) -> bytes | None:
        match outbound:
            case Subscribed():
                return self._past(outbound)
            case Publication():
                mark = self._mark(outbound.channel, outbound.position)
                return mark + (_recent.of(outbound) or b"")
            case _:
                return _recent.of(outbound)

    def _past(self, outbound: Subscribed) -> bytes:
        """Return the answer, and what was missed as events of their own.

        Its id is where the past begins, so that a stream that is cut anywhere in it
        goes on there.
        """
        words = words_of(outbound) or {}
        del words["publications"]
        missed = outbound.publications
        begin = outbound.position
        if missed:
            first = missed[0].position
            begin = Position(first.epoch, first.offset - 1)
        lines = [
            self._mark(outbound.channel, begin),
            event_lines(_OURS[Subscribed], _encode(words).decode()),
        ]
        for each in missed:
            lines += (self._mark(each.channel, each.position), _said_lines(each))
        return b"".join(lines)

    def _mark(self, channel: str, position: Position) -> bytes:
        """Return the line that says where to go on."""
        return f"id: {position}\n".encode()


class PlacesCodec(SseCodec):
    """Events with the positions of all channels of one stream as id.

    Each stream has its own; the lines below the id are made once for all.
    """

    def __init__(self, places: Mapping[str, Position], *, chunked: bool) -> None:
        super().__init__(chunked=chunked)
        self._places = dict(places)

    def _mark(self, channel: str, position: Position) -> bytes:
        self._places[channel] = position
        return f"id: {write_places(self._places)}\n".encode()


def _said_lines(said: Publication | Signal) -> bytes:
    head = {"type": "event", "channel": said.channel}
    data = _encode(head | said_words(said)).decode()
    return event_lines(type_of(said.event), data)


def _made(outbound: Outbound) -> bytes | None:
    if isinstance(outbound, Publication | Signal):
        return _said_lines(outbound)
    event, words = _OURS.get(type(outbound)), words_of(outbound)
    if event is None or words is None:
        return None
    return event_lines(event, _encode(words).decode())


_recent: Recent[Outbound, bytes | None] = Recent(_made)
CHUNKED = SseCodec(chunked=True)
PLAIN = SseCodec(chunked=False)
