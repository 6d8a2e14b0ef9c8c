"""The Yjs wire while the hub is not live: who is told, and what becomes of edits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from server.gateways.yjs import codec, handler
from server.gateways.yjs.codec import AwarenessEntry
from server.gateways.yjs.handler import YjsReceiver
from server.model import Standing
from tests.gateways.note_house import Closed, House, Yjs, open_house, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOTHING = b"\0"
PAUSED, LIVE = Standing(live=False), Standing(live=True)
SOON_S = 0.05


class Post:
    """Counts what clients send, and what of it has been carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sent = self._read = 0
        send, on_binary = Yjs.send, YjsReceiver.on_binary

        async def count_sent(peer: Yjs, *messages: bytes) -> None:
            self._sent += 1
            await send(peer, *messages)

        async def count_read(receiver: YjsReceiver, frame: bytes) -> None:
            await on_binary(receiver, frame)
            self._read += 1

        monkeypatch.setattr(Yjs, "send", count_sent)
        monkeypatch.setattr(YjsReceiver, "on_binary", count_read)

    async def is_read(self) -> None:
        """Wait until all that was sent has been carried out."""
        await until(lambda: self._read == self._sent)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """What is on its way to the server."""
    return Post(monkeypatch)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch, post: Post) -> AsyncIterator[House]:
    """A house that asks soon for what was put off."""
    monkeypatch.setattr(handler, "ASK_AGAIN_S", SOON_S)
    async with open_house() as opened:
        yield opened


async def ours(house: House, who: str = "ada") -> Yjs:
    """Join as one that knows our own messages, and has said so."""
    peer = await house.join(who)
    await peer.send(codec.saved(0))
    await peer.is_saved(0)
    return peer


async def silent(peer: Yjs) -> None:
    """Fail if something comes."""
    with pytest.raises(asyncio.TimeoutError):
        await peer.ws.receive(2 * SOON_S)


def caret(clock: int, at: int | None) -> bytes:
    """Presence of client 7 at a place; None: it has gone."""
    state = None if at is None else msgspec.json.encode({"at": at}).decode()
    return codec.awareness([AwarenessEntry(7, clock, state)])


async def places(peer: Yjs) -> list[object]:
    """Return the places of the next presence that is not empty; None: gone."""
    while True:
        message = await peer.receive()
        if isinstance(message, codec.Awareness) and message.entries:
            states = [
                msgspec.json.decode(each.state or "{}") for each in message.entries
            ]
            return [state.get("at") for state in states]


# Who is told


async def test_who_knows_the_word_is_told_both_ways(house: House, post: Post) -> None:
    """Once each; a stock client hears nothing of it."""
    ada, stock = await ours(house), await house.join("stock")
    await post.is_read()
    house.cut_off()
    house.hub.neighbours.cut_off("again")
    assert await ada.receive() == PAUSED
    house.reunite()
    assert await ada.receive() == LIVE
    await silent(ada)
    await silent(stock)


async def test_who_shows_meanwhile_that_it_knows_the_word_is_told_at_once(
    house: House, post: Post
) -> None:
    """By its first save request, whether it was there before or came meanwhile."""
    ada = await house.join()
    await post.is_read()
    house.cut_off()
    bob = await house.join("bob")
    await ada.send(codec.saved(1), codec.saved(2))
    assert [await ada.receive() for _ in range(3)] == [
        PAUSED,
        codec.SaveRequest(1),
        codec.SaveRequest(2),
    ]
    await bob.send(codec.saved(1))
    assert await bob.receive() == PAUSED
    house.reunite()
    assert [await each.receive() for each in (ada, bob)] == [LIVE, LIVE]


async def test_only_the_server_says_where_it_stands(house: House) -> None:
    """A client that sends 103 is refused."""
    ada = await house.join()
    await ada.send(codec.standing(live=True))
    assert await ada.farewell() == (
        4400,
        "standing messages come from the server only",
    )


# What is written meanwhile


async def test_what_is_typed_meanwhile_is_asked_for_and_kept_once(
    house: House, post: Post
) -> None:
    """Nothing is acknowledged, nobody is sent away; then it is kept, and saved."""
    ada, bob = await ours(house), await house.join("bob")
    await post.is_read()
    house.cut_off()
    assert await ada.receive() == PAUSED
    for number, letter in enumerate("olleh", 1):
        await ada.write(letter)
        await ada.send(codec.saved(number))
    await post.is_read()
    await silent(ada)
    house.reunite()
    assert await ada.receive() == LIVE
    await ada.expect(codec.SyncStep2)
    asked = await ada.expect(codec.SyncStep1)
    assert house.log.kept == 0
    # What is typed before the answer builds on what was put off.
    await ada.write(">")
    await ada.answer(asked)
    await bob.reads(">hello")
    await ada.is_saved(5)
    await ada.send(codec.saved(6))
    await ada.is_saved(6)
    assert house.log.kept == 1
    await silent(ada)


async def test_a_stock_client_is_asked_too_and_hears_nothing_unknown(
    house: House, post: Post
) -> None:
    """Step 2, step 1, the echo: what it would hear at any time."""
    stock, bob = await house.join("stock"), await house.join("bob")
    await post.is_read()
    house.cut_off()
    await stock.write("hello")
    await post.is_read()
    await silent(stock)
    house.reunite()
    await stock.expect(codec.SyncStep2)
    await stock.answer(await stock.expect(codec.SyncStep1))
    await bob.reads("hello")
    await stock.expect(codec.Update)
    await silent(stock)
    assert house.log.kept == 1


async def test_what_was_under_way_to_a_store_that_went_is_asked_for(
    house: House, post: Post
) -> None:
    """A commit that failed is put off like what came after it."""
    ada, bob = await ours(house), await ours(house, "bob")
    house.log.open.clear()
    await ada.write("lo")
    await ada.send(codec.saved(1))
    await post.is_read()
    await until(lambda: house.log.asked == 1)
    house.log.away = True
    house.log.open.set()
    assert await ada.receive() == PAUSED
    await ada.write("hel")
    await ada.send(codec.saved(2))
    await post.is_read()
    await silent(ada)
    # Who has nothing that is not kept is told so.
    assert await bob.receive() == PAUSED
    await bob.send(codec.saved(9))
    assert await bob.receive() == codec.SaveRequest(9)
    house.log.away = False
    house.hub.watch.look()
    assert await ada.receive() == LIVE
    await ada.expect(codec.SyncStep2)
    await ada.answer(await ada.expect(codec.SyncStep1))
    await ada.is_saved(2)
    await bob.reads("hello")
    assert house.log.kept == 1


async def test_who_comes_meanwhile_with_edits_keeps_them_until_they_are_taken(
    house: House, post: Post
) -> None:
    """Its answer to our step 1 is put off, and asked for anew."""
    await house.join("host")
    house.cut_off()
    ada = await house.connect()
    ada.insert(0, "offline")
    await ada.sync()
    await ada.send(codec.saved(1))
    await post.is_read()
    assert await ada.receive() == PAUSED
    await silent(ada)
    house.reunite()
    assert await ada.receive() == LIVE
    await ada.expect(codec.SyncStep2)
    await ada.answer(await ada.expect(codec.SyncStep1))
    await ada.is_saved(1)
    assert str((await house.join("bob")).text) == "offline"


async def test_who_answers_late_is_not_asked_twice(house: House, post: Post) -> None:
    """An answer that is under way has all that was put off before it."""
    ada = await house.connect()
    await ada.send(codec.sync_step1(NOTHING), codec.saved(0))
    await ada.expect(codec.SyncStep2)
    asked = await ada.expect(codec.SyncStep1)
    await ada.is_saved(0)
    house.cut_off()
    assert await ada.receive() == PAUSED
    await ada.write("hello")
    await ada.send(codec.saved(1))
    await post.is_read()
    await silent(ada)
    house.reunite()
    assert await ada.receive() == LIVE
    await silent(ada)
    await ada.answer(asked)
    await ada.is_saved(1)
    assert house.log.kept == 1


async def test_a_store_that_answers_and_keeps_nothing_makes_no_busy_loop(
    house: House,
) -> None:
    """It is asked for at most as often as was said, until it is kept."""
    ada = await ours(house)
    house.log.refuses = True
    await ada.write("hello")
    loop = asyncio.get_running_loop()
    began, asked = loop.time(), 0
    while loop.time() < began + 6 * SOON_S:
        message = await ada.receive()
        if isinstance(message, codec.SyncStep1):
            asked += 1
            await ada.answer(message)
    assert 2 <= asked <= 7
    house.log.refuses = False
    await ada.send(codec.saved(1))
    while (message := await ada.receive()) != codec.SaveRequest(1):
        if isinstance(message, codec.SyncStep1):
            await ada.answer(message)
    assert house.log.kept == 1


async def test_a_note_that_is_not_open_is_refused_meanwhile(house: House) -> None:
    """Nobody can be served what cannot be read: come back."""
    house.log.away = True
    house.hub.watch.look()
    await until(lambda: not house.hub.neighbours.live)
    ada = await house.connect()
    await ada.send(codec.sync_step1(NOTHING))
    with pytest.raises(Closed) as closed:
        await ada.receive()
    assert closed.value.code == 4500


async def test_what_cannot_be_is_refused_when_it_is_asked_for(
    house: House, post: Post
) -> None:
    """Meanwhile nobody looks; then: stay away, with the reason."""
    ada = await ours(house)
    house.cut_off()
    await ada.send(codec.update(b"\x01\x02"))
    await post.is_read()
    assert await ada.receive() == PAUSED
    await silent(ada)
    house.reunite()
    assert await ada.receive() == LIVE
    await ada.expect(codec.SyncStep2)
    await ada.expect(codec.SyncStep1)
    await ada.send(codec.sync_step2(b"\x01\x02"))
    assert (await ada.farewell())[0] == 4400


# Presence


async def test_where_one_went_meanwhile_is_told_then(house: House, post: Post) -> None:
    """Only the last place, and to nobody before."""
    ada, bob = await house.join(), await house.join("bob")
    await ada.send(caret(1, 1))
    assert await places(bob) == [1]
    house.cut_off()
    await ada.send(caret(2, 2), caret(3, 3))
    await post.is_read()
    await silent(bob)
    house.reunite()
    while (at := await places(bob)) != [3]:
        assert at == [1]  # said again, because it may not have been heard
    await silent(bob)


async def test_who_left_meanwhile_is_not_brought_back(house: House, post: Post) -> None:
    """A client that says goodbye before it was told of is nowhere."""
    ada, bob = await house.join(), await house.join("bob")
    await post.is_read()
    house.cut_off()
    await ada.send(caret(1, 1), caret(1, None))
    await post.is_read()
    await silent(bob)
    house.reunite()
    await asyncio.sleep(2 * SOON_S)
    await silent(bob)


async def test_who_has_gone_is_not_asked(house: House, post: Post) -> None:
    """Nothing is left of a session that ended meanwhile."""
    ada = await ours(house)
    house.cut_off()
    await ada.write("hello")
    await post.is_read()
    await ada.ws.close()
    await until(lambda: not house.hub.sessions)
    house.reunite()
    await asyncio.sleep(2 * SOON_S)
    assert house.log.kept == 0
