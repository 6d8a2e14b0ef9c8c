"""Yjs updates (format v1) and state vectors, read strictly and without pycrdt.

Rule 1: what passes here, stock Yjs 13 can read: no unknown content, no broken JSON, no
empty struct, nothing twice, nothing left over. One poisoned update in a log would
throw in every client that ever opens the note.
Rule 2: no count is believed before the bytes that are left were asked.
Rule 3: only the form is judged. Whether an update applies is `known.py`'s question,
whether it cuts a character is `surrogates.py`'s.

A clock counts a client's units: UTF-16 code units of text, elements of arrays.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from ...lib0 import Lib0Error, Reader, var_uint
from .content import Content, pass_content, read_count

MAX_CLOCK: Final = 2**32 - 1
"""Yrs counts in 32 bits, so that no clock may pass this."""

MAX_STATE_VECTOR_ENTRIES: Final = 10_000

_KIND_BITS, _HAS_SUB, _HAS_RIGHT, _HAS_LEFT = 0x1F, 0x20, 0x40, 0x80
_CONTENTS: Final = tuple(Content)
_LEAST_STRUCT_BYTES: Final = 2
_LEAST_BLOCK_BYTES: Final = 3
_LEAST_RANGE_BYTES: Final = 2
_LEAST_PAIR_BYTES: Final = 2

ID: TypeAlias = tuple[int, int]
"""One unit: a client and its clock."""

Range: TypeAlias = tuple[int, int]
"""Clocks of one client, from the first to before the last."""

EMPTY_UPDATE: Final = b"\0\0"
EMPTY_STATE_VECTOR: Final = b"\0"


class UpdateError(ValueError):
    """The bytes are no Yjs update or state vector that may be trusted."""


class Struct(msgspec.Struct, frozen=True, gc=False):
    """One struct of an update: an item, a collected range (GC) or a hole (SKIP).

    `length` counts clocks. `left` and `right` are the units between which the item was
    inserted (Yjs: origin, right origin), `parent` the item of the type that holds it;
    None where the update does not say. `text` is "" for everything but STRING.
    """

    content: Content
    clock: int
    length: int
    left: ID | None = None
    right: ID | None = None
    parent: ID | None = None
    text: str = ""

    @property
    def end(self) -> int:
        """The clock after the struct's last unit."""
        return self.clock + self.length


class Block(msgspec.Struct, frozen=True):
    """One client's structs, in order and without holes but SKIPs."""

    client: int
    clock: int
    structs: tuple[Struct, ...]

    @property
    def end(self) -> int:
        """The clock after the last struct that is no SKIP; `clock` if there is none."""
        for struct in reversed(self.structs):
            if struct.content is not Content.SKIP:
                return struct.end
        return self.clock


class Update(msgspec.Struct, frozen=True):
    """A parsed update: blocks by client, deleted ranges by client as they stood.

    `structs_end` is where, in the bytes, the delete set begins.
    """

    blocks: dict[int, Block]
    deletions: dict[int, tuple[Range, ...]]
    structs_end: int


def parse_update(encoded: bytes) -> Update:
    """Read a whole update, in time linear in its bytes; raises UpdateError."""
    reader = Reader(encoded)
    try:
        blocks = _blocks(reader)
        structs_end = reader.position
        deletions = _deletions(reader)
        reader.finish()
    except Lib0Error as error:
        raise UpdateError(str(error)) from error
    return Update(blocks, deletions, structs_end)


def parse_state_vector(
    encoded: bytes, limit: int = MAX_STATE_VECTOR_ENTRIES
) -> dict[int, int]:
    """Read a state vector: for each client the clock of its next unit.

    Raises UpdateError, also for more than `limit` clients. A count that lies is refused
    before anything is allocated for it: pycrdt would take a gigabyte for six bytes.
    """
    reader = Reader(encoded)
    try:
        count = read_count(reader, _LEAST_PAIR_BYTES)
        if count > limit:
            raise UpdateError(f"a state vector of {count} clients is too large")
        clocks = {reader.var_uint(): reader.var_uint(MAX_CLOCK) for _ in range(count)}
        reader.finish()
    except Lib0Error as error:
        raise UpdateError(str(error)) from error
    if len(clocks) != count:
        raise UpdateError("a state vector names a client twice")
    return clocks


def check_state_vector(encoded: bytes) -> None:
    """Raise UpdateError unless pycrdt may be shown this state vector."""
    parse_state_vector(encoded)


def encode_state_vector(clocks: dict[int, int]) -> bytes:
    """Write a state vector."""
    pairs = (var_uint(client) + var_uint(clock) for client, clock in clocks.items())
    return var_uint(len(clocks)) + b"".join(pairs)


def encode_deletions(deletions: dict[int, tuple[Range, ...]]) -> bytes:
    """Write a delete set: the tail of an update, after its structs."""
    parts = [var_uint(len(deletions))]
    for client, ranges in deletions.items():
        parts += (var_uint(client), var_uint(len(ranges)))
        for start, end in ranges:
            parts += (var_uint(start), var_uint(end - start))
    return b"".join(parts)


def utf16_length(text: str) -> int:
    """Count UTF-16 code units, as JavaScript and clocks do."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le")) // 2


def _blocks(reader: Reader) -> dict[int, Block]:
    blocks: dict[int, Block] = {}
    for _ in range(read_count(reader, _LEAST_BLOCK_BYTES)):
        count = read_count(reader, _LEAST_STRUCT_BYTES)
        client = reader.var_uint()
        if client in blocks:
            raise UpdateError("an update names a client twice")
        first = clock = reader.var_uint(MAX_CLOCK)
        structs: list[Struct] = []
        for _ in range(count):
            struct = _struct(reader, clock)
            clock = struct.end
            if struct.length == 0:
                raise UpdateError("a struct is empty")
            if clock > MAX_CLOCK:
                raise UpdateError("a clock is too large")
            structs.append(struct)
        blocks[client] = Block(client, first, tuple(structs))
    return blocks


def _deletions(reader: Reader) -> dict[int, tuple[Range, ...]]:
    deletions: dict[int, tuple[Range, ...]] = {}
    for _ in range(read_count(reader, _LEAST_RANGE_BYTES)):
        client = reader.var_uint()
        if client in deletions:
            raise UpdateError("a delete set names a client twice")
        deletions[client] = _ranges(reader)
    return deletions


def _ranges(reader: Reader) -> tuple[Range, ...]:
    """Read ranges in ascending order: pycrdt's merge loses some that are not."""
    ranges: list[Range] = []
    last = 0
    for _ in range(read_count(reader, _LEAST_RANGE_BYTES)):
        start = reader.var_uint(MAX_CLOCK)
        length = reader.var_uint(MAX_CLOCK - start)
        if length == 0:
            raise UpdateError("a deleted range is empty")
        if start < last:
            raise UpdateError("deleted ranges are out of order")
        last = start + length
        ranges.append((start, last))
    return tuple(ranges)


def _struct(reader: Reader, clock: int) -> Struct:
    info = reader.byte()
    kind = info & _KIND_BITS
    if kind >= len(_CONTENTS):
        raise UpdateError(f"unknown content {kind}")
    content = _CONTENTS[kind]
    if content in (Content.GC, Content.SKIP):
        if info != kind:
            raise UpdateError("a range without content has a place")
        return Struct(content, clock, reader.var_uint())
    left = _id(reader) if info & _HAS_LEFT else None
    right = _id(reader) if info & _HAS_RIGHT else None
    if left is not None and left == right:
        raise UpdateError("an item stands before and after the same unit")
    parent = None
    if left is None and right is None:
        parent = _parent(reader)
        if info & _HAS_SUB:
            reader.var_string()
    if content is Content.STRING:
        text = reader.var_string()
        return Struct(content, clock, utf16_length(text), left, right, parent, text)
    length = pass_content(reader, content)
    return Struct(content, clock, length, left, right, parent)


def _id(reader: Reader) -> ID:
    return reader.var_uint(), reader.var_uint(MAX_CLOCK)


def _parent(reader: Reader) -> ID | None:
    if reader.var_uint(1):
        reader.var_string()  # the name of a shared type at the document's root
        return None
    return _id(reader)
