"""The y-websocket protocol as values: bytes in, messages out, and back. No I/O.

Rule 1: a received frame may hold several messages; a written frame holds one,
because stock y-websocket 3 reads one a frame.
Rule 2: awareness is decoded and encoded anew, so that nobody's odd JSON travels on.
Rule 3: update bytes and state vectors are passed on unread; the kind judges them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from ...lib0 import Lib0Error, Reader, var_bytes, var_string, var_uint

MAX_MESSAGES: Final = 64
"""How many messages one frame may hold."""

MAX_AWARENESS_ENTRIES: Final = 16
MAX_AWARENESS_STATE_BYTES: Final = 4096
MAX_AWARENESS_DEPTH: Final = 32

_SYNC, _AWARENESS, _AUTH, _QUERY_AWARENESS = 0, 1, 2, 3
_SAVE, _STANDING = 102, 103  # private: only clients that send a 102 are told any
_FROM_SERVER: Final = {_AUTH: "auth", _STANDING: "standing"}
_SYNC_STEP_1, _SYNC_STEP_2, _SYNC_UPDATE = 0, 1, 2
_AUTH_DENIED: Final = 0
_LARGEST_NUMBER: Final = 10**21  # JavaScript writes larger ones with an exponent


class FrameError(ValueError):
    """A frame breaks the y-websocket protocol or its bounds; the text says how."""


@dataclass(frozen=True, slots=True)
class SyncStep1:
    """What the sender has; answered with a SyncStep2."""

    state_vector: bytes


@dataclass(frozen=True, slots=True)
class SyncStep2:
    """What the receiver lacked by its SyncStep1; may be the empty update `00 00`."""

    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """An edit, in Yjs update format v1."""

    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One client's presence: its id, its clock, and its state as compact JSON text.

    `state` is a JSON object; None means that the client has left.
    """

    client: int
    clock: int
    state: str | None


@dataclass(frozen=True, slots=True)
class Awareness:
    """Presence of some clients: cursors, names."""

    entries: tuple[AwarenessEntry, ...]


@dataclass(frozen=True, slots=True)
class QueryAwareness:
    """Asks for all known awareness."""


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """Asks to be told, by `saved(number)`, when all sent before it is durable."""

    number: int


Message: TypeAlias = (
    SyncStep1 | SyncStep2 | Update | Awareness | QueryAwareness | SaveRequest
)


def decode(
    frame: bytes,
    *,
    max_awareness_entries: int = MAX_AWARENESS_ENTRIES,
    max_awareness_state_bytes: int = MAX_AWARENESS_STATE_BYTES,
) -> tuple[Message, ...]:
    """Read all messages of a client's frame, of which there is at least one.

    The entries are counted for the frame, not for each message; a state is measured
    in bytes of JSON as it came. Raises FrameError; nothing of such a frame counts.
    """
    reader = Reader(frame)
    messages: list[Message] = []
    entries_left = max_awareness_entries
    try:
        while reader.remaining or not messages:
            if len(messages) == MAX_MESSAGES:
                raise FrameError(f"a frame holds at most {MAX_MESSAGES} messages")
            message = _message(reader, entries_left, max_awareness_state_bytes)
            if isinstance(message, Awareness):
                entries_left -= len(message.entries)
            messages.append(message)
    except Lib0Error as error:
        raise FrameError(str(error)) from error
    return tuple(messages)


def _message(reader: Reader, max_entries: int, max_state_bytes: int) -> Message:
    kind = reader.var_uint()
    if kind == _SYNC:
        return _sync(reader)
    if kind == _AWARENESS:
        return _awareness(reader.var_bytes(), max_entries, max_state_bytes)
    if kind == _QUERY_AWARENESS:
        return QueryAwareness()
    if kind == _SAVE:
        return SaveRequest(reader.var_uint())
    if kind in _FROM_SERVER:
        raise FrameError(f"{_FROM_SERVER[kind]} messages come from the server only")
    raise FrameError(f"unknown message type {kind}")


def _sync(reader: Reader) -> Message:
    kind = reader.var_uint()
    if kind == _SYNC_STEP_1:
        return SyncStep1(reader.var_bytes())
    if kind == _SYNC_STEP_2:
        return SyncStep2(reader.var_bytes())
    if kind == _SYNC_UPDATE:
        return Update(reader.var_bytes())
    raise FrameError(f"unknown sync message type {kind}")


def _awareness(encoded: bytes, max_entries: int, max_state_bytes: int) -> Awareness:
    reader = Reader(encoded)
    count = reader.var_uint()
    if count > max_entries:
        raise FrameError(f"{count} awareness entries are more than {max_entries}")
    entries = tuple(_entry(reader, max_state_bytes) for _ in range(count))
    reader.finish()
    if len({entry.client for entry in entries}) != count:
        raise FrameError("an awareness client is named twice")
    return Awareness(entries)


def _entry(reader: Reader, max_state_bytes: int) -> AwarenessEntry:
    client, clock = reader.var_uint(), reader.var_uint()
    text = reader.var_bytes()
    if len(text) > max_state_bytes:
        raise FrameError(f"an awareness state is larger than {max_state_bytes} bytes")
    return AwarenessEntry(client, clock, _state(text))


def _state(text: bytes) -> str | None:
    try:
        state: object = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        # msgspec itself refuses NaN, infinities, lone surrogates and bad UTF-8.
        raise FrameError("an awareness state is not JSON") from error
    if state is None:
        return None
    if not isinstance(state, dict):
        raise FrameError("an awareness state is neither an object nor null")
    _check_json(state, MAX_AWARENESS_DEPTH)
    return msgspec.json.encode(state).decode()


def _check_json(value: object, depth_left: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise FrameError("an awareness state contains U+0000")
    elif isinstance(value, int):
        if abs(value) > _LARGEST_NUMBER:
            raise FrameError("an awareness state contains a huge number")
    elif isinstance(value, list | dict):
        if depth_left == 0:
            raise FrameError(f"an awareness state is deeper than {MAX_AWARENESS_DEPTH}")
        parts = value if isinstance(value, list) else (*value, *value.values())
        for part in parts:
            _check_json(part, depth_left - 1)


def sync_step1(state_vector: bytes) -> bytes:
    """Write the frame that says what the server has; the client answers with step 2."""
    return bytes((_SYNC, _SYNC_STEP_1)) + var_bytes(state_vector)


def sync_step2(update: bytes) -> bytes:
    """Write the frame that answers a step 1; the client then calls itself synced."""
    return bytes((_SYNC, _SYNC_STEP_2)) + var_bytes(update)


def update(update: bytes) -> bytes:
    """Write the frame of one edit."""
    return bytes((_SYNC, _SYNC_UPDATE)) + var_bytes(update)


def awareness(entries: Iterable[AwarenessEntry]) -> bytes:
    """Write the frame of some clients' presence; a state of None says they left."""
    parts = [
        var_uint(entry.client)
        + var_uint(entry.clock)
        + var_string("null" if entry.state is None else entry.state)
        for entry in entries
    ]
    return bytes((_AWARENESS,)) + var_bytes(var_uint(len(parts)) + b"".join(parts))


def query_awareness() -> bytes:
    """Write the frame that asks for all awareness; servers need it never, tests do."""
    return bytes((_QUERY_AWARENESS,))


def denied(reason: str) -> bytes:
    """Write the frame that refuses access; a close with 4400-4499 must follow it."""
    return bytes((_AUTH, _AUTH_DENIED)) + var_string(reason)


def saved(number: int) -> bytes:
    """Write the frame that answers SaveRequest(number), after the commit only."""
    return bytes((_SAVE,)) + var_uint(number)


def standing(*, live: bool) -> bytes:
    """Write the frame that says whether the hub is live; see `Standing`."""
    return bytes((_STANDING,)) + var_uint(live)
