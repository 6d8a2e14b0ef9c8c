"""A reader at the level of TCP: it reads only when told to, and takes nothing amiss.

It reads the format of the HTML standard, section 9.2.6, in its own words: not by the
code that writes it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.gateways.tcp import Tcp

if TYPE_CHECKING:
    import socket


@dataclass(frozen=True)
class Heard:
    """One event, and the last id after it; `id_line` None: it brought none."""

    type: str
    data: str
    last_id: str
    id_line: str | None

    @property
    def words(self) -> dict[str, Any]:
        """The data as an object."""
        found: dict[str, Any] = json.loads(self.data)
        return found


class RawReader(Tcp):
    """One request, its answer's head, and the events of its body as they come."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._body = b""
        self._chunked = False
        self._ended = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.retries: list[int] = []
        self.comments = 0
        self.last_id = ""
        self._type = "message"
        self._data: list[str] = []
        self._id_line: str | None = None

    @classmethod
    async def open(
        cls,
        port: int,
        line: str,
        headers: dict[str, str],
        *,
        receive_bytes: int | None = None,
        more: bytes = b"",
    ) -> RawReader:
        """Send a request; `more` goes with it. For `receive_bytes` see `dial`."""
        reader = await cls.dial(port, receive_bytes)
        fields = {"Host": f"127.0.0.1:{port}", **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await reader.ask(f"{line}\r\n{head}\r\n".encode() + more)
        return reader

    async def ask(self, request: bytes) -> None:
        """Send a request, and read the head of its answer."""
        await self.pour(request)
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        for line in lines:
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self._chunked = self.headers.get("transfer-encoding") == "chunked"

    async def hear(self) -> Heard:
        """Return the next event; raise EOFError at the end of the body."""
        async with asyncio.timeout(10):
            while (heard := self._line(await self._next_line())) is None:
                pass
        return heard

    async def _next_line(self) -> str:
        while b"\n" not in self._body:
            await self._fill()
        line, _, self._body = self._body.partition(b"\n")
        return line.decode()

    async def hear_of(self, kind: str) -> Heard:
        """Return the next event of one type, passing over others."""
        while (heard := await self.hear()).type != kind:
            pass
        return heard

    async def beat(self) -> None:
        """Read until there is a comment more; fail where an event comes before."""
        async with asyncio.timeout(10):
            before = self.comments
            while self.comments == before:
                assert self._line(await self._next_line()) is None

    async def rest(self) -> list[Heard]:
        """Return all events to the end of the body."""
        heard = []
        try:
            while True:
                heard.append(await self.hear())
        except EOFError:
            return heard

    async def body(self) -> bytes:
        """Return the body of an answer that is no stream."""
        if "content-length" in self.headers:
            length = int(self.headers["content-length"])
            while len(self._read) < length:
                await self._more()
            return self._read[:length]
        try:
            while True:
                await self._fill()
        except EOFError:
            return self._body

    async def end(self) -> bytes:
        """Read until the connection ends; return what was behind the body."""
        try:
            async with asyncio.timeout(10):
                while True:
                    await self._more()
        except EOFError:
            return self._read

    def _line(self, line: str) -> Heard | None:
        """Take a line; return the event that it ends."""
        name, colon, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if colon:
                self.comments += 1
            case "":
                return self._dispatch()
            case "id":
                self._id_line = value
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "retry":
                self.retries.append(int(value))
            case _:
                raise AssertionError(line)
        return None

    def _dispatch(self) -> Heard:
        assert self._data, "some readers take an empty line alone for an event"
        if self._id_line is not None:
            self.last_id = self._id_line
        heard = Heard(self._type, "\n".join(self._data), self.last_id, self._id_line)
        self._type, self._id_line, self._data = "message", None, []
        return heard

    async def _fill(self) -> None:
        """Read more of the body."""
        if not self._chunked:
            if not self._read:
                await self._more()
            self._body, self._read = self._body + self._read, b""
            return
        if self._ended:
            raise EOFError
        while b"\r\n" not in self._read:
            await self._more()
        line, _, rest = self._read.partition(b"\r\n")
        length = int(line, 16)
        while len(rest) < length + 2:
            await self._more()
            rest = self._read.partition(b"\r\n")[2]
        assert rest[length : length + 2] == b"\r\n"
        self._body += rest[:length]
        self._read = rest[length + 2 :]
        if length == 0:
            self._ended = True
            raise EOFError

    async def _more(self) -> None:
        try:
            await super()._more()
        except ConnectionResetError:
            raise EOFError from None
