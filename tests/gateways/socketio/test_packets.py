from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateways.socketio.packets import (
    MAX_ATTACHMENTS,
    MAX_ID,
    MAX_NAMESPACE,
    RESERVED,
    Malformed,
    Packet,
    PacketType,
    Poisoned,
    Reader,
)
from server.gateways.socketio.speech import ack, event
from tests.gateways.socketio.talk import packets_of

MOST_BYTES = 1_000
EVENT, ACK = PacketType.EVENT, PacketType.ACK


def read(payload: bytes) -> Packet | None:
    """Read one text message."""
    return Reader(MOST_BYTES).text(payload)


GOOD = [
    (b"0", Packet(PacketType.CONNECT)),
    (b'0{"a":1}', Packet(PacketType.CONNECT, auth={"a": 1})),
    (b"0/chat", Packet(PacketType.CONNECT, "/chat")),
    (b"0/chat,{}", Packet(PacketType.CONNECT, "/chat", auth={})),
    (b"0/,", Packet(PacketType.CONNECT, "/")),
    (b"1", Packet(PacketType.DISCONNECT)),
    (b"1/chat,", Packet(PacketType.DISCONNECT, "/chat")),
    (b'2["x"]', Packet(EVENT, arguments=("x",))),
    (b'20["x"]', Packet(EVENT, "/", 0, ("x",))),
    (b'2/a,12["x",[1],null]', Packet(EVENT, "/a", 12, ("x", [1], None))),
    (b'2["/a,b"]', Packet(EVENT, arguments=("/a,b",))),
    (b"2[7]", Packet(EVENT, arguments=(7,))),
    (b"3/a,7[]", Packet(ACK, "/a", 7)),
    (b"3%d[1]" % MAX_ID, Packet(ACK, "/", MAX_ID, (1,))),
    ('2/é,["x"]'.encode(), Packet(EVENT, "/é", arguments=("x",))),
]


@pytest.mark.parametrize(("payload", "packet"), GOOD)
def test_a_packet_is_read(payload: bytes, packet: Packet) -> None:
    """As the specification writes it."""
    assert read(payload) == packet


BAD = {
    "nothing": b"",
    "no digit": b"abc",
    "type 7": b"7",
    "not UTF-8": b"\xff",
    "connect with an id": b"01",
    "connect with a list": b"0[]",
    "connect with a text": b'0"a"',
    "connect with half an object": b'0{"a":',
    "connect with a surrogate": b'0{"a":"\\ud800"}',
    "disconnect with a payload": b"1{}",
    "disconnect with an id": b"17",
    "event without payload": b"2",
    "event with an object": b"2{}",
    "event with nothing in it": b"2[]",
    "event without a name": b"2[null]",
    "event with a list as its name": b'2[["x"]]',
    "half an event": b'2["x"',
    "event with more behind": b'2["x"]x',
    "id that is none": b'2abc["x"]',
    "negative id": b'2-1["x"]',
    "id too large": b'2%d["x"]' % (MAX_ID + 1),
    "endless id": b"2" + b"1" * 50_000 + b'["x"]',
    "namespace too long": b"0/" + b"a" * MAX_NAMESPACE,
    "namespace of a megabyte": b"0/" + b"a" * 1_000_000,
    "namespace not UTF-8": b"0/\xff",
    "namespace with U+0000": b"0/\0",
    "ack without an id": b"3[]",
    "ack without a payload": b"31",
    "ack with an object": b"31{}",
    "ack with poison": b"31[NaN]",
    "connect error": b'4{"message":"x"}',
    "attachments of an event": b'21-["x"]',
    "binary event without a count": b'5["x"]',
    "no attachments": b'50-["x"]',
    "too many attachments": b'511-["x"]',
    "9,999,999,999 attachments": b'59999999999-["x"]',
    "endless count": b"5" + b"1" * 50_000 + b'-["x"]',
    "negative count": b'5-1-["x"]',
    "poison in a binary event": b'51-["x",NaN,{"_placeholder":true,"num":0}]',
    "missing placeholder": b'52-["x",{"_placeholder":true,"num":0}]',
    "surplus placeholder": b'51-["x",{"_placeholder":true,"num":0},'
    b'{"_placeholder":true,"num":1}]',
    "the same twice": b'52-["x",{"_placeholder":true,"num":0},'
    b'{"_placeholder":true,"num":0}]',
    "out of range": b'51-["x",{"_placeholder":true,"num":1}]',
    "below range": b'51-["x",{"_placeholder":true,"num":-1}]',
    "a text as number": b'51-["x",{"_placeholder":true,"num":"splice"}]',
    "true as number": b'51-["x",{"_placeholder":true,"num":true}]',
    "without number": b'51-["x",{"_placeholder":true}]',
    **{f"event {name}": b'2["%b"]' % name.encode() for name in RESERVED},
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
def test_what_is_no_packet_is_refused(payload: bytes) -> None:
    """It ends the connection; there is nothing to answer."""
    with pytest.raises(Malformed):
        read(payload)


POISON = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "huge number": b"1e999",
    "huge integer": b"9223372036854775808",
    "lone surrogate": b'"\\ud800"',
    "surrogate in a name": b'{"\\udc00":1}',
    "U+0000": b'"a\\u0000b"',
    "not UTF-8": b'"\xff\xfe"',
    "depth 33": b"[" * 32 + b"]" * 32,
    "endless depth": b"[" * 60_000,
}


@pytest.mark.parametrize("part", POISON.values(), ids=POISON.keys())
def test_poison_can_be_answered(part: bytes) -> None:
    """With its namespace and its id."""
    with pytest.raises(Poisoned) as raised:
        read(b'2/a,5["x",%b]' % part)
    assert (raised.value.packet.namespace, raised.value.packet.id) == ("/a", 5)
    assert raised.value.error.code == 107


ONE = b'51-["x",{"_placeholder":true,"num":0}]'
TWO = (
    b'52-/a,3["x",{"b":{"_placeholder":true,"num":1}},[{"_placeholder":true,"num":0}]]'
)


def test_attachments_are_put_in_their_places() -> None:
    """By their numbers, wherever the placeholders stand."""
    reader = Reader(MOST_BYTES)
    assert reader.text(TWO) is None
    assert reader.binary(b"zero") is None
    whole = reader.binary(b"one")
    arguments = ("x", {"b": b"one"}, [b"zero"])
    assert whole == Packet(EVENT, "/a", 3, arguments, binary=True)
    assert reader.text(b"1") == Packet(PacketType.DISCONNECT), "it can go on"


def test_an_acknowledgement_may_have_attachments() -> None:
    """Also where a placeholder is all of it."""
    reader = Reader(MOST_BYTES)
    assert reader.text(b'61-8[{"_placeholder":true,"num":0}]') is None
    assert reader.binary(b"") == Packet(ACK, "/", 8, (b"",), binary=True)


def test_a_placeholder_without_attachments_is_json() -> None:
    """In an event that is not binary it means nothing."""
    packet = read(b'2["x",{"_placeholder":true,"num":0}]')
    assert packet is not None
    assert packet.arguments == ("x", {"_placeholder": True, "num": 0})


def test_nothing_comes_between_attachments() -> None:
    """No text; and no attachment comes for nobody."""
    reader = Reader(MOST_BYTES)
    with pytest.raises(Malformed):
        reader.binary(b"x")
    reader.text(ONE)
    with pytest.raises(Malformed):
        reader.text(b'2["x"]')


def test_one_attachment_too_many_is_refused() -> None:
    """The packet is whole by then."""
    reader = Reader(MOST_BYTES)
    reader.text(ONE)
    assert reader.binary(b"x") is not None
    with pytest.raises(Malformed):
        reader.binary(b"x")


def test_attachments_are_bounded_all_together() -> None:
    """Before the last of them is there."""
    reader = Reader(MOST_BYTES)
    reader.text(TWO)
    assert reader.binary(b"x" * MOST_BYTES) is None
    with pytest.raises(Malformed):
        reader.binary(b"x")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_none(payload: bytes) -> None:
    """Nothing else is raised."""
    try:
        read(b"2" + payload)
        read(payload)
    except (Malformed, Poisoned):
        pass


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))
)
names = st.text("abcdef_", max_size=4)
values = st.recursive(
    leaves, lambda part: st.lists(part) | st.dictionaries(names, part), max_leaves=10
)
arguments = st.recursive(
    leaves | st.binary(max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(names, part, max_size=3),
    max_leaves=MAX_ATTACHMENTS,
)


@given(
    st.lists(arguments, max_size=2),
    st.none() | st.integers(0, MAX_ID),
    st.sampled_from(["/", "/chat"]),
)
def test_what_is_written_can_be_read(
    said: list[object], number: int | None, namespace: str
) -> None:
    """Events and acknowledgements, with bytes anywhere."""
    written = [event(namespace, ("x", *said), number)]
    if number is not None:
        written.append(ack(namespace, number, said))
    for frames, wanted in zip(written, (("x", *said), tuple(said)), strict=False):
        reader, packet = Reader(MOST_BYTES), None
        for each in packets_of(frames):
            assert packet is None
            if isinstance(each, bytes):
                packet = reader.binary(each)
            else:
                packet = reader.text(each.encode())
        assert packet is not None
        assert (packet.namespace, packet.id) == (namespace, number)
        assert packet.arguments == wanted
