"""The Yjs wire against a real server: what is kept, told, refused, and when."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import msgspec
import pytest

from server.errors import FORCED_RECONNECT, SHUTDOWN, Disconnect
from server.gateways.yjs import codec
from server.gateways.yjs.codec import AwarenessEntry
from server.gateways.yjs.handler import KEEP_ALIVE_S
from server.hub.limits import Limits
from server.kinds.notes.update import encode_state_vector
from server.runtime.wheel import Wheel
from server.settings import Settings
from tests.gateways.note_house import Closed, House, Yjs, open_house, until
from tests.gateways.peers import BINARY, RawPeer
from tests.kinds.notes.typist import Typist

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOTHING = b"\0"
EMPTY = b"\0\0"
# doc.clientID = 1; text.insert(0, "a😀b"); then text.delete(2, 1)
GOLDEN_TYPED = bytes.fromhex("01010100040107636f6e74656e740661f09f98806200")
GOLDEN_HALF_DELETED = bytes.fromhex("000101010201")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """An empty house."""
    async with open_house() as opened:
        yield opened


def present(
    client: int, clock: int, state: dict[str, object] | None
) -> codec.AwarenessEntry:
    """Presence of a client."""
    text = None if state is None else msgspec.json.encode(state).decode()
    return AwarenessEntry(client, clock, text)


async def told(peer: Yjs) -> dict[int, tuple[int, dict[str, object] | None]]:
    """Return the next presence that is not empty: clock and state by client."""
    while True:
        message = await peer.receive()
        if isinstance(message, codec.Awareness) and message.entries:
            return {
                entry.client: (
                    entry.clock,
                    None
                    if entry.state is None
                    else msgspec.json.decode(entry.state, type=dict[str, object]),
                )
                for entry in message.entries
            }


async def nothing_more(peer: Yjs) -> None:
    """Fail if something comes before the answer to one more save request."""
    await peer.send(codec.saved(123))
    assert await peer.receive() == codec.SaveRequest(123)


# Synchronising


async def test_a_client_is_served_the_note_and_asked_for_its_own(house: House) -> None:
    """A step 1 is answered with a step 2 and our own step 1, each in its frame."""
    ada = await house.connect()
    await ada.send(codec.sync_step1(NOTHING))
    assert await ada.expect(codec.SyncStep2) == codec.SyncStep2(EMPTY)
    assert await ada.expect(codec.SyncStep1) == codec.SyncStep1(NOTHING)


async def test_edits_made_before_the_connection_are_taken(house: House) -> None:
    """What a client wrote offline comes with its answer to our step 1."""
    ada, bob = await house.connect(), await house.join("bob")
    ada.insert(0, "offline")
    await ada.sync()
    await bob.reads("offline")
    late = await house.join("eve")
    assert str(late.text) == "offline"


async def test_a_returning_client_is_sent_only_what_it_lacks(house: House) -> None:
    """The answer to a state vector has nothing that it covers."""
    ada = await house.join()
    await ada.write("x" * 1000)
    await ada.send(codec.saved(1))
    await ada.is_saved(1)
    again = await house.connect()
    await again.send(codec.sync_step1(ada.doc.get_state()))
    assert len((await again.expect(codec.SyncStep2)).update) < 100


async def test_a_frame_may_hold_several_messages(house: House) -> None:
    """All of a frame is carried out, in order."""
    ada = await house.connect()
    update = ada.insert(0, "all at once")
    await ada.send(codec.sync_step1(NOTHING), codec.update(update), codec.saved(1))
    await ada.is_saved(1)
    assert str((await house.join("bob")).text) == "all at once"


async def test_who_speaks_before_a_step_1_is_let_in_first(house: House) -> None:
    """An update, presence or a question as first message: they join, then it counts."""
    ada, bob = await house.connect(), await house.connect("bob")
    eve = await house.connect("eve")
    await ada.write("first")
    await ada.send(codec.saved(1))
    await ada.is_saved(1)
    await bob.send(codec.awareness([present(7, 1, {"at": 1})]))
    assert (await bob.expect(codec.SyncStep2)).update != EMPTY
    await eve.send(codec.query_awareness())
    for _ in range(2):  # with the sync that it did not ask for, and as the answer
        assert 7 in await told(eve)
    await bob.ws.close()
    assert await told(eve) == {7: (1, None)}


# What an acknowledgement means


async def test_nothing_is_told_before_the_commit(house: House) -> None:
    """Neither others nor the author see an update that is not durable."""
    ada, bob = await house.join(), await house.join("bob")
    house.log.open.clear()
    await ada.write("held")
    await ada.send(codec.saved(5))
    for peer in (ada, bob):
        with pytest.raises(asyncio.TimeoutError):
            await peer.ws.receive(0.05)
    house.log.open.set()
    await bob.reads("held")
    echo = await ada.expect(codec.Update)
    assert b"held" in echo.update
    assert await ada.expect(codec.SaveRequest) == codec.SaveRequest(5)


async def test_a_save_request_without_edits_is_answered_at_once(house: House) -> None:
    """There is nothing to wait for."""
    ada = await house.join()
    await ada.send(codec.saved(0))
    await ada.is_saved(0)


async def test_a_duplicate_is_saved_and_not_logged_again(house: House) -> None:
    """An update that comes twice makes one entry, and its sender is told: saved."""
    ada = await house.join()
    update = ada.insert(0, "once")
    await ada.send(codec.update(update), codec.update(update), codec.saved(2))
    await ada.is_saved(2)
    assert house.log.kept == 1


async def test_a_failed_commit_sends_its_author_away_to_come_back(
    house: House,
) -> None:
    """No acknowledgement, code 4500; resent, it is kept."""
    ada = await house.join()
    house.log.fails = True
    await ada.write("fragile")
    await ada.send(codec.saved(1))
    assert (await ada.farewell())[0] == 4500
    house.log.fails = False
    again = await house.connect()
    again.doc.apply_update(ada.doc.get_update())
    await again.sync()
    await again.send(codec.saved(1))
    await again.is_saved(1)
    assert str((await house.join("bob")).text) == "fragile"


async def test_an_update_ahead_of_its_past_waits_for_it(house: House) -> None:
    """It is not acknowledged until the client has sent what it builds on."""
    ada = await house.join()
    ada.insert(0, "past ")
    await ada.send(codec.update(ada.insert(5, "future")), codec.saved(9))
    await ada.expect(codec.SyncStep2)
    asked = await ada.expect(codec.SyncStep1)
    assert house.log.kept == 0
    await ada.answer(asked)
    await ada.is_saved(9)
    assert str((await house.join("bob")).text) == "past future"


async def test_while_it_is_asked_it_is_not_asked_again(house: House) -> None:
    """Many updates ahead of their past cost one question."""
    ada = await house.join()
    ada.insert(0, "lost ")
    ahead = [codec.update(ada.insert(5, letter)) for letter in "edcba"]
    for update in ahead:
        await ada.send(update)
    await ada.expect(codec.SyncStep2)
    await ada.answer(await ada.expect(codec.SyncStep1))
    await nothing_but_updates_until_saved(ada)
    assert str(ada.text) == "lost abcde"


async def nothing_but_updates_until_saved(peer: Yjs) -> None:
    """Take in echoes up to the answer of a save request; nothing else may come."""
    await peer.send(codec.saved(1))
    while (message := await peer.receive()) != codec.SaveRequest(1):
        assert isinstance(message, codec.Update), message


async def test_a_client_that_waits_for_others_itself_is_sent_away(
    house: House,
) -> None:
    """Its answer builds on something missing too: come back later, no endless loop."""
    other = Typist()
    other.insert(0, "nobody has this ")
    ahead = other.insert(16, "but this")
    ada = await house.join()
    await ada.send(codec.update(ahead))
    await ada.expect(codec.SyncStep2)
    await ada.expect(codec.SyncStep1)
    await ada.send(codec.sync_step2(ahead), codec.saved(1))
    assert await ada.farewell() == (4500, "")
    assert str((await house.join("bob")).text) == ""


# What is refused


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "the bytes end too early"),
        (b"\x09", "unknown message type 9"),
        (codec.sync_step1(b""), "bad request: the bytes end too early"),
        # A state vector that promises a billion clients in six bytes.
        (
            codec.sync_step1(b"\xff\xff\xff\xff\x03\x01"),
            "bad request: a count is larger than the bytes that are left",
        ),
        (
            codec.sync_step1(encode_state_vector({1: 2**40})),
            "bad request: the number",
        ),
        (codec.update(b"\x01\x02"), "bad request: "),
        (codec.update(GOLDEN_TYPED + b"\0"), "bad request: 1 bytes are left over"),
        (codec.update(b"\0\0" + b"x" * 300_000), "limit exceeded: an edit has at most"),
        (b"\x02\x00\x02hi", "auth messages come from the server only"),
        (
            codec.awareness([AwarenessEntry(1, 1, "[]")]),
            "an awareness state is neither",
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_its_reason(
    house: House, frame: bytes, reason: str
) -> None:
    """Auth denied with the reason, and 4400: clients stay away. Others live on."""
    bob = await house.join("bob")
    ada = await house.connect()
    await ada.send(frame)
    code, why = await ada.farewell()
    assert (code, why[: len(reason)]) == (4400, reason)
    await nothing_more(bob)


async def test_half_a_character_is_refused(house: House) -> None:
    """An edit that cuts an emoji would be read differently by different clients."""
    ada = await house.join()
    await ada.send(codec.update(GOLDEN_TYPED), codec.update(GOLDEN_HALF_DELETED))
    reason = "bad request: the edit cuts a character in two"
    assert await ada.farewell() == (4400, reason)
    assert str((await house.join("bob")).text) == "a😀b"


async def test_a_text_frame_after_binary_ones_is_refused(house: House) -> None:
    """The first frame has decided."""
    ada = await house.join()
    await ada.ws.send_str("{}")
    assert (await ada.farewell())[0] == 4400


async def test_a_note_that_cannot_be_is_denied(house: House) -> None:
    """Permission denied, and 4403."""
    ada = await house.connect(note="ACME")
    await ada.send(codec.sync_step1(NOTHING))
    assert (await ada.farewell())[0] == 4403


async def test_a_note_that_cannot_be_read_is_never_shown_empty(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Come back: 4500, without a step 2."""

    async def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(house.log, "latest_snapshot", broken)
    ada = await house.connect()
    await ada.send(codec.sync_step1(NOTHING))
    with pytest.raises(Closed) as closed:
        await ada.receive()
    assert closed.value.code == 4500


async def test_mutated_frames_harm_nobody_else(house: House) -> None:
    """After 500 broken frames the note is what was validly written; others go on."""
    bob = await house.join("bob")
    await bob.write("untouched")
    await bob.reads("untouched")
    writer = Typist()
    frames = [
        codec.sync_step1(encode_state_vector({5: 3})),
        codec.awareness([present(5, 1, {"cursor": None})]),
        codec.update(writer.insert(0, "a😀")),
        codec.sync_step2(writer.delete(0, 1)),
    ]
    chance = random.Random(7)
    eve = await house.connect("eve")
    for _ in range(500):
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.randint(1, 3)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        if chance.random() < 0.3:
            del frame[chance.randrange(len(frame)) :]
        with suppress(ConnectionError):
            await eve.send(bytes(frame))
        if eve.ws.closed or house.hub.stats.sessions["yjs"] < 2:
            eve = await house.connect("eve")
    await nothing_more(await house.join("ada"))
    await bob.send(codec.saved(1))
    await bob.is_saved(1)
    assert str(bob.text) == str((await house.join("zoe")).text)
    assert "untouched" in str(bob.text)


# Presence


async def test_a_joiner_sees_who_is_there_by_the_server_s_names(house: House) -> None:
    """All presence comes with the sync, under the names that the server knows."""
    ada = await house.join()
    claim = {"user": {"name": "Root", "id": "x", "color": "red"}, "cursor": {"at": 1}}
    await ada.send(codec.awareness([present(7, 1, claim)]))
    assert 7 in await told(ada)
    bob = await house.connect("bob")
    await bob.send(codec.sync_step1(NOTHING))
    user = {"name": "Ada", "id": "u_ada", "color": "red"}
    assert await told(bob) == {7: (1, {"user": user, "cursor": {"at": 1}})}


async def test_presence_falls_with_its_connection_at_the_same_clock(
    house: House,
) -> None:
    """A greater clock in the removal would hide the client when it returns."""
    ada, bob = await house.join(), await house.join("bob")
    await ada.send(codec.awareness([present(7, 4, {})]))
    assert (await told(bob))[7][0] == 4
    await ada.ws.close()
    assert await told(bob) == {7: (4, None)}
    again = await house.join()
    await again.send(codec.awareness([present(7, 5, {})]))
    assert (await told(bob))[7][0] == 5


async def test_what_was_merely_heard_is_not_one_s_own(house: House) -> None:
    """Clients send again what they heard: nobody's presence falls with theirs."""
    ada, bob = await house.join(), await house.join("bob")
    await ada.send(codec.awareness([present(7, 1, {})]))
    assert 7 in await told(bob)
    await bob.send(codec.awareness([present(7, 1, {}), present(8, 1, {})]))
    assert list(await told(ada)) == [7]
    assert list(await told(ada)) == [8]
    await bob.send(codec.awareness([present(7, 9, None)]))
    await bob.ws.close()
    assert await told(ada) == {8: (1, None)}


async def test_nobody_takes_another_s_place(house: House) -> None:
    """An id that somebody else holds cannot be taken, whatever the clock."""
    ada, eve = await house.join(), await house.join("eve")
    await ada.send(codec.awareness([present(7, 1, {})]))
    await told(ada)
    await eve.send(codec.awareness([present(7, 50, {})]), codec.saved(1))
    await eve.is_saved(1)
    late = await house.connect("bob")
    await late.send(codec.sync_step1(NOTHING))
    clock, state = (await told(late))[7]
    assert (clock, state) == (1, {"user": {"id": "u_ada", "name": "Ada"}})


async def test_a_half_open_connection_does_not_take_the_new_one_with_it(
    house: House,
) -> None:
    """Who has come back stays when the old connection is found dead."""
    old, bob = await house.join(), await house.join("bob")
    await old.send(codec.awareness([present(7, 1, {})]))
    assert (await told(bob))[7][0] == 1
    new = await house.join()
    await new.send(codec.awareness([present(7, 2, {})]))
    assert (await told(bob))[7][0] == 2
    await old.ws.close()
    await new.send(codec.awareness([present(7, 3, {})]))
    assert await told(bob) == {7: (3, {"user": {"id": "u_ada", "name": "Ada"}})}


async def test_who_says_goodbye_may_come_back(house: House) -> None:
    """A client that removes itself and returns is seen both times."""
    ada, bob = await house.join(), await house.join("bob")
    for clock, state in ((1, {}), (1, None), (2, {})):
        await ada.send(codec.awareness([present(7, clock, state)]))
        said = (await told(bob))[7]
        assert said[0] == clock
        assert (said[1] is None) is (state is None)


# Keeping on


class Hand:
    """A loop's timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waiting: list[Waiting] = []

    def time(self) -> float:
        """Return the time that was set."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Waiting:
        """Note what is to be done."""
        self.waiting.append(Waiting(self, when, callback))
        return self.waiting[-1]

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        for waiting in tuple(self.waiting):
            if waiting.when <= self.now:
                waiting.cancel()
                waiting.callback()


class Waiting:
    """One thing to be done."""

    def __init__(self, hand: Hand, when: float, callback: Callable[[], object]) -> None:
        self._hand = hand
        self.when = when
        self.callback = callback

    def cancel(self) -> None:
        """Call it off."""
        if self in self._hand.waiting:
            self._hand.waiting.remove(self)


async def test_something_comes_every_20_s(house: House) -> None:
    """Stock clients leave when no message came for 30 s; a ping is none."""
    hand = Hand()
    house.hub.wheel = Wheel(hand, 0.02)
    ada = await house.join()
    for _ in range(3):
        hand.advance(KEEP_ALIVE_S - 1)
        await nothing_more(ada)
        hand.advance(1.1)
        assert await ada.receive() == codec.Awareness(())
    await ada.ws.close()
    await until(lambda: not house.hub.stats.sessions["yjs"])
    hand.advance(2 * KEEP_ALIVE_S)
    assert not hand.waiting


async def test_a_slow_reader_is_sent_away_and_others_are_not() -> None:
    """Who does not read is closed (1013) at the bound; the others miss nothing."""
    settings = Settings(note_state_bytes=16 * 1024 * 1024, send_buffer_bytes=4096)
    async with open_house(settings, Limits(outbox_bytes=128 * 1024)) as house:
        ada, bob = await house.join(), await house.join("bob")
        with closing(await deaf(house)):
            for number in range(100):
                if house.hub.stats.closed[3008]:
                    break
                await ada.write(f"{number:03} " * 16_000)
                await ada.send(codec.saved(number))
                await ada.is_saved(number)
            assert house.hub.stats.closed[3008] == 1
            await bob.send(codec.saved(200))
            await bob.is_saved(200)
            assert str(bob.text) == str(ada.text)
            assert house.hub.stats.sessions["yjs"] == 2


async def deaf(house: House) -> RawPeer:
    """Join the note over a socket that is never read again."""
    assert house.client.port is not None
    peer = await RawPeer.connect(house.client.port, "/ws/notes/lab?as=eve", 4096)
    await peer.send(BINARY, codec.sync_step1(NOTHING))
    await until(lambda: house.hub.stats.sessions["yjs"] == 3)
    return peer


async def test_at_a_shutdown_clients_are_told_to_come_back(house: House) -> None:
    """1012: service restart, as stock clients know it."""
    ada = await house.join()
    house.hub.disconnect_all()
    assert (await ada.farewell())[0] == 1012


async def test_a_disconnect_that_returns_says_so(house: House) -> None:
    """Every other code that means to come back is 4500 here."""
    ada = await house.join()
    house.hub.disconnect_all(FORCED_RECONNECT)
    assert (await ada.farewell())[0] == 4500


@pytest.mark.parametrize("disconnect", [SHUTDOWN, FORCED_RECONNECT])
async def test_many_are_told_when_to_come_back(
    house: House, disconnect: Disconnect
) -> None:
    """In the close reason, which stock clients pass over."""
    guests = [await house.join() for _ in range(3)]
    house.hub.disconnect_all(disconnect)
    assert {await guest.last_words() for guest in guests} == {
        disconnect.retry(return_ms).words for return_ms in (1_000, 1_004, 1_008)
    }
