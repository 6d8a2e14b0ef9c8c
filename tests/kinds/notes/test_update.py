"""Fixtures named GOLDEN were made in Node with yjs 13.6.33; the code stands beside."""

from __future__ import annotations

import contextlib
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.kinds.notes.content import Content
from server.kinds.notes.update import (
    EMPTY_STATE_VECTOR,
    EMPTY_UPDATE,
    Update,
    UpdateError,
    check_state_vector,
    encode_deletions,
    encode_state_vector,
    parse_state_vector,
    parse_update,
    utf16_length,
)

# doc.clientID = 1; text.insert(0, "a😀b"); then text.delete(2, 1), in one state
GOLDEN_SPLIT_STATE = (
    "01030100040107636f6e74656e740461efbfbd8101010184010201620101010201"
)
# doc.clientID = 2; insert "a", "b", "c" at 0, 1, 2: Y.mergeUpdates([first, third])
GOLDEN_SKIP = "01030200040107636f6e74656e7401610a01840201016300"
# doc.clientID = 3; array.insert(0, [new Y.Text("gone")]); array.delete(0, 1)
GOLDEN_GC = "010203000101036172720100040103010005"
# doc.clientID = 7: text.insert(0, "Hé漢😀"), format(0, 2, bold), insertEmbed(1, ...);
# meta.set("k", [1, -2, 2.5, 0.1, 12345678901, null, undefined, true, false, "s",
# {o: [1]}, bytes]), set("k", "v"), set("bin", bytes), set("big", 10n); arr.insert(0,
# [new Y.Map(), new Y.Array(), new Y.Text("in")]); meta.set("doc", new Y.Doc()); xml:
# [new Y.XmlElement("p"), new Y.XmlText("t"), new Y.XmlHook("h")]; text.delete(0, 1)
GOLDEN_RICH = (
    "01150700010107636f6e74656e740184070002c3a984070107e6bca2f09f988041070001c607010702"
    "04626f6c64046e756c6cc10700070101c5070707010b7b22696d67223a2278227dc60708070104626f"
    "6c6404747275652101046d657461016b01a8070a017701762301046d6574610362696e01092801046d"
    "65746103626967017a000000000000000a0701036172720187070e0087070f020400071002696e2901"
    "046d65746103646f63037375627600070103786d6c0301708707140604000715017487071505016801"
    "07040001050107010a01"
)


def golden(text: str) -> Update:
    """Read a fixture."""
    return parse_update(bytes.fromhex(text))


def contents(update: Update, client: int) -> list[tuple[str, int, int]]:
    """List what a client's structs are, from which clock, how long."""
    return [
        (struct.content.name, struct.clock, struct.length)
        for struct in update.blocks[client].structs
    ]


def test_a_deleted_half_as_yjs_tells_it() -> None:
    """Yjs writes U+FFFD for a cut character, and clocks count UTF-16 units."""
    update = golden(GOLDEN_SPLIT_STATE)
    assert contents(update, 1) == [
        ("STRING", 0, 2),
        ("DELETED", 2, 1),
        ("STRING", 3, 1),
    ]
    assert update.blocks[1].structs[0].text == "a\ufffd"
    assert update.blocks[1].structs[2].left == (1, 2)
    assert update.deletions == {1: ((2, 3),)}
    assert update.blocks[1].end == 4


def test_a_hole_and_a_collected_range() -> None:
    """SKIP is a hole that says nothing is there; GC is what Yjs has forgotten."""
    assert contents(golden(GOLDEN_SKIP), 2) == [
        ("STRING", 0, 1),
        ("SKIP", 1, 1),
        ("STRING", 2, 1),
    ]
    assert contents(golden(GOLDEN_GC), 3) == [("DELETED", 0, 1), ("GC", 1, 4)]


def test_where_the_delete_set_begins() -> None:
    """An update can be written again from its structs and its deletions."""
    for text in (GOLDEN_SPLIT_STATE, GOLDEN_GC):
        encoded = bytes.fromhex(text)
        update = parse_update(encoded)
        tail = encode_deletions(update.deletions)
        assert encoded[: update.structs_end] + tail == encoded


def test_empty() -> None:
    """Nothing is an update too: stock clients send it when they lack nothing."""
    assert parse_update(EMPTY_UPDATE) == Update({}, {}, 1)
    assert parse_state_vector(EMPTY_STATE_VECTOR) == {}


def one(content: str, place: str = "010174") -> bytes:
    """Write an update of one struct, at client 1's clock 0 in the root type "t"."""
    return bytes.fromhex("01010100" + content[:2] + place + content[2:] + "00")


@pytest.mark.parametrize(
    ("content", "length"),
    [
        ("0105", 5),  # deleted
        ("0202" + "01" + "31" + "09" + b"undefined".hex(), 2),  # JSON
        ("0302aabb", 1),  # binary
        ("0404f09f9880", 2),  # string
        ("05027b7d", 1),  # embed
        ("060162047472" + "7565", 1),  # format
        ("0702", 1),  # type: text
        ("07030170", 1),  # type: XML element with its name
        ("0803" + "7f" + "7d818080808001" + "7502760101787e7e", 3),  # any
        ("080174026869", 1),  # any: bytes
        ("09027375" + "7600", 1),  # document
    ],
)
def test_all_contents(content: str, length: int) -> None:
    """Each content is passed over exactly and counts its clocks."""
    (struct,) = parse_update(one(content)).blocks[1].structs
    assert struct.length == length
    assert struct.content == Content(int(content[:2], 16))


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        (b"", "too early"),
        (b"\x00", "too early"),
        (b"\x00\x00\x00", "left over"),
        (bytes.fromhex("ffffffff0f"), "count is larger"),
        (bytes.fromhex("01ffffffff0f0100"), "count is larger"),
        (bytes.fromhex("00ffffffff0f"), "count is larger"),
        (bytes.fromhex("000101ffff03"), "count is larger"),
        (bytes.fromhex("0201010000010101000001" + "00"), "names a client twice"),
        (bytes.fromhex("0002010100010101" + "0101"), "delete set names a client twice"),
        (bytes.fromhex("000101010100"), "deleted range is empty"),
        (bytes.fromhex("000101020501" + "0101"), "out of order"),
        (bytes.fromhex("0001010102ffffffff0f"), "larger than"),
        (bytes.fromhex("0101010000" + "0000"), "struct is empty"),
        (bytes.fromhex("0101010100ffffffff0f00"), "clock is too large"),
        (bytes.fromhex("010101004001" + "0000"), "range without content"),
        (bytes.fromhex("01010105c4010101010161" + "00"), "before and after the same"),
        (one("0b"), "unknown content 11"),
        (one("1f"), "unknown content 31"),
        (one("0402c328"), "not UTF-8"),
        (one("0403eda080"), "not UTF-8"),
        (one("0400"), "struct is empty"),
        (one("0200"), "struct is empty"),
        (one("0800"), "struct is empty"),
        (one("0803"), "count is larger"),
        (one("05034e614e"), "not JSON"),
        (one("06016203" + b"{,}".hex()), "not JSON"),
        (one("0509" + b"undefined".hex()), "not JSON"),
        (one("0542" + (b"[" * 33 + b"]" * 33).hex()), "deeper than 32"),
        (one("0707"), "larger than 6"),
        (one("080173"), "unknown value 115"),
        (one("0801" + "7501" * 33 + "7f"), "deeper than 32"),
        (one("0801" + "76010161" * 33 + "7f"), "deeper than 32"),
        (one("08017dffffffffffffffff01"), "larger than"),
        (one("090273757e"), "no object"),
        (one("0401", place="02"), "larger than 1"),
    ],
)
def test_what_yjs_could_not_read_is_refused(encoded: bytes, reason: str) -> None:
    """One such update in a log would throw in every client that opens the note."""
    with pytest.raises(UpdateError, match=reason):
        parse_update(encoded)


@given(st.text())
def test_utf16_length(text: str) -> None:
    """Lengths are JavaScript's."""
    assert utf16_length(text) == len(text.encode("utf-16-le")) // 2


@given(st.dictionaries(st.integers(0, 2**53 - 1), st.integers(0, 2**32 - 1)))
def test_state_vector_round_trip(clocks: dict[int, int]) -> None:
    """A state vector comes back, with 53-bit clients too."""
    assert parse_state_vector(encode_state_vector(clocks)) == clocks


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("", "too early"),
        ("01", "count is larger"),
        ("010101" + "00", "left over"),
        ("0201010102", "names a client twice"),
        ("010180808080" + "10", "larger than"),
    ],
)
def test_bad_state_vectors_are_refused(encoded: str, reason: str) -> None:
    """Cut, doubled, oversized and too long ones."""
    with pytest.raises(UpdateError, match=reason):
        check_state_vector(bytes.fromhex(encoded))


def test_a_lying_state_vector_costs_nothing() -> None:
    """Six bytes that promise 2^32 clients (a gigabyte in pycrdt) are just refused."""
    tracemalloc.start()
    before = time.perf_counter()
    with pytest.raises(UpdateError, match="count is larger"):
        check_state_vector(bytes.fromhex("ffffffff0f00"))
    took = time.perf_counter() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 0.1  # 1 ms in truth; generous where other work shares the machine
    assert peak < 100_000


def test_a_state_vector_has_a_bound() -> None:
    """10,000 clients pass, one more does not."""
    check_state_vector(encode_state_vector(dict.fromkeys(range(10_000), 1)))
    with pytest.raises(UpdateError, match="too large"):
        check_state_vector(encode_state_vector(dict.fromkeys(range(10_001), 1)))


@given(st.sampled_from([GOLDEN_RICH, GOLDEN_SKIP, GOLDEN_SPLIT_STATE]), st.data())
def test_mutated_updates_raise_update_errors_only(
    text: str, data: st.DataObject
) -> None:
    """A cut or changed update is read or refused, and nothing else happens."""
    encoded = bytearray.fromhex(text)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(encoded) - 1))
        encoded[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(encoded)))
    for bad in (bytes(encoded), bytes(encoded[:cut])):
        with contextlib.suppress(UpdateError):
            parse_update(bad)


def test_everything_yjs_can_hold() -> None:
    """A document with every shared type and value is read to its last byte."""
    update = golden(GOLDEN_RICH)
    assert update.blocks[7].end == 24
    assert {struct.content.name for struct in update.blocks[7].structs} == {
        "DELETED",
        "STRING",
        "FORMAT",
        "EMBED",
        "ANY",
        "BINARY",
        "TYPE",
        "DOC",
    }
