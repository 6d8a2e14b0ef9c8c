"""What every gateway promises about who does not read, and who sends too much."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from server.errors import SLOW
from server.queues import writer
from tests.contracts.gateways.all import fellow
from tests.contracts.gateways.driver import ANSWER_S, Gone, Refused
from tests.contracts.gateways.house import until
from tests.contracts.gateways.sse import Sse
from tests.contracts.matrix import Promise, shows

if TYPE_CHECKING:
    from tests.contracts.conftest import OpenHouse
    from tests.contracts.gateways.driver import Driver
    from tests.contracts.gateways.house import House

OUTBOX_BYTES = 64 * 1024
TIGHT = {"outbox_bytes": OUTBOX_BYTES, "send_buffer_bytes": 8 * 1024}
"""What waits for a session, here and in the kernel, is soon too much."""
RECEIVE_BYTES = 4 * 1024
SIGNALS = 500

ONE_NOTE = "A connection is in one note."
MERGED = (
    "Presence is all that this wire knows of signals: of one client's only the newest"
    " counts. Its words have none for what was merged; the server counts it."
)


@pytest.fixture(autouse=True)
def often_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps are told once a second: that is long for tests."""
    monkeypatch.setattr(writer, "GAP_INTERVAL_S", 0.05)


def long_line(number: int) -> str:
    """Return a line of 8 KiB."""
    return f"{number} " + "x" * (8 * 1024)


async def say_until_it_is_cut(house: House, slow: Driver, reader: Driver) -> int:
    """Talk until a session is cut that does not read; return how many lines it took.

    The others are told each line meanwhile, and what waits for the slow one is within
    its bound.
    """
    (cut,) = house.sessions(slow.who)
    for number in range(1, 100):
        await house.say(slow.channel, long_line(number))
        await reader.reads_to(long_line(number))
        assert cut.outbox.waiting_bytes <= OUTBOX_BYTES
        if cut.closed:
            return number
    raise AssertionError("it was not cut")


@shows(Promise.SLOW)
async def test_who_does_not_read_harms_itself_only(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """It is cut at its outbox's bound; the others get all; it comes back to all."""
    house = await open_a_house(**TIGHT)
    slow = house.client(gateway, "slow", RECEIVE_BYTES)
    await slow.join()
    reader = await house.joined(fellow(gateway), "bob", slow.channel)
    count = await say_until_it_is_cut(house, slow, reader)
    assert house.hub.stats.closed[SLOW.code] == 1
    lines = [long_line(number) for number in range(1, count + 1)]
    assert reader.lines == lines

    await slow.ended()
    assert slow.lines == lines[: len(slow.lines)]
    assert await slow.come_back()
    await house.say(slow.channel, "the end")
    assert await slow.reads_to("the end") == [*lines, "the end"]


def signal(number: int) -> str:
    """Return a signal of 1 KB."""
    return f"{number} " + "x" * 1_000


@shows(Promise.SIGNALS, notes={"yjs": MERGED})
async def test_signals_give_way_and_are_counted(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """Five hundred to one who does not read: some came, how many did not is known.

    The lines among them all come, in order, and nobody is cut.
    """
    house = await open_a_house(**TIGHT)
    slow = house.client(gateway, "slow", RECEIVE_BYTES)
    await slow.join()
    (connection,) = house.sessions("slow")
    for number in range(SIGNALS):
        await house.signal(slow.channel, signal(number))
        if number % 50 == 0:
            await house.say(slow.channel, str(number))
        assert connection.outbox.waiting_bytes <= OUTBOX_BYTES
    await house.say(slow.channel, "the end")
    lines = [*map(str, range(0, SIGNALS, 50)), "the end"]
    assert await slow.reads_to("the end") == lines
    await is_accounted_for(house, slow)
    numbers = [int(each.split()[0]) for each in slow.signals]
    assert numbers == sorted(set(numbers)), "in order, each at most once"


@shows(Promise.SIGNALS, exempt={"yjs": MERGED})
async def test_the_newest_of_a_key_is_what_comes(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """A signal with a key replaces the one that waits; how many were, is told."""
    house = await open_a_house(**TIGHT)
    slow = house.client(gateway, "slow", RECEIVE_BYTES)
    await slow.join()
    for number in range(SIGNALS):
        await house.signal(slow.channel, signal(number), key="price")
    await slow.hears(signal(SIGNALS - 1))
    await is_accounted_for(house, slow)


async def is_accounted_for(house: House, slow: Driver) -> None:
    """Each signal has come, or is known not to come: told, where there are words."""
    stats = house.hub.stats
    if slow.TELLS_GAPS:
        async with asyncio.timeout(ANSWER_S):
            while len(slow.signals) + slow.missed_signals < SIGNALS:
                await slow.take()
        assert slow.missed_signals == stats.skipped + stats.merged
    else:
        await slow.hears(signal(SIGNALS - 1))
        await until(lambda: len(slow.signals) + stats.skipped + stats.merged >= SIGNALS)
    assert len(slow.signals) + stats.skipped + stats.merged == SIGNALS
    assert 0 < len(slow.signals) < SIGNALS


@shows(Promise.LIMITS)
async def test_what_is_too_large_is_refused(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """Nobody sees it; the sender, back if it was cut, and the others go on."""
    house = await open_a_house(max_frame_bytes=2_048, note_update_bytes=2_048)
    sender = await house.joined(gateway)
    reader = await house.joined(fellow(gateway), "bob", sender.channel)
    with pytest.raises((Refused, Gone)):
        await sender.say("x" * 5_000)
    again = await house.joined(gateway)
    await again.say("the end")
    assert await reader.reads_to("the end") == ["the end"]


@shows(Promise.LIMITS, exempt={"yjs": ONE_NOTE})
async def test_too_many_channels_are_refused(
    open_a_house: OpenHouse, gateway: type[Driver]
) -> None:
    """One more than the settings say; what was joined before stays."""
    house = await open_a_house(subscriptions_per_session=3)
    channels = ["room:one", "room:two", "room:three", "room:four"]
    client = house.client(gateway)
    if isinstance(client, Sse):
        with pytest.raises(Refused) as refused:
            await client.follow(channels)
        assert refused.value.words.code == 107
        await client.follow(channels[:3])
    else:
        for channel in channels[:3]:
            await client.join(channel)
        with pytest.raises(Refused) as refused:
            await client.join(channels[3])
        assert refused.value.words.code == 106
    await house.say("room:four", "not here")
    await house.say("room:one", "here")
    assert await client.reads_to("here") == ["here"]
