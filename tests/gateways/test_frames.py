from __future__ import annotations

import pytest

from server.gateways import frames


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_length_takes_the_fewest_bytes(length: int, head: bytes) -> None:
    """RFC 6455 section 5.2: the shortest form must be used."""
    payload = b"x" * length
    assert frames.text(payload) == head + payload


def test_each_kind_has_its_opcode() -> None:
    """Whole frames, not masked (section 5.1: a server must not)."""
    assert frames.binary(b"ab") == b"\x82\x02ab"
    assert frames.ping() == b"\x89\x00"
    assert frames.pong(b"p") == b"\x8a\x01p"
    assert frames.close(3001, "shutdown") == b"\x88\x0a\x0b\xb9shutdown"


def test_frames_are_cut_as_they_were_joined() -> None:
    """Each with its first byte, whatever form its length has."""
    told = [b"", b"x" * 125, b"x" * 126, b"x" * 65_535, b"x" * 65_536]
    chunk = b"".join(frames.text(each) + frames.binary(each) for each in told)
    found = list(frames.cut(chunk))
    assert [payload for _, payload in found] == [each for each in told for _ in "tb"]
    assert [head for head, _ in found] == [0x81, 0x82] * len(told)
    assert b"".join(frames.plain(*each) for each in found) == chunk


def test_a_compressed_frame_says_so() -> None:
    """By its first reserved bit (RFC 7692 section 6); the opcode is the same."""
    assert frames.compressed(0x81, b"ab") == b"\xc1\x02ab"
    assert frames.compressed(0x82, b"ab") == b"\xc2\x02ab"


def test_a_lone_close_frame_of_a_client_is_known() -> None:
    """Masked, whole and alone; with a code and a reason or without."""
    mask = b"\1\2\3\4"
    assert frames.is_close(b"\x88\x80" + mask)
    assert frames.is_close(b"\x88\x85" + mask + b"12abc")
    for other in (b"", b"\x88", b"\x88\x00", b"\x88\x82" + mask, b"\x89\x80" + mask):
        assert not frames.is_close(other)
    assert not frames.is_close(b"\x88\x80" + mask + b"\x81")
