"""What the clients of all JSON wires do with the objects that they are told."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, TypeAlias

from tests.contracts.gateways.driver import Driver, Refused

Words: TypeAlias = "dict[str, object]"

DEPTH_33 = b"[" * 33 + b"]" * 33


class JsonDriver(Driver):
    """Holds the lines of a room, or the text of a note as JSON wires show it."""

    POISON: ClassVar = {
        "NaN": b"NaN",
        "an infinity": b"-Infinity",
        "a lone surrogate": b'"\\ud800"',
        "U+0000": b'{"a":"\\u0000"}',
        "depth 33": DEPTH_33,
        "a huge integer": b"9223372036854775808",
        "no UTF-8": b'"\xff\xfe"',
    }

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        super().__init__(port, who, receive_bytes)
        self._lines: list[str] = []
        self._note = ""
        self.here: list[tuple[str, str]] = []
        """Who came and went, in order: ("join", user id)."""
        self.resets = 0

    @abstractmethod
    async def hear(self) -> Words:
        """Return the next object of the native wire that it is told; raises `Gone`."""

    @property
    def lines(self) -> list[str]:
        """See `Driver.lines`."""
        if self.channel.startswith("notes:"):
            return self._note.splitlines()[::-1]
        return list(self._lines)

    async def take(self) -> None:
        """See `Driver.take`."""
        await self.hear_and_note()

    async def hear_and_note(self) -> Words:
        """Take in the next thing, and return it."""
        words = await self.hear()
        self.note(words)
        return words

    def note(self, words: Words) -> None:
        """Take in what it was told of its own channel."""
        if words.get("channel", self.channel) != self.channel:
            return
        match words["type"]:
            case "event" if "position" in words:
                self._hold(words)
            case "event":
                self.signals.append(_signal(words["data"]))
            case "gap":
                self.missed_signals += _int(words["skipped"]) + _int(words["merged"])
            case "join" | "leave":
                user = words["user"]
                assert isinstance(user, dict)
                self.here.append((str(words["type"]), user["id"]))
            case "reset":
                self.resets += 1

    def begin(self, reply: Words) -> bool:
        """Take in the reply to a subscribe; say whether the past was recovered."""
        recovered = reply["recovered"] is True
        if not recovered:
            # What it had is stale.
            self._lines.clear()
            state = reply.get("state")
            self._note = str(state["text"]) if isinstance(state, dict) else ""
        past = reply.get("publications", [])
        assert isinstance(past, list)
        for each in past:
            self._hold(each)
        self.position = str(reply["position"])
        return recovered

    def _hold(self, publication: Words) -> None:
        self.position = str(publication["position"])
        content = publication["data"]
        if not self.channel.startswith("notes:"):
            self._lines.append(str(content))
            return
        assert isinstance(content, dict)
        # They count in the text before them, so the last one first.
        for at, deleted, text in reversed(content["changes"]):
            self._note = self._note[:at] + text + self._note[at + deleted :]


def event_of(channel: str, text: str, key: str | None) -> Words:
    """Return the fields of a publish command that says a line."""
    words: Words = {"data": text}
    if channel.startswith("notes:"):
        words = {"event": "insert", "data": {"at": 0, "text": f"{text}\n"}}
    return words if key is None else words | {"key": key}


def answer(words: Words) -> Words:
    """Return a reply; raise `Refused` for an error."""
    if words["type"] == "error":
        raise Refused(_int(words["code"]), str(words["message"]))
    assert words["type"] == "reply", words
    return words


def _signal(content: object) -> str:
    """Return a signal's text: of a note's presence, what its state says."""
    if isinstance(content, dict):
        content = content["state"]["text"]
    return str(content)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
