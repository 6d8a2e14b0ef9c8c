"""What a struct of a Yjs update can carry; each content is passed over, not kept.

All of it is checked as closely as stock Yjs 13 reads it: what would throw there must
not enter a log. Content 11 (Yrs' move) and types above 6 are among that.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

import msgspec

from ...lib0 import MAX_VAR_UINT, Lib0Error, Reader

MAX_DEPTH: Final = 32
"""How deep arrays and objects may stand in each other."""

_TYPES_WITH_NAME: Final = (3, 5)  # YXmlElement, YXmlHook
_LAST_TYPE: Final = 6  # YXmlText
_MORE: Final = 0x80
_OBJECT: Final = 118
_NUMBER_BYTES: Final = {124: 4, 123: 8, 122: 8}
_BARE: Final = (127, 126, 121, 120)  # undefined, null, false, true


class Content(IntEnum):
    """The kinds of structs, by the number that stands in their first byte."""

    GC = 0
    DELETED = 1
    JSON = 2
    BINARY = 3
    STRING = 4
    EMBED = 5
    FORMAT = 6
    TYPE = 7
    ANY = 8
    DOC = 9
    SKIP = 10


def read_count(reader: Reader, least_bytes_each: int) -> int:
    """Read how many things follow; raises Lib0Error if the bytes cannot hold them."""
    count = reader.var_uint()
    if count * least_bytes_each > reader.remaining:
        raise Lib0Error("a count is larger than the bytes that are left")
    return count


def pass_content(reader: Reader, content: Content) -> int:
    """Pass over an item's content other than STRING; return its length in clocks.

    Raises Lib0Error where Yjs would throw.
    """
    return _PASS[content](reader)


def _deleted(reader: Reader) -> int:
    return reader.var_uint()


def _binary(reader: Reader) -> int:
    reader.skip(reader.var_uint())
    return 1


def _json_array(reader: Reader) -> int:
    count = read_count(reader, 1)
    for _ in range(count):
        _json(reader, undefined=True)
    return count


def _embed(reader: Reader) -> int:
    _json(reader)
    return 1


def _format(reader: Reader) -> int:
    reader.var_string()
    _json(reader)
    return 1


def _type(reader: Reader) -> int:
    if reader.var_uint(_LAST_TYPE) in _TYPES_WITH_NAME:
        reader.var_string()
    return 1


def _any_array(reader: Reader) -> int:
    count = read_count(reader, 1)
    for _ in range(count):
        _any(reader, MAX_DEPTH)
    return count


def _doc(reader: Reader) -> int:
    reader.var_string()
    if reader.byte() != _OBJECT:
        raise Lib0Error("the options of a document are no object")
    _object(reader, MAX_DEPTH)
    return 1


_PASS: Final[dict[Content, Callable[[Reader], int]]] = {
    Content.DELETED: _deleted,
    Content.JSON: _json_array,
    Content.BINARY: _binary,
    Content.EMBED: _embed,
    Content.FORMAT: _format,
    Content.TYPE: _type,
    Content.ANY: _any_array,
    Content.DOC: _doc,
}


def _json(reader: Reader, *, undefined: bool = False) -> None:
    text = reader.var_string()
    if undefined and text == "undefined":
        return
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise Lib0Error("a JSON content is not JSON") from error
    _check_depth(value, MAX_DEPTH)


def _check_depth(value: object, depth_left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if depth_left == 0:
        raise Lib0Error(f"a content is deeper than {MAX_DEPTH}")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, depth_left - 1)


def _any(reader: Reader, depth_left: int) -> None:
    tag = reader.byte()
    if tag in _BARE:
        return
    if tag in _NUMBER_BYTES:
        reader.skip(_NUMBER_BYTES[tag])
        return
    match tag:
        case 125:
            _var_int(reader)
        case 119:
            reader.var_string()
        case 118:
            _object(reader, depth_left)
        case 117:
            _array(reader, depth_left)
        case 116:
            _binary(reader)
        case _:
            raise Lib0Error(f"unknown value {tag}")


def _array(reader: Reader, depth_left: int) -> None:
    if depth_left == 0:
        raise Lib0Error(f"a content is deeper than {MAX_DEPTH}")
    for _ in range(read_count(reader, 1)):
        _any(reader, depth_left - 1)


def _object(reader: Reader, depth_left: int) -> None:
    if depth_left == 0:
        raise Lib0Error(f"a content is deeper than {MAX_DEPTH}")
    for _ in range(read_count(reader, 2)):
        reader.var_string()
        _any(reader, depth_left - 1)


def _var_int(reader: Reader) -> None:
    """Pass over a varInt: bit 6 of the first byte is the sign, 6 bits are value."""
    group = reader.byte()
    value, shift = group & 0x3F, 6
    while group & _MORE:
        group = reader.byte()
        value |= (group & 0x7F) << shift
        shift += 7
        if value > MAX_VAR_UINT:
            raise Lib0Error("a number is larger than 2^53")
