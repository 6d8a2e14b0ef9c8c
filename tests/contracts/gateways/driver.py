"""What the suite asks of a client of any gateway.

A driver holds what it was told, as an application would: `lines`, in the order of the
channel. So each promise can be put as: what it holds is what was said. It reads only
when it is told to, and its words are its own: it shares no codec with the server.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_S = 5.0
"""What takes longer will not come."""

REST_S = 0.03
"""What is on its way between two sockets of one machine has come by then."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended: the wire's code, 0 where none was told.

    `returns` is what a stock client of this wire makes of it: whether it comes back.
    """

    code: int
    returns: bool


@dataclass(frozen=True, slots=True)
class Words:
    """A refusal in the wire's own words."""

    code: int
    message: str


class Refused(Exception):
    """A command was answered with an error; `words` are the answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.words = Words(code, message)


class Gone(Exception):
    """The connection has ended."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended)
        self.ended = ended


class Driver(ABC):
    """One client. `channel` is the room in which a promise is looked at."""

    CHANNEL: ClassVar[str] = "room:one"
    NAMESPACES: ClassVar = False
    """Whether a kind must be connected to before its channels can be asked for."""
    TELLS_GAPS: ClassVar = True
    """Whether the wire has words for signals that did not come."""
    POISON: ClassVar[Mapping[str, bytes]]
    """What must not reach anybody, by what is wrong with it."""

    def __init__(self, port: int, who: str, receive_bytes: int | None = None) -> None:
        self.port = port
        self.who = who
        self.receive_bytes = receive_bytes
        self.channel = self.CHANNEL
        self.position = ""
        self.signals: list[str] = []
        self.missed_signals = 0
        self.mute = False
        """Whether it answers no pings."""

    @property
    @abstractmethod
    def lines(self) -> list[str]:
        """What it was told in its channel, in order; never twice by its own doing."""

    @abstractmethod
    async def join(self, channel: str | None = None, since: str | None = None) -> bool:
        """Connect if it is not, and join; say whether the past was recovered.

        `channel` None: its own. Raises `Refused`.
        """

    @abstractmethod
    async def come_back(self) -> bool:
        """Connect anew and resume as a stock client of this wire does."""

    @abstractmethod
    async def say(self, text: str, key: str | None = None) -> str:
        """Say something and wait until it is acknowledged; return its position.

        Empty where the wire tells none. Raises `Refused` and `Gone`.
        """

    @abstractmethod
    async def say_poison(self, poison: bytes) -> None:
        """Say what must not reach anybody; raises `Refused` or `Gone`."""

    @abstractmethod
    async def take(self) -> None:
        """Take in the next thing that comes; raises `Gone`."""

    @abstractmethod
    def cut(self) -> None:
        """Drop the connection without a word."""

    async def reads_to(self, text: str) -> list[str]:
        """Take in what comes up to this line; return all lines."""
        async with asyncio.timeout(ANSWER_S):
            while text not in self.lines:
                await self.take()
        return self.lines

    async def hears(self, signal: str) -> None:
        """Take in what comes up to this signal."""
        async with asyncio.timeout(ANSWER_S):
            while signal not in self.signals:
                await self.take()

    async def rests(self) -> None:
        """Take in what is there, and go on listening (a poll is under way)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                while True:
                    await self.take()

    async def ended(self) -> Ended:
        """Take in what comes up to the end; say how it was told to go."""
        async with asyncio.timeout(ANSWER_S):
            while True:
                try:
                    await self.take()
                except Gone as gone:
                    return gone.ended
