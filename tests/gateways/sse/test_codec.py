"""Events as lines: what a reader of the standard makes of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import FORCED, UNAVAILABLE
from server.gateways.sse import codec
from server.gateways.sse.codec import (
    CHUNKED,
    PLAIN,
    PlacesCodec,
    closing_lines,
    event_lines,
    retry_line,
    type_of,
)
from server.model import (
    Done,
    Failed,
    Gap,
    Joined,
    Left,
    Outbound,
    Position,
    Principal,
    Publication,
    Reset,
    Signal,
    Standing,
    Subscribed,
)

ADA = Principal("g_1", "Ada")
AT = Position("e", 7)
SAID = Publication("open:a", AT, "note", {"n": 1}, ADA, 5)


def fields(lines: bytes) -> list[tuple[str, str]]:
    """The fields of the lines, in order; an empty line as ("", "")."""
    found = []
    for line in lines.decode().split("\n")[:-1]:
        name, _, value = line.partition(":")
        found.append((name, value.removeprefix(" ")))
    return found


def test_a_publication_is_an_event_with_its_position() -> None:
    """The id, the type, the native object on one line, and the line that ends it."""
    assert PLAIN.encode(SAID) == (
        b"id: e.7\n"
        b"event: note\n"
        b'data: {"type":"event","channel":"open:a","event":"note","data":{"n":1},'
        b'"position":"e.7","from":{"id":"g_1","name":"Ada"},"time":5}\n'
        b"\n"
    )


UNMARKED: list[tuple[Outbound, str, dict[str, object]]] = [
    (
        Signal("open:a", "typing", True, ADA, 5, "k"),
        "typing",
        {"type": "event", "channel": "open:a", "event": "typing", "data": True}
        | {"from": {"id": "g_1", "name": "Ada"}, "time": 5, "key": "k"},
    ),
    (
        Joined("open:a", ADA, 2),
        "join",
        {"type": "join", "channel": "open:a", "user": {"id": "g_1", "name": "Ada"}}
        | {"count": 2},
    ),
    (
        Left("open:a", ADA, 1),
        "leave",
        {"type": "leave", "channel": "open:a", "user": {"id": "g_1", "name": "Ada"}}
        | {"count": 1},
    ),
    (
        Gap("open:a", 3, 4),
        "gap",
        {"type": "gap", "channel": "open:a", "skipped": 3, "merged": 4},
    ),
    (
        Reset("open:a", Position("f", 0)),
        "reset",
        {"type": "reset", "channel": "open:a", "position": "f.0"},
    ),
    (Standing(live=False), "status", {"type": "status", "live": False}),
    (
        Failed(None, "open:a", UNAVAILABLE),
        "refused",
        {"type": "error", "code": 108, "message": "unavailable"}
        | {"temporary": True, "channel": "open:a"},
    ),
]


@pytest.mark.parametrize(("said", "event", "words"), UNMARKED)
def test_what_has_no_position_has_no_id(
    said: Outbound, event: str, words: dict[str, object]
) -> None:
    """So a reader's last id stays where it may go on."""
    lines = fields(PLAIN.encode(said) or b"")
    assert [name for name, _ in lines] == ["event", "data", ""]
    assert lines[0][1] == event
    assert json.loads(lines[1][1]) == words


def test_what_answers_a_command_is_not_shown() -> None:
    """No commands come on a stream."""
    assert PLAIN.encode(Done(1)) is None


def past(*publications: Publication, at: Position = AT) -> Subscribed:
    """The answer of a subscription."""
    recovered = bool(publications)
    return Subscribed(
        None, "open:a", at, recovered, publications, None, (), None, durable=True
    )


def test_the_past_comes_behind_its_answer_in_one_frame() -> None:
    """The answer's id is where it begins; each that was missed has its own."""
    missed = [replace(SAID, position=Position("e", n)) for n in (5, 6, 7)]
    lines = fields(PLAIN.encode(past(*missed)) or b"")
    assert [value for name, value in lines if name == "id"] == [
        *("e.4", "e.5", "e.6", "e.7")
    ]
    assert [value for name, value in lines if name == "event"] == [
        *("subscribed", "note", "note", "note")
    ]
    answer = json.loads(next(value for name, value in lines if name == "data"))
    assert "publications" not in answer
    assert (answer["position"], answer["recovered"]) == ("e.7", True)


def test_without_a_past_the_answer_is_where_it_ends() -> None:
    """And the stream goes on from there."""
    assert fields(PLAIN.encode(past()) or b"")[0] == ("id", "e.7")


# Types


@pytest.mark.parametrize(
    "name",
    [
        *("subscribed", "join", "leave", "gap", "reset", "status", "closing"),
        *("refused", "open", "error", "", " led", "trailing ", " "),
        *("two\nlines", "two\rlines", "nul\0", "tab\t", "\v", "\x85", "\u2028"),
        *("\ufeff", "\ud800", "\u202e"),
    ],
)
def test_a_name_that_can_be_no_type_is_in_the_data(name: str) -> None:
    """Its type is `event`."""
    assert type_of(name) == "event"
    encoded = PLAIN.encode(Signal("open:a", name.replace("\ud800", "\0"), 1, None, 5))
    lines = fields(encoded or b"")
    assert lines[0] == ("event", "event")
    assert json.loads(lines[1][1])["event"] == name.replace("\ud800", "\0")


@pytest.mark.parametrize("name", ["message", "a b", "a:b", ":a", "ä", "😀", "event"])
def test_any_other_name_is_the_type(name: str) -> None:
    """Colons and inner spaces included."""
    assert type_of(name) == name


# Lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ("", ["data: "]),
        ("a", ["data: a"]),
        (" a", ["data:  a"]),
        ("a\nb", ["data: a", "data: b"]),
        ("a\rb", ["data: a", "data: b"]),
        ("a\r\nb", ["data: a", "data: b"]),
        ("a\n\rb", ["data: a", "data: ", "data: b"]),
        ("a\n", ["data: a", "data: "]),
        ("\n", ["data: ", "data: "]),
        ("a\u2028b\x85c\vd\fe\x1cf", ["data: a\u2028b\x85c\vd\fe\x1cf"]),
    ],
)
def test_data_has_a_line_for_each_of_its_lines(data: str, lines: list[str]) -> None:
    """LF, CR and CRLF end one, and nothing else does."""
    expected = "\n".join(["event: x", *lines, "", ""])
    assert event_lines("x", data).decode() == expected


@pytest.mark.parametrize(
    ("event", "event_id"),
    [("a\nb", None), ("a\rb", None), ("a", "1\n2"), ("a", "1\r"), ("a", "\0")],
)
def test_nothing_can_be_smuggled_into_a_line(event: str, event_id: str | None) -> None:
    """A type or id of two lines is refused, and an id that readers would ignore."""
    with pytest.raises(ValueError, match="one line"):
        event_lines(event, "data", event_id)


def test_an_empty_id_is_written() -> None:
    """It clears the reader's, which is another thing than none."""
    assert event_lines("a", "b", "").startswith(b"id: \n")
    assert event_lines("a", "b").startswith(b"event:")


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_arrives_with_its_line_ends_as_lf(data: str) -> None:
    """As the standard's algorithm reads it."""
    lines = event_lines("x", data).decode().replace("\r\n", "\n")
    assert "\r" not in lines
    read = [line[len("data: ") :] for line in lines.split("\n")[1:-2]]
    assert "\n".join(read) == data.replace("\r\n", "\n").replace("\r", "\n")


def test_the_other_lines() -> None:
    """How long to wait, the heartbeat, and the farewell."""
    assert retry_line(1500) == b"retry: 1500\n"
    assert codec.BEAT == b":\n"
    assert closing_lines(FORCED) == (
        b'event: closing\ndata: {"code":3503,"reason":"forced"}\n\n'
    )


# Frames


def test_a_chunk_is_the_same_lines_with_their_length() -> None:
    """RFC 9112 section 7.1."""
    lines = PLAIN.encode(SAID) or b""
    assert CHUNKED.encode(SAID) == f"{len(lines):x}\r\n".encode() + lines + b"\r\n"


def test_an_event_of_several_streams_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the id is each stream's own."""
    made = []

    def words(said: Publication | Signal) -> dict[str, object]:
        made.append(said)
        return {"n": 1}

    monkeypatch.setattr(codec, "said_words", words)
    said = replace(SAID, time_ms=6)
    for number in range(100):
        places = {"open:b": Position("f", number)}
        frame = PlacesCodec(places, chunked=True).encode(said)
        assert f"id: open:b=f.{number},open:a=e.7\n".encode() in (frame or b"")
    assert made == [said]


def test_the_id_of_several_channels_is_where_each_stands() -> None:
    """From what the reader came with, on to the newest of each."""
    places = PlacesCodec({"open:b": Position("f", 2)}, chunked=False)
    frames = [
        places.encode(past(replace(SAID, position=Position("e", 7)))),
        places.encode(Publication("open:b", Position("f", 3), "x", 1, None, 5)),
        places.encode(Gap("open:b", 1, 1)),
        places.encode(replace(SAID, position=Position("e", 8))),
    ]
    ids = [
        value
        for frame in frames
        for name, value in fields(frame or b"")
        if name == "id"
    ]
    assert ids == [
        "open:b=f.2,open:a=e.6",
        "open:b=f.2,open:a=e.7",
        "open:b=f.3,open:a=e.7",
        "open:b=f.3,open:a=e.8",
    ]
