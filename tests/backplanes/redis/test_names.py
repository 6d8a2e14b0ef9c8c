"""The names of keys: each channel's stand together, and nobody's are confused."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from server.backplanes.redis.names import Names


@pytest.mark.parametrize("names", [Names("hubbub"), Names("a.b-c_1", 3)])
def test_all_of_a_channel_is_in_one_slot(names: Names) -> None:
    """So that one script can touch it."""
    channel = "notes:a.b-c_d"
    voice = names.voice(channel)
    keys = [*names.stream(channel), names.roll(channel), voice, channel]
    assert len({key_slot(each.encode()) for each in keys}) == 1
    assert names.channel(voice.encode()) == channel
    for together in (names.census, names.lease("market")):
        assert len({key_slot(each.encode()) for each in together}) == 1


def test_what_is_no_channels_is_nobodys() -> None:
    """Orders, probes, and what other installations say."""
    names = Names("hubbub")
    others = [names.orders, names.probe("n_1", 0), Names("other").voice("open:a")]
    others += [Names("hubbub", 1).voice("open:a"), "hubbub:{open:a", "open:a", ""]
    assert [names.channel(each.encode()) for each in others] == [None] * len(others)


@pytest.mark.parametrize("prefix", ["", "a b", "a{b}", "a:b", "a@1", "x" * 33, "a\n"])
def test_a_prefix_is_a_word(prefix: str) -> None:
    """Braces and colons would change what stands behind it."""
    with pytest.raises(ValueError, match="no prefix"):
        Names(prefix)
