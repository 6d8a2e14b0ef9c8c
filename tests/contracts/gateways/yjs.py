"""The y-websocket protocol, by pycrdt's own words for it.

A line is a line of the note's text; a client's place is its document, and what it says
when it comes back is the document's state vector.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, ClassVar

import pycrdt

from tests.contracts.gateways.driver import ANSWER_S, Driver, Ended, Gone, Refused
from tests.contracts.gateways.websocket import Closed, WebSocket
from tests.kinds.notes.typist import update_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SYNC, _AWARENESS, _DENIED, _SAVE = 0, 1, 2, 102


def presence(client: int, clock: int, state: bytes) -> bytes:
    """Return an awareness message of one client, with its state as it is."""
    head = map(pycrdt.write_var_uint, (1, client, clock))
    entry = b"".join(head) + pycrdt.write_message(state)
    return pycrdt.create_awareness_message(entry)


class Yjs(Driver):
    """`/ws/notes/{name}`, in binary frames."""

    CHANNEL = "notes:one"
    TELLS_GAPS = False
    POISON: ClassVar = {
        "no update": pycrdt.create_update_message(b"\x01\x02"),
        "an update and something": pycrdt.create_update_message(b"\0\0\0"),
        "a huge number": bytes((_SYNC, 0)) + b"\x06\xff\xff\xff\xff\x03\x01",
        "no message": b"\x09",
        **{
            f"presence with {name}": presence(5, 1, state)
            for name, state in {
                "NaN": b'{"a":NaN}',
                "a lone surrogate": b'{"a":"\\ud800"}',
                "U+0000": b'{"a":"\\u0000"}',
                "depth 33": b'{"a":' * 33 + b"1" + b"}" * 33,
                "a huge integer": b'{"a":1%s}' % (b"0" * 400),
                "no UTF-8": b'{"a":"\xff"}',
            }.items()
        },
    }

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        super().__init__(port, who, receive_bytes)
        self._ws = WebSocket(self)
        self._doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
        self._text = self._doc.get("content", type=pycrdt.Text)
        self._denied = ""
        self._is_synced = False
        self._saves = self._saved = 0

    @property
    def lines(self) -> list[str]:
        """See `Driver.lines`."""
        return str(self._text).splitlines()[::-1]

    async def join(self, channel: str | None = None, since: str | None = None) -> bool:
        """See `Driver.join`; what it has is said by its document, not by `since`."""
        name = (channel or self.channel).partition(":")[2]
        if not self._ws.is_open:
            await self._ws.open(f"/live/ws/notes/{name}?as={self.who}")
        self._is_synced = False
        await self._send(pycrdt.create_sync_message(self._doc))
        await self._until(lambda: self._is_synced)
        return True

    async def come_back(self) -> bool:
        """See `Driver.come_back`."""
        self.cut()
        return await self.join()

    async def say(self, text: str, key: str | None = None) -> str:
        """See `Driver.say`; an edit needs no key, it is the same edit when sent again.

        What it holds already, it only waits for: it was sent when it came back.
        """
        if text not in self.lines:
            await self._send(pycrdt.create_update_message(self._insert(text)))
        self._saves += 1
        await self._send(bytes((_SAVE,)) + pycrdt.write_var_uint(self._saves))
        await self._until(lambda: self._saved == self._saves)
        return ""

    async def say_poison(self, poison: bytes) -> None:
        """See `Driver.say_poison`."""
        await self._send(poison)
        await self._until(lambda: False)

    async def take(self) -> None:
        """See `Driver.take`."""
        try:
            message = await self._ws.receive()
        except Closed as closed:
            raise Gone(self._ended(closed.code)) from None
        kind, rest = message[0], message[1:]
        if kind == _SYNC:
            await self._synchronise(rest)
        elif kind == _AWARENESS:
            self._look(pycrdt.read_message(rest))
        elif kind == _DENIED:
            self._denied = pycrdt.Decoder(rest[1:]).read_var_string()
        elif kind == _SAVE:
            self._saved = pycrdt.Decoder(rest).read_var_uint()

    def cut(self) -> None:
        """See `Driver.cut`."""
        self._ws.cut()

    @staticmethod
    def _ended(code: int) -> Ended:
        """Say how it was told to go; y-websocket stays away for 4400-4499."""
        return Ended(code, not 4400 <= code < 4500)

    def _insert(self, text: str) -> bytes:
        return update_of(self._doc, lambda: self._text.insert(0, f"{text}\n"))

    async def _synchronise(self, message: bytes) -> None:
        reply = pycrdt.handle_sync_message(message, self._doc)
        if reply is not None:
            await self._send(reply)
        # The server asks in turn, behind its own answer: then both have all.
        self._is_synced = self._is_synced or reply is not None

    def _look(self, entries: bytes) -> None:
        decoder = pycrdt.Decoder(entries)
        for _ in range(decoder.read_var_uint()):
            decoder.read_var_uint(), decoder.read_var_uint()
            state = json.loads(decoder.read_var_string())
            if state is not None and "text" in state:
                self.signals.append(state["text"])

    async def _send(self, message: bytes) -> None:
        try:
            await self._ws.send_binary(message)
        except Closed as closed:
            raise Gone(self._ended(closed.code)) from None

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Take in what comes until something holds; raises `Refused` and `Gone`."""
        async with asyncio.timeout(ANSWER_S):
            while not holds():
                try:
                    await self.take()
                except Gone as gone:
                    if self._denied:
                        raise Refused(gone.ended.code, self._denied) from None
                    raise
