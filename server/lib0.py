"""lib0's wire primitives, read strictly: what Yjs updates and y-protocols are made of.

Everything here comes from strangers. A number is never trusted before it was
compared with the bytes that are left, and each value has one spelling only.
"""

from __future__ import annotations

from typing import Final

MAX_VAR_UINT: Final = 2**53 - 1
"""The largest number that lib0 writes: JavaScript's MAX_SAFE_INTEGER."""

_MORE: Final = 0x80  # the bit that says that another group of 7 bits follows
_GROUP: Final = 0x7F
_MAX_MORE_GROUPS: Final = 7  # 2^53 - 1 has eight groups of 7 bits


class Lib0Error(ValueError):
    """The bytes are no lib0 encoding: cut, too large, overlong or not UTF-8."""


class Reader:
    """Reads lib0 values from the front of some bytes, one after the other."""

    __slots__ = ("_bytes", "_end", "position")

    def __init__(self, encoded: bytes) -> None:
        self._bytes = encoded
        self._end = len(encoded)
        self.position = 0

    @property
    def remaining(self) -> int:
        """How many bytes have not been read yet."""
        return self._end - self.position

    def byte(self) -> int:
        """Read one byte; raises Lib0Error at the end."""
        position = self.position
        if position >= self._end:
            raise Lib0Error("the bytes end too early")
        self.position = position + 1
        return self._bytes[position]

    def var_uint(self, limit: int = MAX_VAR_UINT) -> int:
        """Read a varUint of at most `limit`; raises Lib0Error if larger or overlong."""
        value = self.byte()
        if value >= _MORE:
            value = self._more_groups(value - _MORE)
        if value > limit:
            raise Lib0Error(f"the number {value} is larger than {limit}")
        return value

    def _more_groups(self, value: int) -> int:
        shift = 7
        encoded, position = self._bytes, self.position
        # Most of the bytes of an update are read here, so that `byte` is written out.
        for group in encoded[position : position + _MAX_MORE_GROUPS]:
            position += 1
            value |= (group & _GROUP) << shift
            if group < _MORE:
                if group == 0:
                    raise Lib0Error("a number is longer than it needs to be")
                self.position = position
                return value
            shift += 7
        if position >= self._end:
            raise Lib0Error("the bytes end too early")
        raise Lib0Error("a number is larger than 2^53")

    def skip(self, length: int) -> int:
        """Pass over `length` bytes and return where they began."""
        if length > self._end - self.position:
            raise Lib0Error("a length is larger than the bytes that are left")
        start = self.position
        self.position = start + length
        return start

    def var_bytes(self) -> bytes:
        """Read a varUint8Array: a length in bytes, then the bytes."""
        start = self.skip(self.var_uint())
        return self._bytes[start : self.position]

    def var_string(self) -> str:
        """Read a varString: a length in bytes (not characters), then UTF-8."""
        try:
            return self.var_bytes().decode()
        except UnicodeDecodeError as error:
            raise Lib0Error("a text is not UTF-8") from error

    def finish(self) -> None:
        """Raise Lib0Error if something is left over."""
        if self.remaining:
            raise Lib0Error(f"{self.remaining} bytes are left over")


def var_uint(value: int) -> bytes:
    """Write a varUint; raises Lib0Error below 0 and above 2^53 - 1."""
    if not 0 <= value <= MAX_VAR_UINT:
        raise Lib0Error(f"{value} cannot be written as a varUint")
    groups = bytearray()
    while value >= _MORE:
        groups.append(value & _GROUP | _MORE)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def var_bytes(value: bytes) -> bytes:
    """Write a varUint8Array."""
    return var_uint(len(value)) + value


def var_string(value: str) -> bytes:
    """Write a varString; raises Lib0Error for a lone surrogate."""
    try:
        return var_bytes(value.encode())
    except UnicodeEncodeError as error:
        raise Lib0Error("a lone surrogate cannot be written as UTF-8") from error
