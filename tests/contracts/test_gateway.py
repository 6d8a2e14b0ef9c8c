"""What every gateway promises (docs/reference/gateways.md): order, resuming, keeping.

One suite for all of them; each runs it by its own wire, against a whole server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.contracts.gateways.all import fellow
from tests.contracts.gateways.house import RECENT, HeldLog, until
from tests.contracts.matrix import Promise, shows

if TYPE_CHECKING:
    from tests.contracts.gateways.driver import Driver
    from tests.contracts.gateways.house import House

STATE_VECTOR = (
    "A Yjs client's position is its document's state vector. The server sends what the"
    " client lacks, asks for what it lacks itself, and both have the same text: order"
    " and resuming are those of the document, not of a list of events."
)
NO_PLACE = (
    "No other wire can read a state vector, nor is there one that the server could not"
    " answer. Who changes over joins without a position, and takes the text as it is."
)


def numbers(first: int, last: int) -> list[str]:
    """Return lines as a house says them."""
    return [str(number) for number in range(first, last + 1)]


async def say_numbers(house: House, channel: str, first: int, last: int) -> None:
    """Say a number in each line."""
    for line in numbers(first, last):
        await house.say(channel, line)


async def told_five(house: House, gateway: type[Driver]) -> Driver:
    """Return a client that has read five lines."""
    client = await house.joined(gateway)
    await say_numbers(house, client.channel, 1, 5)
    await client.reads_to("5")
    return client


async def cut_off_saying(
    held_log: HeldLog, sender: Driver, text: str, key: str | None = None
) -> None:
    """Let it say a line, and be gone before it is told that the line is kept."""
    held_log.hold()
    async with asyncio.TaskGroup() as group:
        saying = group.create_task(sender.say(text, key))
        await held_log.asked.wait()
        saying.cancel()
    sender.cut()
    held_log.let_go()


class Talk:
    """Somebody who goes on talking, while others do something."""

    def __init__(self, house: House, channel: str) -> None:
        self._house = house
        self._channel = channel
        self._stops = False
        self.said: list[str] = []

    async def run(self) -> None:
        """Say a number in each line until told to stop, and then the last word."""
        while not self._stops:
            self.said.append(str(len(self.said)))
            await self._house.say(self._channel, self.said[-1])
            await asyncio.sleep(0)
        self.said.append("the end")
        await self._house.say(self._channel, self.said[-1])

    def stop(self) -> None:
        """Come to the end."""
        self._stops = True


@shows(Promise.JOIN, notes={"yjs": STATE_VECTOR})
@pytest.mark.usefixtures("slow_log")
async def test_a_newcomer_misses_nothing(house: House, gateway: type[Driver]) -> None:
    """It joins while others talk: the newest of the past, then all, once, in order."""
    channel = gateway.CHANNEL
    await say_numbers(house, channel, 1, 2 * RECENT)
    async with asyncio.TaskGroup() as group:
        talk = Talk(house, channel)
        group.create_task(talk.run())
        clients = [await house.joined(gateway, f"eve{n}") for n in range(4)]
        talk.stop()
    everything = numbers(1, 2 * RECENT) + talk.said
    for client in clients:
        lines = await client.reads_to("the end")
        assert lines == everything[-len(lines) :]
        assert len(lines) >= RECENT


@shows(Promise.JOIN, exempt={"yjs": STATE_VECTOR})
@pytest.mark.usefixtures("slow_log")
async def test_a_page_and_its_connection_meet(
    house: House, gateway: type[Driver]
) -> None:
    """Who joins with a position while others talk has all after it, from the first."""
    channel = gateway.CHANNEL
    await house.say(channel, "in the page")
    top = await house.top(channel)
    async with asyncio.TaskGroup() as group:
        talk = Talk(house, channel)
        group.create_task(talk.run())
        await until(lambda: talk.said)
        client = house.client(gateway)
        assert await client.join(since=top)
        talk.stop()
    assert await client.reads_to("the end") == talk.said


@shows(Promise.ORDER, notes={"yjs": STATE_VECTOR})
async def test_all_see_one_order(house: House, gateway: type[Driver]) -> None:
    """Two speak at once, by two gateways; two more listen, one by each."""
    other, channel = fellow(gateway), gateway.CHANNEL
    ann = await house.joined(gateway, "ann")
    bob = await house.joined(other, "bob", channel)
    listeners = [
        await house.joined(gateway, "eve"),
        await house.joined(other, "fay", channel),
    ]

    async def talk(speaker: Driver) -> None:
        for line in numbers(1, 25):
            await speaker.say(f"{speaker.who} {line}")

    async with asyncio.TaskGroup() as group:
        group.create_task(talk(ann))
        group.create_task(talk(bob))
    await house.say(channel, "the end")
    orders = [await each.reads_to("the end") for each in (ann, bob, *listeners)]
    assert sorted(orders[0]) == sorted(
        ["the end", *(f"{who} {n}" for who in ("ann", "bob") for n in range(1, 26))]
    )
    assert all(order == orders[0] for order in orders)


@shows(Promise.RESUME, notes={"yjs": STATE_VECTOR})
async def test_who_was_cut_off_comes_back_to_all_of_it(
    house: House, gateway: type[Driver]
) -> None:
    """Fifty lines were said meanwhile; twice in a row."""
    client = await told_five(house, gateway)
    channel = client.channel
    for first in (6, 57):
        client.cut()
        await say_numbers(house, channel, first, first + 49)
        assert await client.come_back()
        await house.say(channel, str(first + 50))
        lines = await client.reads_to(str(first + 50))
        assert lines == numbers(1, first + 50)


@shows(Promise.RESUME, notes={"yjs": STATE_VECTOR})
async def test_who_was_told_nothing_yet_resumes_all_the_same(
    house: House, gateway: type[Driver]
) -> None:
    """It joined an empty room, and was cut before the first line."""
    client = await house.joined(gateway)
    client.cut()
    await say_numbers(house, client.channel, 1, RECENT + 5)
    assert await client.come_back()
    assert await client.reads_to(str(RECENT + 5)) == numbers(1, RECENT + 5)


@shows(Promise.ELSEWHERE, exempt={"yjs": NO_PLACE})
async def test_one_may_leave_by_one_gateway_and_resume_by_another(
    house: House, gateway: type[Driver]
) -> None:
    """There and back again; the position is the same string everywhere."""
    first, second = gateway, fellow(gateway)
    client = await house.joined(first)
    channel = client.channel
    said = 0
    for kind in (second, first, second):
        await say_numbers(house, channel, said + 1, said + 3)
        await client.reads_to(str(said + 3))
        position = client.position
        assert position == await house.top(channel)
        client.cut()
        await say_numbers(house, channel, said + 4, said + 20)
        client = house.client(kind)
        assert await client.join(since=position)
        said += 21
        await house.say(channel, str(said))
        assert await client.reads_to(str(said)) == numbers(said - 17, said)


@shows(Promise.LOST, exempt={"yjs": NO_PLACE})
async def test_a_position_of_a_stream_that_ended_is_not_resumed(
    house: House, gateway: type[Driver]
) -> None:
    """It is told so, and what it has then is the new stream's alone, from its end."""
    client = await told_five(house, gateway)
    channel = client.channel
    client.cut()
    await house.hub.new_epoch(channel)
    anew = [f"anew {line}" for line in numbers(1, RECENT + 3)]
    for line in anew:
        await house.say(channel, line)
    assert not await client.come_back()
    await house.say(channel, "the end")
    assert await client.reads_to("the end") == [*anew[-RECENT:], "the end"]


@shows(Promise.LOST, exempt={"yjs": NO_PLACE})
async def test_a_position_that_is_not_reached_yet_is_not_resumed(
    house: House, gateway: type[Driver]
) -> None:
    """It is forged, or the server lost its tail: the newest of the past are told."""
    channel = gateway.CHANNEL
    await say_numbers(house, channel, 1, RECENT + 3)
    epoch = (await house.top(channel)).partition(".")[0]
    for ahead in (f"{epoch}.{RECENT + 4}", f"{epoch}.9007199254740991"):
        client = house.client(gateway)
        assert not await client.join(since=ahead)
        await house.say(channel, f"behind {ahead}")
        lines = await client.reads_to(f"behind {ahead}")
        assert len(lines) == RECENT + 1
        assert client.position == await house.top(channel)


@shows(Promise.KEPT)
async def test_nothing_is_acknowledged_or_told_before_it_is_kept(
    held_log: HeldLog, house: House, gateway: type[Driver]
) -> None:
    """While the log does not answer, others hear what does not need it, not that."""
    sender = await house.joined(gateway)
    channel = sender.channel
    reader = await house.joined(gateway, "bob")
    other = await house.joined(fellow(gateway), "cyd", channel)
    held_log.hold()
    async with asyncio.TaskGroup() as group:
        saying = group.create_task(sender.say("is it kept?"))
        await held_log.asked.wait()
        await house.signal(channel, "behind it")
        for each in (reader, other):
            await each.hears("behind it")
            assert each.lines == []
        assert not saying.done()
        assert await house.log(channel) == ()
        held_log.let_go()
        position = await saying
    (kept,) = await house.log(channel)
    assert position in ("", str(kept.position))
    for each in (reader, other):
        assert await each.reads_to("is it kept?") == ["is it kept?"]


@shows(Promise.KEPT)
async def test_what_is_acknowledged_is_in_the_log(
    house: House, gateway: type[Driver]
) -> None:
    """Each line at the position that its sender was told, in the sender's order."""
    sender = await house.joined(gateway)
    told = [await sender.say(line) for line in numbers(1, 10)]
    kept = await house.log(sender.channel)
    assert len(kept) == 10
    reader = await house.joined(fellow(gateway), "bob", sender.channel)
    assert (await reader.reads_to("10"))[-RECENT:] == numbers(1, 10)[-RECENT:]
    assert told in ([str(each.position) for each in kept], [""] * 10)


@shows(
    Promise.ONCE,
    notes={"yjs": "An edit is the same edit when it is sent again: it needs no key."},
)
async def test_what_was_sent_at_a_cut_may_be_sent_again(
    held_log: HeldLog, house: House, gateway: type[Driver]
) -> None:
    """With its key it is kept once, and the answer is the first position."""
    sender = await house.joined(gateway)
    channel = sender.channel
    reader = await house.joined(fellow(gateway), "bob", channel)
    await cut_off_saying(held_log, sender, "once", key="k1")
    await reader.reads_to("once")
    await sender.come_back()
    position = await sender.say("once", key="k1")
    await sender.say("the end")
    kept = await house.log(channel)
    assert len(kept) == 2
    assert position in ("", str(kept[0].position))
    for each in (sender, reader):
        assert await each.reads_to("the end") == ["once", "the end"]


@shows(Promise.ONCE)
async def test_what_was_sent_at_a_cut_is_never_kept_twice(
    held_log: HeldLog, house: House, gateway: type[Driver]
) -> None:
    """Without a key either: all of it is there, or nothing; the others see the same."""
    sender = await house.joined(gateway)
    channel = sender.channel
    reader = await house.joined(fellow(gateway), "bob", channel)
    await cut_off_saying(held_log, sender, "perhaps")
    await sender.come_back()
    await house.say(channel, "the end")
    kept = await house.log(channel)
    lines = await reader.reads_to("the end")
    assert len(kept) == len(lines)
    assert lines in (["perhaps", "the end"], ["the end"])
    assert await sender.reads_to("the end") == lines
