from __future__ import annotations

import json

import pytest

from server.gateways.places import read_places
from server.gateways.socketio.namespace import ConnectRefused, Namespace
from server.gateways.socketio.recovery import (
    PrivateId,
    digest,
    read_private_id,
    write_private_id,
)
from server.gateways.socketio.socket import Socket
from server.model import JSON
from tests.gateways.socketio.talk import SECRET, OpenTalk, Talk
from tests.looptime import until

PRIVATE = PrivateId("id1", "g_1", "Ada")


def test_a_private_id_is_read_by_who_signed_it() -> None:
    """In its namespace; and nothing else is one."""
    text = write_private_id(PRIVATE, "/chat", SECRET)
    assert read_private_id(text, "/chat", SECRET) == PRIVATE
    said, _, signature = text.partition(".")
    for namespace, secret, forged in (
        ("/", SECRET, text),
        ("/chat", b"another", text),
        ("/chat", SECRET, said),
        ("/chat", SECRET, f"{said}."),
        ("/chat", SECRET, f"{said[:-4]}AAAA.{signature}"),
        ("/chat", SECRET, f"{text}x"),
        ("/chat", SECRET, "é"),
        ("/chat", SECRET, "a" * 5_000),
        ("/chat", SECRET, ""),
        ("/chat", SECRET, None),
        ("/chat", SECRET, {"sid": "id1"}),
    ):
        assert read_private_id(forged, namespace, secret) is None


def test_a_place_is_known_again_by_its_digest() -> None:
    """None is none; the empty place is one."""
    assert digest(None) == digest(7) == ""
    assert len({digest(place) for place in ("", "?", "open:a=e.1", "open:a=e.2")}) == 4


async def test_what_was_missed_comes_as_ordinary_events(talk: Talk) -> None:
    """With the same id, each once and in order, then what is live."""
    ada, known = await talk.connected()
    await ada.join("tea")
    await talk.hub.publish("open:tea", 1)
    place = (await ada.event())[2]
    await ada.cut()
    for number in (2, 3):
        await talk.hub.publish("open:tea", number)
    ada, again = await talk.back(known, str(place))
    assert again == known
    await talk.hub.publish("open:tea", 4)
    for number in (2, 3):
        name, payload, place = await ada.event()
        assert isinstance(payload, dict)
        assert (name, payload["data"]) == ("message", number)
        assert place == f"open:tea=epoch1.{number}"
    assert (await ada.event())[0] == "join"
    _, payload, _ = await ada.event()
    assert isinstance(payload, dict)
    assert payload["data"] == 4


async def test_it_works_when_no_event_was_ever_received(talk: Talk) -> None:
    """Joining itself tells the place; so also after any quiet."""
    ada, known = await talk.connected()
    _, place = await ada.join("tea")
    await ada.cut()
    await talk.hub.publish("open:tea", 1)
    ada, again = await talk.back(known, place)
    assert again == known
    assert (await ada.event())[2] == "open:tea=epoch1.1"


async def test_it_works_again_and_again(talk: Talk) -> None:
    """Where nothing came in between, the client says the same once more."""
    ada, known = await talk.connected()
    _, place = await ada.join("tea")
    for number in (1, 2, 3):
        await ada.cut()
        await talk.hub.publish("open:tea", number)
        ada, again = await talk.back(known, place)
        assert again == known
        seen = [await ada.event() for _ in range(number)]
        assert [event[2] for event in seen] == [
            f"open:tea=epoch1.{each + 1}" for each in range(number)
        ]


@pytest.mark.parametrize("place", [None, ""])
async def test_who_was_in_no_room_is_recovered_without(
    talk: Talk, place: str | None
) -> None:
    """It has received nothing, or has left all rooms."""
    ada, known = await talk.connected()
    await ada.cut()
    ada, again = await talk.back(known, place)
    assert again == known
    assert not next(iter(talk.hub.sessions.values())).subscriptions


async def test_all_rooms_of_the_namespace_come_back(talk: Talk) -> None:
    """Each from where it was; other namespaces by themselves."""
    ada, known = await talk.connected()
    chat = await ada.connect("/chat")
    for number, room in enumerate("abc"):
        _, place = await ada.join(room, ack=number)
    _, chat_place = await ada.join("lobby", "/chat")
    await ada.cut()
    for room in "abc":
        await talk.hub.publish(f"open:{room}", room)
    await talk.hub.publish("chat:lobby", "hi")
    ada, again = await talk.back(known, place)
    assert again == known
    heard: list[list[int]] = []
    while len(heard) < 3:
        event = await ada.event()
        if event[0] == "message":
            places = read_places(str(event[2]))
            heard.append([places[f"open:{room}"].offset for room in "abc"])
    assert heard == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    await ada.say(f'0/chat,{{"pid":"{chat["pid"]}","offset":"{chat_place}"}}')
    while not (packet := await ada.hear_text()).startswith('2/chat,["message"'):
        assert packet.startswith(('2["join"', f'0/chat,{{"sid":"{chat["sid"]}"'))
    assert packet.endswith('"chat:lobby=epoch4.1"]')


async def test_a_client_without_cookies_is_who_it_was(talk: Talk) -> None:
    """Else it would be somebody new, and could not have its own channels back."""
    ada, known = await talk.connected()
    _, place = await ada.join("lab-g_1")
    await ada.cut()
    ada, again = await talk.back(known, place)
    assert again == known
    assert next(iter(talk.hub.sessions.values())).who.id == "g_1"
    assert (await ada.event())[0] == "join"


async def test_another_users_private_id_is_nothing(talk: Talk) -> None:
    """Who is known by a cookie, or to the host application, is nobody else."""
    ada, known = await talk.connected(user="u_ada")
    _, place = await ada.join("tea")
    eve, again = await talk.back(known, place, user="u_eve")
    assert again["sid"] != known["sid"]
    assert again["pid"] != known["pid"]
    await talk.hub.publish("open:tea", 1)
    assert (await ada.event())[0] == "message", "she was not disturbed"
    session = next(
        each for each in talk.hub.sessions.values() if each.who.id == "u_eve"
    )
    assert not session.subscriptions
    await eve.cut()


async def test_a_stolen_private_id_is_no_cookie(talk: Talk) -> None:
    """Scripts can read it, but not the cookie; so without the cookie it is nothing."""
    ada, known = await talk.connected(user="u_ada")
    await ada.cut()
    _, again = await talk.back(known, "")
    assert again["sid"] != known["sid"]
    assert {each.who.id for each in talk.hub.sessions.values()} == {"g_1"}


async def test_one_who_is_in_already_is_nobody_else(talk: Talk) -> None:
    """The first namespace says who it is, for the whole connection."""
    ada, known = await talk.connected("/custom")
    await ada.cut()
    bob, _ = await talk.connected()
    again = await bob.connect("/custom", {"pid": known["pid"]})
    assert again["sid"] != known["sid"]


async def test_who_may_no_longer_read_a_room_is_not_recovered(talk: Talk) -> None:
    """Permission is asked for anew; not even another room comes back."""
    ada, known = await talk.connected("/guarded", "u_ada")
    await ada.join("a", "/guarded")
    _, place = await ada.join("b", "/guarded", ack=1)
    await ada.cut()
    await talk.hub.publish("guarded:a", "secret")
    talk.guarded.barred = frozenset({"u_ada"})
    ada, again = await talk.back(known, place, "/guarded", "u_ada")
    assert again["sid"] != known["sid"]
    await ada.emit("history", "a", namespace="/guarded", ack=0)
    (words,) = await ada.ack(0, "/guarded")
    assert isinstance(words, dict)
    assert words["code"] == 103


FORGED = [
    "?",
    "!",
    "x",
    "open:tea=epoch1.2",
    "open:tea=epoch2.0",
    "open:tea=epoch1.0,open:tea=epoch1.0",
    "open:tea=epoch1.0,chat:lobby=epoch2.0",
    "chat:lobby=epoch1.0",
    "nokind:a=epoch1.0",
    "open:tea=epoch1.0,open:lab-g_9=epoch2.0",
    ",".join(f"open:r{number}=epoch1.0" for number in range(21)),
    "a" * 60_000,
]


@pytest.mark.parametrize("place", FORGED, ids=range(len(FORGED)))
async def test_a_place_that_cannot_be_is_not_recovered(talk: Talk, place: str) -> None:
    """Ahead of the top, of another stream, unsure, forged: it begins anew."""
    await talk.hub.publish("open:tea", 1)
    _, known = await talk.connected()
    ada, again = await talk.back(known, place)
    assert again["sid"] != known["sid"]
    await ada.join("tea")


async def test_a_history_that_was_trimmed_is_not_recovered(open_talk: OpenTalk) -> None:
    """Never a part of it; the client is told by another id."""
    talk = await open_talk(history_size=3)
    ada, known = await talk.connected()
    _, place = await ada.join("tea")
    await ada.cut()
    for number in range(5):
        await talk.hub.publish("open:tea", number)
    ada, again = await talk.back(known, place)
    assert again["sid"] != known["sid"]
    await talk.hub.publish("open:tea", 5)
    await ada.emit("history", "tea", ack=0)
    assert await ada.ack(0)


async def test_a_kind_that_cannot_resume_is_not_recovered(talk: Talk) -> None:
    """A note that was edited is read anew: its kind says so, not the log alone."""
    ada, known = await talk.connected("/notes")
    _, place = await ada.join("a", "/notes")
    await ada.cut()
    ada, again = await talk.back(known, place, "/notes")
    assert again == known
    await ada.emit("insert", {"data": {"at": 0, "text": "x"}}, namespace="/notes")
    while (await ada.event("/notes"))[0] != "change":
        continue
    await ada.cut()
    _, again = await talk.back(known, place, "/notes")
    assert again["sid"] != known["sid"]


async def test_a_place_that_did_not_recover_never_does(talk: Talk) -> None:
    """The stock client says it once more, with its new private id, when cut again."""
    ada, known = await talk.connected("/guarded", "u_ada")
    _, place = await ada.join("a", "/guarded")
    await ada.cut()
    talk.guarded.barred = frozenset({"u_ada"})
    ada, second = await talk.back(known, place, "/guarded", "u_ada")
    assert second["sid"] != known["sid"]
    await ada.cut()
    talk.guarded.barred = frozenset()
    ada, third = await talk.back(second, place, "/guarded", "u_ada")
    assert third["sid"] != second["sid"]
    _, place = await ada.join("b", "/guarded")
    await ada.cut()
    _, again = await talk.back(third, place, "/guarded", "u_ada")
    assert again == third


async def test_a_live_connection_of_the_same_socket_is_closed(talk: Talk) -> None:
    """Its client has come back before the server saw it go."""
    ada, known = await talk.connected()
    _, place = await ada.join("tea")
    again, answered = await talk.back(known, place)
    assert answered == known
    assert (await ada.event())[0] == "closing"
    assert (await ada.end()).code == 3000
    await until(lambda: len(talk.hub.sessions) == 1)
    await talk.hub.publish("open:tea", 1)
    while (await again.event())[0] != "message":
        continue


async def test_a_cut_between_the_frames_of_a_join_is_no_silent_gap(talk: Talk) -> None:
    """After the first one the place is unsure; after the third it is whole."""
    ada, known = await talk.connected()
    _, before = await ada.join("a")
    await ada.emit("join", "b", ack=1)
    unsure = (await ada.event())[1]
    await ada.ack(1)
    after = (await ada.event())[1]
    assert unsure == "?"
    await ada.cut()
    _, again = await talk.back(known, str(unsure))
    assert again["sid"] != known["sid"]
    _, again = await talk.back(known, before)
    assert again == known, "before it had asked"
    ada, again = await talk.back(known, str(after))
    assert again == known
    await until(lambda: len(talk.hub.channels["open:b"].subscriptions) == 1)


async def test_a_room_lost_in_between_brings_it_back_once_more(talk: Talk) -> None:
    """Rather than let it take itself for recovered; then it is told that it is not."""
    ada, known = await talk.connected()
    await ada.join("a")
    _, place = await ada.join("b", ack=1)
    await ada.cut()
    await until(lambda: not talk.hub.sessions, 20_000)
    channel = talk.hub.channels["open:b"]
    catch_up, asked = channel.kind.catch_up, []

    async def changed(*arguments: object) -> object:
        asked.append(arguments[0])
        if len(asked) == 3:
            # Both were asked whether they can be resumed, and one was joined.
            await talk.hub.new_epoch("open:b")
        return await catch_up(*arguments)  # type: ignore[arg-type]

    channel.kind.catch_up = changed  # type: ignore[method-assign,assignment]
    ada, again = await talk.back(known, place)
    assert again == known
    while (name := (await ada.event())[0]) != "closing":
        assert name in {"join", "reset"}
    assert asked == ["open:a", "open:b", "open:a", "open:b"]
    assert (await ada.end()).code == 3011
    _, again = await talk.back(known, place)
    assert again["sid"] != known["sid"]


async def test_without_recovery_nothing_is_recovered(open_talk: OpenTalk) -> None:
    """A namespace may do without; so may a client, by `?recovery=0`."""
    talk = await open_talk([Namespace("/game", recovery=False)])
    ada, known = await talk.connected("/game")
    assert list(known) == ["sid"]
    await ada.emit("join", "a", namespace="/game", ack=0)
    assert await ada.ack(0, "/game")
    ws = await talk.client.ws_connect(
        "/socket.io/?EIO=4&transport=websocket&recovery=0"
    )
    await ws.receive_str(timeout=5)
    await ws.send_str("40")
    assert '"pid"' not in await ws.receive_str(timeout=5)
    await ws.send_str('420["join","a"]')
    assert (await ws.receive_str(timeout=5)).startswith("430[")
    await talk.hub.publish("open:a", 1)
    assert (await ws.receive_str(timeout=5)).endswith("}]")
    await ws.close()


async def test_middleware_is_asked_before_anything_is_said(open_talk: OpenTalk) -> None:
    """Also of one who comes back; and a connect handler before what was missed."""
    game, asked = Namespace("/game"), []

    @game.use
    async def check(socket: Socket, auth: dict[str, JSON]) -> None:
        asked.append((socket.recovered, dict(auth)))

    @game.on("connect")
    async def came(socket: Socket, auth: dict[str, JSON]) -> None:
        if socket.recovered and len(asked) > 2:
            raise ConnectRefused("no more")

    talk = await open_talk([game])
    ada, known = await talk.connected("/game")
    _, place = await ada.join("a", "/game")
    await talk.hub.publish("game:a", 1)
    await ada.cut()
    ada, again = await talk.back(known, place, "/game")
    assert again == known
    await ada.cut()
    assert asked == [(False, {}), (True, {})]
    ada = await talk.talker()
    await ada.say(f'0/game,{{"pid":"{known["pid"]}","offset":"{place}"}}')
    assert await ada.hear() == '4/game,{"message":"no more"}'


async def test_one_comes_back_by_another_way(talk: Talk) -> None:
    """Left by WebSocket, resumed by long-polling: the strings are the same."""
    ada, known = await talk.connected()
    _, place = await ada.join("tea")
    await ada.cut()
    await talk.hub.publish("open:tea", 1)
    path = "/socket.io/?EIO=4&transport=polling"
    async with talk.client.get(path) as answer:
        path += f"&sid={json.loads((await answer.text())[1:])['sid']}"
    words = json.dumps({"pid": known["pid"], "offset": place})
    async with talk.client.post(path, data=f"40{words}") as answer:
        assert await answer.text() == "ok"
    async with talk.client.get(path) as answer:
        packets = (await answer.text()).split("\x1e")
    assert json.loads(packets[0][2:]) == known
    assert packets[1].startswith('42["message",')
    assert packets[1].endswith('"open:tea=epoch1.1"]')
