"""`POST /sse/{channel}`: say something in a channel, for whoever reads by a stream.

It is answered when it is kept as the channel's kind promises.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ...errors import BAD_REQUEST, LIMIT_EXCEEDED, Refusal
from ...hub.session import Session
from ...keys import HUB, PRINCIPAL, SETTINGS
from ...model import Done, Failed, Publish, Published, split_channel
from ..commands import Rejected, command_of
from ..door import decode_json
from ..words import words_of
from .answers import answer, error_of, refuse
from .codec import PLAIN

if TYPE_CHECKING:
    from aiohttp import StreamReader

    from ...errors import Disconnect
    from ...hub.hub import Hub
    from ...model import JSON, Principal
    from ..words import Words

_ID = 1
"""Answers are of the native wire, where only a command with an id has one."""
_TAKEN = ("event", "data", "key")
READ_BYTES: Final = 16 * 1024
BODY_TIMEOUT_S: Final = 30.0
"""A body that takes longer is not waited for."""


class _Nowhere:
    """The wire of a call: its session is in no channel, and nothing is told to it.

    So the hub refuses a signal that would have to fall when its session ends.
    """

    def room(self) -> int:
        """See `Wire.room`."""
        return 0

    def write(self, chunk: bytes) -> None:
        """See `Wire.write`."""

    def offer(self, chunk: bytes) -> bool:
        """See `Wire.offer`."""
        return False

    async def writable(self) -> None:
        """See `Wire.writable`."""
        raise ConnectionResetError

    def close(self, disconnect: Disconnect) -> None:
        """See `Wire.close`."""


async def post(request: web.Request) -> web.StreamResponse:
    """Carry out the publish or signal that the body describes."""
    channel = request.match_info["channel"]
    hub, largest_bytes = request.app[HUB], request.app[SETTINGS].max_frame_bytes
    # A form of another page cannot send this content type without asking first.
    if request.content_type != "application/json":
        error = BAD_REQUEST.because("Content-Type must be application/json")
        return refuse(Failed(None, channel, error), 415)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _read(request.content, largest_bytes)
    except (OSError, web.RequestPayloadError):
        error = BAD_REQUEST.because("the body did not come whole")
        return _hang_up(refuse(Failed(None, channel, error)))
    if body is None:
        error = LIMIT_EXCEEDED.because(f"a body has at most {largest_bytes} bytes")
        return _hang_up(refuse(Failed(None, channel, error)))
    try:
        said = await _say(hub, request[PRINCIPAL], _command(body, channel))
    except Rejected as rejected:
        return refuse(rejected.failed)
    words = words_of(said) or {}
    words.pop("id", None)
    return answer(words) if not isinstance(said, Failed) else refuse(said)


def _hang_up(response: web.Response) -> web.Response:
    # What is left of the body would be read as the next request.
    response.force_close()
    return response


async def _read(content: StreamReader, largest_bytes: int) -> bytes | None:
    """Return the body; None where it is larger."""
    body = bytearray()
    while not content.at_eof():
        body += await content.read(READ_BYTES)
        if len(body) > largest_bytes:
            return None
    return bytes(body)


def _command(body: bytes, channel: str) -> Publish:
    """Return the command of a body; raises `Rejected`."""
    try:
        split_channel(channel)
        found = decode_json(body)
    except Refusal as refusal:
        raise Rejected(Failed(None, channel, refusal.error)) from None
    command = command_of(_typed(found, channel))
    if not isinstance(command, Publish):
        raise TypeError(command)
    return command


def _typed(found: JSON, channel: str) -> JSON:
    """Return a body as the native wire would have it; what is no object as it is."""
    if not isinstance(found, dict):
        return found
    signal = found.get("signal", False)
    if not isinstance(signal, bool):
        error = BAD_REQUEST.because("signal must be true or false")
        raise Rejected(Failed(None, channel, error))
    kind = "signal" if signal else "publish"
    words: Words = {"type": kind, "channel": channel, "id": _ID}
    return words | {name: found[name] for name in _TAKEN if name in found}


async def _say(hub: Hub, who: Principal, command: Publish) -> Published | Done | Failed:
    """Publish or signal it; return the answer."""
    channel, event = command.channel, command.event
    try:
        if event.signal:
            nowhere = Session(hub, who, PLAIN.name, PLAIN, _Nowhere())
            await hub.signal(who, channel, event, nowhere)
            return Done(_ID, channel)
        kept = await hub.submit(who, channel, event)
        position = hub.judge(await kept)
    except Exception as fault:  # noqa: BLE001 - `error_of` logs what is a bug
        error = error_of(fault)
        hub.stats.refused[error.code] += 1
        return Failed(None, channel, error, event.key)
    return Published(_ID, channel, position, hub.is_durable(channel), event.key)
