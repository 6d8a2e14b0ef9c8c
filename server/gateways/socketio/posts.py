"""The POSTs of long-polling: each brings a payload of packets.

Rules:
1. One at a time; a second one ends the session.
2. A payload is read to its last byte before anything of it counts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import hdrs, web

from ... import observability
from ...errors import FLOODED
from ..flood import Allowance
from . import engine
from .bodies import read_whole, refusal
from .engine import Fault, NotAPacket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...settings import Settings
    from .engine import Packet

PAYLOADS_AT_WORK: Final = 8
"""So many payloads of one client may be under way: several only in an upgrade."""

_BYTES: Final = "application/octet-stream"


class Posted(Protocol):
    """What POSTs need of their connection."""

    hub: Hub
    settings: Settings
    session: Session

    async def take(self, packets: Iterable[Packet]) -> bool:
        """Carry out packets; False: not all of them. Raises `NotAPacket`."""

    def fail(self) -> None:
        """End it because of what its client did."""


class Posts:
    """What comes by POST to one session. `broke` is called where one breaks."""

    def __init__(self, connection: Posted, broke: Callable[[], None]) -> None:
        self._connection = connection
        self._broke = broke
        self.request: web.Request | None = None
        """The one that waits for its answer."""
        self.is_hurried = False
        self._taken: asyncio.Future[bool] | None = None
        self._at_work = 0
        frames_per_s = connection.settings.frames_per_s
        self._allowance = Allowance(frames_per_s) if frames_per_s else None

    async def post(self, request: web.Request) -> web.StreamResponse:
        """Take a payload; answered when all of it was carried out."""
        if self.request is not None:
            self._connection.fail()
            return refusal(Fault.BAD_REQUEST)
        self.request = request
        token = observability.session_id.set(self._connection.session.id)
        answer = None
        try:
            answer = await self._take(request)
        except (ConnectionError, web.RequestPayloadError):
            return refusal(Fault.BAD_REQUEST)
        finally:
            observability.session_id.reset(token)
            self.request = None
            if answer is None:
                # It broke: cancelled, where the server cancels such handlers.
                self._broke()
        return answer

    async def _take(self, request: web.Request) -> web.Response:
        most = self._connection.settings.max_frame_bytes
        body = await read_whole(request, most)
        if body is None:
            text = f"A payload has at most {most} bytes (maxPayload).\n"
            return web.Response(status=413, text=text)
        if request.headers.get(hdrs.CONTENT_TYPE, "").startswith(_BYTES):
            # The way of protocol 3; in 4 bytes travel as base64 among the text.
            body = b""
        whole = await self._carried_out(body)
        return web.Response(text="ok") if whole else refusal(Fault.BAD_REQUEST)

    async def _carried_out(self, body: bytes) -> bool:
        """Carry out a payload; return whether all of it was, or may still be.

        During an upgrade nobody waits for that: a client that is about to change sends
        no GET until its POST is answered, and what it said may wait for a GET.
        """
        if self._at_work >= PAYLOADS_AT_WORK or self._connection.hub.stopping:
            self._connection.fail()
            return False
        self._taken = asyncio.get_running_loop().create_future()
        self._at_work += 1
        work = self._carry_out(body, self._taken)
        self._connection.hub.tasks.spawn(work, "long-polling-post")
        self.hurry()
        return await self._taken

    async def _carry_out(self, body: bytes, taken: asyncio.Future[bool]) -> None:
        whole = False
        try:
            packets = engine.decode_payload(body)
            whole = await self._connection.take(self._counted(packets))
        except NotAPacket:
            self._connection.fail()
        finally:
            self._at_work -= 1
            if not taken.done():
                taken.set_result(whole)

    def _counted(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield packets; one too many of them ends the session, as frames do."""
        for packet in packets:
            if self._allowance is not None and not self._allowance.take():
                self._connection.session.close(FLOODED)
            yield packet

    def hurry(self) -> None:
        """Answer the one that waits, if it is hurried: its payload is under way."""
        if self.is_hurried and self._taken is not None and not self._taken.done():
            self._taken.set_result(True)
