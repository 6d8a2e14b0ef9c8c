from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.model import Gap
from server.queues.outbox import FRAME_OVERHEAD_BYTES as OVERHEAD
from server.queues.outbox import Outbox

PLENTY = 1 << 20


def frames(outbox: Outbox, room_bytes: int = PLENTY, now: float = 0.0) -> list[bytes]:
    """Take without intervals."""
    return outbox.take(room_bytes, now, {})


def test_order_is_that_of_the_calls() -> None:
    """Publications, replies and unkeyed signals leave as they came."""
    outbox = Outbox(PLENTY)
    outbox.put(b"one", "a")
    outbox.put_signal(b"two", "b")
    outbox.put(b"three", None)
    assert frames(outbox) == [b"one", b"two", b"three"]
    assert not outbox
    assert outbox.waiting_bytes == 0


def test_the_bound_is_in_bytes() -> None:
    """What fits exactly is taken; one byte more is refused, and leaves what waits."""
    outbox = Outbox(2 * (10 + OVERHEAD))
    assert outbox.put(b"0123456789", "a")
    assert not outbox.put(b"01234567890", "a")
    assert outbox.put(b"0123456789", "a")
    assert not outbox.put(b"", None)
    assert len(frames(outbox)) == 2


def test_a_key_replaces_what_waits() -> None:
    """Of its channel alone; each replacement counts as merged."""
    outbox = Outbox(PLENTY)
    assert outbox.put_keyed(b"old", "a", "k")
    assert outbox.put_keyed(b"other", "b", "k")
    assert not outbox.put_keyed(b"newer", "a", "k")
    assert not outbox.put_keyed(b"newest", "a", "k")
    assert frames(outbox) == [b"newest", b"other"]
    assert outbox.take_gaps() == [Gap("a", skipped=0, merged=2)]
    assert not outbox.has_gaps


def test_signals_without_key_go_first() -> None:
    """Also for one with a key; those with keys go only for what must not be lost."""
    outbox = Outbox(3 * (10 + OVERHEAD))
    outbox.put_signal(b"u" * 10, "a")
    outbox.put_keyed(b"1" * 10, "b", "1")
    outbox.put(b"p" * 10, "c")
    assert outbox.put_keyed(b"2" * 10, "b", "2")
    assert outbox.take_gaps() == [Gap("a", skipped=1, merged=0)]
    assert not outbox.put_keyed(b"3" * 10, "b", "3"), "publications stay"
    assert outbox.put(b"q" * 10, "c")
    assert outbox.take_gaps() == [Gap("b", skipped=3, merged=0)]
    assert frames(outbox) == [b"p" * 10, b"q" * 10]


def test_an_unkeyed_signal_that_does_not_fit_is_dropped() -> None:
    """It is counted for its channel."""
    outbox = Outbox(OVERHEAD)
    assert not outbox.put_signal(b"too long", "a")
    assert outbox.take_gaps() == [Gap("a", skipped=1, merged=0)]


def test_a_replacement_keeps_the_bound() -> None:
    """One that grows too much is dropped, and the waiting one stays."""
    outbox = Outbox(100 + OVERHEAD)
    outbox.put_keyed(b"small", "a", "k")
    assert not outbox.put_keyed(b"x" * 101, "a", "k")
    assert outbox.waiting_bytes <= 100 + OVERHEAD
    assert outbox.take_gaps() == [Gap("a", skipped=1, merged=0)]
    assert frames(outbox) == [b"small"]


def test_a_frame_larger_than_the_room_is_not_stuck() -> None:
    """One more than fits may leave, no more."""
    outbox = Outbox(PLENTY)
    for number in range(3):
        outbox.put(bytes([number]) * 100, "a")
    assert len(frames(outbox, 10)) == 1
    assert len(frames(outbox, 101)) == 2
    assert frames(outbox, 0) == []


def test_keyed_signals_leave_within_the_room() -> None:
    """The rest of a channel waits for room, not for its interval."""
    outbox = Outbox(PLENTY)
    for number in range(10):
        outbox.put_keyed(bytes([number]) * 100, "a", str(number))
    taken = outbox.take(250, 0.0, {"a": 60.0})
    assert len(taken) == 3
    assert outbox.next_due(0.0) == 0.0
    taken += outbox.take(PLENTY, 0.0, {"a": 60.0})
    assert [frame[0] for frame in taken] == list(range(10))


def test_each_channel_has_its_flush_interval() -> None:
    """A second flush within it leaves the channel's keyed signals waiting."""
    outbox = Outbox(PLENTY)
    intervals = {"slow": 0.1}
    outbox.put_keyed(b"s1", "slow", "k")
    assert outbox.take(PLENTY, 5.0, intervals) == [b"s1"]
    outbox.put_keyed(b"s2", "slow", "k")
    outbox.put_keyed(b"q", "quick", "k")
    assert outbox.take(PLENTY, 5.05, intervals) == [b"q"]
    assert outbox.next_due(5.05) == pytest.approx(5.1)
    assert outbox.take(PLENTY, 5.1, intervals) == [b"s2"]
    assert outbox.next_due(5.1) is None


def test_keyed_signals_leave_behind_the_line() -> None:
    """As long as something stands in line, none of them leaves."""
    outbox = Outbox(PLENTY)
    outbox.put_keyed(b"k", "a", "k")
    outbox.put(b"x" * 50, "a")
    outbox.put(b"y" * 50, "a")
    assert frames(outbox, 20) == [b"x" * 50]
    assert frames(outbox) == [b"y" * 50, b"k"]


def test_a_catch_up_is_exempt() -> None:
    """It fits however long it is, and is known to wait until it has left."""
    outbox = Outbox(100)
    assert outbox.put(b"x" * 10_000, None, exempt=True)
    assert outbox.catching_up
    assert outbox.waiting_bytes == 0
    assert outbox.put(b"live", "a")
    assert frames(outbox, 1) == [b"x" * 10_000]
    assert not outbox.catching_up


def test_a_channel_can_be_dropped() -> None:
    """Everything of it goes, with its counts; nothing else does."""
    outbox = Outbox(PLENTY)
    for channel in ("a", "b"):
        outbox.put(b"p" + channel.encode(), channel)
        outbox.put_signal(b"s" + channel.encode(), channel)
        outbox.put_keyed(b"k" + channel.encode(), channel, "k")
        outbox.put_keyed(b"K" + channel.encode(), channel, "k")
    outbox.put(b"reply", None)
    outbox.drop_channel("a")
    assert outbox.take_gaps() == [Gap("b", skipped=0, merged=1)]
    assert frames(outbox) == [b"pb", b"sb", b"reply", b"Kb"]
    assert outbox.waiting_bytes == 0


def test_keyed_signals_can_be_dropped() -> None:
    """They are counted, and the line stays."""
    outbox = Outbox(PLENTY)
    outbox.put_keyed(b"k", "a", "k")
    outbox.put(b"p", "a")
    outbox.drop_keyed()
    assert outbox.take_gaps() == [Gap("a", skipped=1, merged=0)]
    assert frames(outbox) == [b"p"]


def test_clear_leaves_nothing() -> None:
    """Neither bytes nor a catch-up."""
    outbox = Outbox(PLENTY)
    outbox.put(b"x", None, exempt=True)
    outbox.put_signal(b"x", "a")
    outbox.put_keyed(b"x", "a", "k")
    outbox.clear()
    assert (bool(outbox), outbox.waiting_bytes, outbox.catching_up) == (False, 0, False)


# The model: every frame is unique, so that one that is lost or doubled shows.

Action: TypeAlias = tuple[str, int, int, int]
LIMIT = 1_000
CHANNELS = ("a", "b", "c")


@dataclass
class Model:
    """What should have become of everything that was put in."""

    published: list[bytes] = field(default_factory=list)
    left: list[bytes] = field(default_factory=list)
    origin: dict[bytes, str] = field(default_factory=dict)
    offered: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "signal", "keyed", "take", "gaps"]),
        st.integers(0, len(CHANNELS) - 1),
        st.integers(0, 4),
        st.integers(0, 400),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_nothing_is_lost_doubled_or_unaccounted_for(actions: list[Action]) -> None:
    """Whatever happens: bytes add up, order holds, and each signal left or is told of.

    Publications that were taken in leave all, in order, once. Of the signals as many
    leave, are told as skipped, or as merged, as were put in.
    """
    outbox, model = Outbox(LIMIT), Model()
    now = 0.0
    for number, (what, which, key, size) in enumerate(actions):
        channel = CHANNELS[which]
        frame = b"%04d" % number + b"." * size
        model.origin[frame] = channel
        match what:
            case "put":
                if outbox.put(frame, channel):
                    model.published.append(frame)
            case "signal":
                model.offered[channel] += 1
                outbox.put_signal(frame, channel)
            case "keyed":
                model.offered[channel] += 1
                outbox.put_keyed(frame, channel, str(key))
            case "take":
                now += 0.03
                model.left += outbox.take(size, now, {"a": 0.1, "b": 0.05})
            case "gaps":
                for gap in outbox.take_gaps():
                    model.told[gap.channel] += gap.skipped + gap.merged
        assert outbox.waiting_bytes <= LIMIT
    model.left += outbox.take(1 << 30, now + 1.0, {})
    for gap in outbox.take_gaps():
        model.told[gap.channel] += gap.skipped + gap.merged

    assert outbox.waiting_bytes == 0
    assert not outbox
    published = set(model.published)
    assert [each for each in model.left if each in published] == model.published
    assert len(set(model.left)) == len(model.left)
    seen = Counter(model.origin[each] for each in model.left if each not in published)
    assert seen + model.told == model.offered
    assert outbox.take_gaps() == []
