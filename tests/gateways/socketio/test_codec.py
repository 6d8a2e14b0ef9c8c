from __future__ import annotations

import json
from dataclasses import replace

import pytest

from server.errors import PERMISSION_DENIED, Refusal
from server.gateways.places import MAX_PLACES, read_places
from server.gateways.socketio.codec import (
    OWN_EVENTS,
    OwnCodec,
    ReplayCodec,
    SharedCodec,
    channel_of,
    namespace_of,
    place_of,
)
from server.gateways.socketio.packets import RESERVED
from server.model import (
    Done,
    Failed,
    Gap,
    HistoryPage,
    Joined,
    Left,
    Outbound,
    Position,
    PresenceList,
    Principal,
    Publication,
    Published,
    Reset,
    Signal,
    Standing,
    Subscribed,
)
from tests.gateways.socketio.talk import packets_of

ADA = Principal("g_1", "Ada")
AT = Position("e", 7)
SAID = Publication("chat:tea", AT, "message", {"text": "hi"}, ADA, 5, "k")
EVENT = (
    '{"type":"event","channel":"chat:tea","event":"message","data":{"text":"hi"},'
    '"position":"e.7","from":{"id":"g_1","name":"Ada"},"time":5,"key":"k"}'
)
OFFER = Subscribed(3, "open:a", AT, False, (), None, (), None, durable=True)
REPLY = (
    '{"type":"reply","channel":"open:a","position":"e.7","recovered":false,'
    '"publications":[],"signals":[],"durable":true}'
)
DENIED = '{"type":"error","code":103,"message":"permission denied","temporary":false'

GOLDEN: list[tuple[Outbound, list[str]]] = [
    (SAID, [f'2/chat,["message",{EVENT},"chat:tea=e.7"]']),
    (
        Signal("open:a", "typing", True, None, 5, "k"),
        [
            (
                '2["typing",{"type":"event","channel":"open:a","event":"typing",'
                '"data":true,"time":5,"key":"k"}]'
            )
        ],
    ),
    (
        Joined("open:a", ADA, 2),
        [
            (
                '2["join",{"type":"join","channel":"open:a",'
                '"user":{"id":"g_1","name":"Ada"},"count":2}]'
            )
        ],
    ),
    (
        Left("open:a", ADA, 1),
        [
            (
                '2["leave",{"type":"leave","channel":"open:a",'
                '"user":{"id":"g_1","name":"Ada"},"count":1}]'
            )
        ],
    ),
    (
        Gap("ticker:market", 1, 2),
        [
            (
                '2/ticker,["gap",{"type":"gap","channel":"ticker:market",'
                '"skipped":1,"merged":2}]'
            )
        ],
    ),
    (
        Reset("open:a", AT),
        [
            (
                '2["reset",{"type":"reset","channel":"open:a","position":"e.7"},'
                '"open:a=e.7"]'
            )
        ],
    ),
    (OFFER, ['2["recovery","?"]', f"33[{REPLY}]", '2["recovery","open:a=e.7"]']),
    (replace(OFFER, id=None), [f'2["joined",{REPLY},"open:a=e.7"]']),
    (
        Published(0, "chat:tea", AT, durable=True),
        [
            (
                '3/chat,0[{"type":"reply","channel":"chat:tea","position":"e.7",'
                '"durable":true}]'
            )
        ],
    ),
    (Done(4, "open:a"), ['34[{"type":"reply","channel":"open:a"}]']),
    (
        HistoryPage(4, "open:a", (), AT),
        ['34[{"type":"reply","channel":"open:a","publications":[],"position":"e.7"}]'],
    ),
    (
        PresenceList(4, "open:a", (), 0),
        ['34[{"type":"reply","channel":"open:a","presence":[],"count":0}]'],
    ),
    (
        Failed(4, "chat:tea", PERMISSION_DENIED),
        [f'3/chat,4[{DENIED},"channel":"chat:tea"}}]'],
    ),
    (
        Failed(None, "open:a", PERMISSION_DENIED, "k"),
        [f'2["refused",{DENIED},"channel":"open:a","key":"k"}}]'],
    ),
    (Failed(None, None, PERMISSION_DENIED), [f'2["refused",{DENIED}}}]']),
]


@pytest.mark.parametrize(("outbound", "packets"), GOLDEN)
def test_what_a_session_is_told(outbound: Outbound, packets: list[str]) -> None:
    """As docs/reference/socketio-wire.md specifies it."""
    frames = SharedCodec().encode(outbound)
    assert frames is not None
    assert packets_of(frames) == packets


@pytest.mark.parametrize(
    "outbound",
    [
        Published(None, "open:a", AT, durable=True),
        Done(None, "open:a"),
        HistoryPage(None, "open:a", (), AT),
        Standing(live=False),
    ],
)
def test_what_nobody_asked_for_is_not_said(outbound: Outbound) -> None:
    """Without an id there is no acknowledgement; the standing is of no channel."""
    assert SharedCodec().encode(outbound) is None


@pytest.mark.parametrize("name", sorted(OWN_EVENTS | RESERVED))
def test_a_publication_with_a_name_that_is_taken_is_an_event(name: str) -> None:
    """A reserved name would close stock clients' connections; ours mean other things.

    The payload has the real name.
    """
    for outbound in (replace(SAID, event=name), Signal("chat:tea", name, 1, None, 5)):
        (packet,) = packets_of(SharedCodec().encode(outbound) or b"")
        event, payload, *_ = json.loads(str(packet).removeprefix("2/chat,"))
        assert (event, payload["event"]) == ("event", name)


@pytest.mark.parametrize("name", ["__proto__", "toString", '"],["x', "\u2028", "é"])
def test_any_other_name_is_its_own(name: str) -> None:
    """Whatever it means elsewhere."""
    (packet,) = packets_of(SharedCodec().encode(replace(SAID, event=name)) or b"")
    assert json.loads(str(packet).removeprefix("2/chat,"))[0] == name


def test_without_recovery_there_are_no_places() -> None:
    """An event has one argument; an acknowledgement comes alone."""
    codec = SharedCodec(frozenset({"/", "/chat"}))
    assert packets_of(codec.encode(SAID) or b"") == [f'2/chat,["message",{EVENT}]']
    assert packets_of(codec.encode(OFFER) or b"") == [f"33[{REPLY}]"]


def test_a_binary_publication_shows_what_json_wires_show() -> None:
    """The text's change of a note."""
    note = Publication("notes:a", AT, "change", b"\0\1", ADA, 5, shown={"changes": []})
    (packet,) = packets_of(SharedCodec().encode(note) or b"")
    assert '"data":{"changes":[]}' in str(packet)


def test_in_several_rooms_the_place_says_all_of_them() -> None:
    """And the event is encoded once for all whose places differ."""
    shared = SharedCodec()
    first = OwnCodec(shared, lambda _: {"chat:a": Position("f", 1)})
    second = OwnCodec(shared, lambda _: {"chat:tea": Position("e", 6), "chat:b": None})
    body = shared.bodies.of(SAID)
    assert (first.encode(SAID) or b"").endswith(b'"chat:a=f.1,chat:tea=e.7"]')
    assert (second.encode(SAID) or b"").endswith(b',"?"]')
    assert shared.bodies.of(SAID) is body
    assert shared.bodies.of(replace(SAID)) is not body


def test_a_replay_is_events_and_what_has_no_position() -> None:
    """What was missed, each with its place; then the state, where there is one."""
    codec = ReplayCodec(SharedCodec(), lambda _: {"chat:b": AT})
    missed = (SAID, replace(SAID, position=Position("e", 8)))
    told = replace(
        OFFER, id=None, channel="chat:tea", recovered=True, publications=missed
    )
    places = [
        json.loads(str(packet).removeprefix("2/chat,"))[2]
        for packet in packets_of(codec.encode(told) or b"")
    ]
    assert places == ["chat:b=e.7,chat:tea=e.7", "chat:b=e.7,chat:tea=e.8"]
    frames = codec.encode(replace(told, publications=(), state={"price": 1}))
    (packet,) = packets_of(frames or b"")
    assert str(packet).startswith('2/chat,["joined",{')
    assert '"state":{"price":1}' in str(packet)
    assert codec.encode(replace(told, publications=())) is None
    assert codec.whole


def test_a_replay_that_is_not_whole_says_nothing() -> None:
    """Never a part."""
    codec = ReplayCodec(SharedCodec(), lambda _: {})
    assert codec.encode(replace(OFFER, id=None, publications=(SAID,))) is None
    assert not codec.whole


def test_more_rooms_than_a_place_can_say() -> None:
    """It says that it cannot be recovered, and nothing else reads it as a place."""
    rooms = {f"open:r{number}": AT for number in range(MAX_PLACES)}
    assert read_places(place_of(rooms)) == rooms
    place = place_of({**rooms, "open:more": AT})
    for cannot in (place, place_of({"open:a": None})):
        with pytest.raises(Refusal):
            read_places(cannot)
    assert place_of({}) == ""


@pytest.mark.parametrize(
    ("namespace", "room", "channel"),
    [
        ("/", "tea", "open:tea"),
        ("/", "open:tea", "open:tea"),
        ("/chat", "tea", "chat:tea"),
        ("/chat", "chat:tea", "chat:tea"),
        ("/ticker", "ACME", "ticker:ACME"),
    ],
)
def test_a_room_is_a_channel(namespace: str, room: str, channel: str) -> None:
    """Of the namespace's kind; and the channel's namespace is that one."""
    assert channel_of(namespace, room) == channel
    assert namespace_of(channel) == namespace


@pytest.mark.parametrize(
    ("namespace", "room"), [("/", "chat:tea"), ("/chat", "open:tea")]
)
def test_another_namespaces_channel_is_no_room(namespace: str, room: str) -> None:
    """It is there, but not here."""
    with pytest.raises(Refusal):
        channel_of(namespace, room)
