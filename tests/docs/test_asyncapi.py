"""The AsyncAPI file is what the codec does: it decodes or encodes each example."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from server import model
from server.errors import BAD_REQUEST, PERMISSION_DENIED
from server.gateways import either
from server.gateways.native import handler
from server.gateways.native.codec import NATIVE, decode
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

# A schema is whatever JSON it is.
SPEC: Any = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
MESSAGES: Any = SPEC["components"]["messages"]
EXAMPLES = {
    (name, example["name"]): example["payload"]
    for name, message in MESSAGES.items()
    for example in message["examples"]
}

ADA = model.Principal("g_4fk2", "Ada")
TIME_MS = 1_795_456_800_123
LOBBY = "chat:lobby"


def at(offset: int, epoch: str = "k3Xb9QzT") -> model.Position:
    """Return a position of the examples' stream."""
    return model.Position(epoch, offset)


def hello(offset: int, key: str | None = None) -> model.Publication:
    """Return Ada's publication."""
    content = {"text": "Hello"}
    return model.Publication(LOBBY, at(offset), "message", content, ADA, TIME_MS, key)


COMMANDS: dict[str, model.Command] = {
    "subscribe": model.Subscribe(1, LOBBY, at(17), presence=True),
    "unsubscribe": model.Unsubscribe(2, LOBBY),
    "publish": model.Publish(3, LOBBY, model.Event("message", {"text": "Hello"}, "a1")),
    "signal": model.Publish(4, LOBBY, model.Event("typing", None, signal=True)),
    "history": model.History(5, LOBBY, before=at(18), limit=20),
    "presence": model.Presence(6, LOBBY),
    "ping": model.Ping(7),
}
OUTBOUND: dict[str, model.Outbound] = {
    "publication": hello(18, "a1"),
    "publication of the server": model.Publication(
        "open:orders", at(1, "Zq81xxAa"), "message", {"order": "17"}, None, TIME_MS
    ),
    "signal": model.Signal(
        "ticker:market",
        "quote",
        {"symbol": "ACME", "last": 12840},
        None,
        TIME_MS,
        "ACME",
    ),
    "retained signal that fell": model.Signal(
        "notes:plan", "awareness", {}, ADA, TIME_MS, "77", retained=True, fell=True
    ),
    "join": model.Joined(LOBBY, ADA, 3),
    "leave": model.Left(LOBBY, ADA, 2),
    "gap": model.Gap("ticker:market", 0, 812),
    "reset": model.Reset("open:lab", at(0, "Zq81xxAa")),
    "cut off": model.Standing(live=False),
    "whole again": model.Standing(live=True),
    "pong": model.Done(None),
    "recovered": model.Subscribed(
        id=1,
        channel=LOBBY,
        position=at(18),
        recovered=True,
        publications=[hello(18)],
        state=None,
        signals=(),
        members=[model.Member(ADA, 1)],
        durable=True,
    ),
    "first frame of a route": model.Subscribed(
        id=None,
        channel="open:news",
        position=at(0, "Zq81xxAa"),
        recovered=False,
        publications=(),
        state=None,
        signals=(),
        members=None,
        durable=False,
    ),
    "with a state": model.Subscribed(
        id=1,
        channel="notes:plan",
        position=at(3),
        recovered=False,
        publications=(),
        state={"text": "# Plan", "title": "Plan"},
        signals=(),
        members=None,
        durable=True,
    ),
    "published": model.Published(3, LOBBY, at(18), durable=True, key="a1"),
    "nothing had to follow": model.Published(3, "notes:plan", None, durable=True),
    "history page": model.HistoryPage(5, LOBBY, [hello(17)], at(18)),
    "presence list": model.PresenceList(6, LOBBY, [model.Member(ADA, 2)], 1),
    "done": model.Done(2, LOBBY),
    "answer to a ping": model.Done(7),
    "error": model.Failed(3, "ticker:market", PERMISSION_DENIED),
    "error with a reason and a key": model.Failed(
        3, LOBBY, BAD_REQUEST.because("an empty message"), "a1"
    ),
    "error that answers no id": model.Failed(
        None, None, BAD_REQUEST.because("not JSON")
    ),
}
KINDS = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
SENT_BY_CLIENTS = [key for key in EXAMPLES if key[0] in COMMANDS]
SENT_BY_SERVER = [key for key in EXAMPLES if key[0] not in COMMANDS]


def faults(value: Any, schema: Any, where: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield how a value breaks a schema; knows the words that our file uses."""
    if "$ref" in schema:
        schema = SPEC["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in schema.get("allOf", ()):
        yield from faults(value, part, where)
    if "const" in schema and value != schema["const"]:
        yield f"{where} is not {schema['const']!r}"
    kind = schema.get("type")
    if kind is not None and type(value) is not KINDS[kind]:
        yield f"{where} is no {kind}"
    elif kind in {"object", "array"}:
        yield from inner_faults(value, schema, where)
    elif kind == "string" and not re.search(schema.get("pattern", ""), value):
        yield f"{where} does not fit {schema['pattern']}"
    elif kind == "integer" and value < schema.get("minimum", value):
        yield f"{where} is too small"


def inner_faults(value: Any, schema: Any, where: str) -> Iterator[str]:  # noqa: ANN401
    """Yield how the parts of an object or array break its schema."""
    if isinstance(value, list):
        for part in value:
            yield from faults(part, schema["items"], f"{where}[]")
        return
    for name in schema["required"]:
        if name not in value:
            yield f"{where} lacks {name}"
    for name, part in schema["properties"].items():
        if name in value:
            yield from faults(value[name], part, f"{where}.{name}")


def references(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every `$ref` of the file."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_it_is_asyncapi_3() -> None:
    """The file says what it is, and every reference in it leads somewhere."""
    assert SPEC["asyncapi"] == "3.0.0"
    for reference in references(SPEC):
        found = SPEC
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


@pytest.mark.parametrize("example", SENT_BY_CLIENTS, ids=lambda key: key[1])
def test_commands_are_decoded(example: tuple[str, str]) -> None:
    """What the file has clients send, the codec takes for the command it means."""
    name, _ = example
    frame = json.dumps(EXAMPLES[example]).encode()

    assert decode(frame) == COMMANDS[name]


@pytest.mark.parametrize("example", SENT_BY_SERVER, ids=lambda key: key[1])
def test_frames_are_encoded(example: tuple[str, str]) -> None:
    """What the file has the server send is, word for word, what the codec writes."""
    frame = NATIVE.encode(OUTBOUND[example[1]])

    assert frame is not None
    text = json.dumps(EXAMPLES[example], separators=(",", ":"), ensure_ascii=False)
    assert frame.endswith(text.encode())
    assert len(frame) - len(text.encode()) in {2, 4}


@pytest.mark.parametrize("example", EXAMPLES, ids=": ".join)
def test_examples_fit_their_schemas(example: tuple[str, str]) -> None:
    """Every example fits the schema beside it."""
    payload = MESSAGES[example[0]]["payload"]

    assert list(faults(EXAMPLES[example], payload, example[0])) == []


def test_schemas_can_fail() -> None:
    """The check of the schemas finds what is wrong."""
    wrong = {"type": "join", "channel": "nowhere", "user": {"id": 1}, "count": True}
    pattern = SPEC["components"]["schemas"]["channel"]["pattern"]

    assert list(faults(wrong, MESSAGES["join"]["payload"], "join")) == [
        f"join.channel does not fit {pattern}",
        "join.user lacks name",
        "join.user.id is no string",
        "join.count is no integer",
    ]


def test_every_value_has_its_example() -> None:
    """Each command and each thing that a session can be told has an example."""
    told = {type(each).__name__ for each in OUTBOUND.values()}
    every = [*re.findall(r"\w+", f"{model.Told} {model.Reply}"), "Gap", "Standing"]

    assert told == set(every)
    assert set(OUTBOUND) == {name for _, name in SENT_BY_SERVER}
    assert {type(each).__name__ for each in COMMANDS.values()} == set(
        re.findall(r"\w+", str(model.Command))
    )


def test_every_route_stands_there() -> None:
    """The file has each route of the native wire, and no other."""
    served = {route.path for route in (*handler.routes(), *either.routes())}

    assert {each["address"] for each in SPEC["channels"].values()} == served
