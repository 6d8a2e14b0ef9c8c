"""How the crowd joins a room of a server, and how it publishes there.

In all texts `%s` stands for the name of a room, and in a publication `~` for what is
said: its stamp and its padding. A room of a gateway of Hubbub is an `open` channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PAYLOAD_BYTES: Final = 100
"""What is said, with the quotes that JSON puts around it."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One protocol as the load generator speaks it (`bench/crowd/main.c`).

    `steps`: what the server is waited for to say, and what is said then. `answer`: a
    frame that is answered at any time, and its answer. `is_stream`: an HTTP response
    that does not end. `speaker`: the WebSocket that speaks in the place of subscribers
    who cannot, of which there are `speakers`. `sources`: from how many addresses they
    come. `has_positions`: events follow each other by their positions, and who comes
    back says where it was. `mark`: what is said in the place of `~`. `value`: a frame
    that holds it tells by its `time` how old it is.
    """

    path: str
    steps: tuple[tuple[str, str], ...]
    publication: str
    answer: tuple[str, str] = ("", "")
    is_stream: bool = False
    speaker: str = ""
    speakers: int = 1
    sources: int = 1
    has_positions: bool = False
    value: str = ""
    mark: str = "~"

    def orders(self, port: int, payload_bytes: int = PAYLOAD_BYTES) -> list[str]:
        """Return the lines that tell the load generator all this."""
        return [
            f"port {port}",
            f"path {self.path}",
            f"stream {self.is_stream:d}",
            *(f"step {expected}\t{said}" for expected, said in self.steps),
            "answer {}\t{}".format(*self.answer),
            f"publish {self.publication}",
            f"speaker {self.speaker}",
            f"speakers {self.speakers}",
            f"sources {self.sources}",
            f"positions {self.has_positions:d}",
            f"value {self.value}",
            f"mark {self.mark}",
            # Without the two quotes and the mark.
            f"pad {payload_bytes - 3}",
        ]


BARE: Final = Wire("/ws/open/%s", (('{"type":"reply"', ""),), '"~"')
"""A path is a room; what is said there goes to all as it is."""

LONG: Final = Wire(BARE.path, BARE.steps, f'"~{"." * 170}"')
"""As long as what Hubbub's native wire makes of the same: who, where, when."""

NATIVE: Final = Wire(BARE.path, BARE.steps, '{"type":"publish","data":"~"}')
"""Hubbub's own: docs/reference/native-wire.md."""

CHAT: Final = Wire(
    "/ws/chat/%s",
    BARE.steps,
    '{"type":"publish","id":##########,"channel":"chat:%s","data":"~"}',
    speaker="/ws",
    has_positions=True,
    mark="^",
)
"""Who speaks has a WebSocket of its own, and is answered; the others listen.

Chat is Markdown, in which `~` means something: what is said here is plain text.
"""

MARKET: Final = Wire("/ws/ticker", BARE.steps, "~", value='"event":"quote"')
"""The whole board; nobody but the market speaks."""

SSE: Final = Wire(
    "/sse/open:%s",
    (("event: subscribed", ""),),
    '{"type":"publish","channel":"open:%s","data":"~"}',
    is_stream=True,
    speaker="/ws",
)
"""Hubbub's streams; who speaks has a WebSocket."""

_ENGINE_PATH = "/socket.io/?EIO=4&transport=websocket"
_ENGINE_STEPS = (("0{", "40"), ("40", '420["join","%s"]'), ("430", ""))

SOCKETIO: Final = Wire(
    _ENGINE_PATH, _ENGINE_STEPS, '42["message","%s","~"]', answer=("2", "3")
)
"""Socket.IO 5 over WebSocket alone: join a room, say something there."""

HUBBUB_SOCKETIO: Final = Wire(
    _ENGINE_PATH,
    _ENGINE_STEPS,
    '42["message",{"channel":"%s","data":"~"}]',
    answer=("2", "3"),
)
"""The same in the words of Hubbub's gateway."""
