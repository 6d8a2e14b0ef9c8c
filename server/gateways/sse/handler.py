"""The routes of event streams: `GET /sse/{channel}` follows, `POST` says something.

What can never be is refused before the stream begins, with the status of an error: an
EventSource does not come back from that. What is temporary is told on the stream, which
then ends, because a browser that got an error instead would never try again.
"""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11, hdrs, web

from ...errors import (
    BAD_REQUEST,
    DENIED,
    LIMIT_EXCEEDED,
    SERVER_ERROR,
    UNAVAILABLE,
    Refusal,
)
from ...keys import HUB, PRINCIPAL, SETTINGS
from ...model import Action, Failed, Position, Subscribe, split_channel
from ..admission import FULL, RETRY_AFTER_S, is_full
from ..places import MAX_PLACES, read_places
from ..takeover import Endless
from .answers import error_of, refuse
from .codec import CHUNKED, PLAIN, PlacesCodec, closing_lines, retry_line
from .posting import post
from .stream import TEMPORARY_RETRY_MS, Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ...errors import ReplyError
    from ...hub.hub import Hub
    from ...hub.session import Session
    from ...model import Principal
    from .codec import SseCodec
    from .stream import Draw

_chance = SystemRandom()
LAST_EVENT_ID: Final = "Last-Event-ID"
HEADERS: Final = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store, no-transform",
    # nginx would gather events into pages of 4 KB.
    "X-Accel-Buffering": "no",
}


def follow(draw: Draw) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of `GET /sse/{channel}`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        hub = request.app[HUB]
        try:
            wanted = wanted_of(request, hub.limits.subscriptions)
        except Refusal as refusal:
            return refuse(Failed(None, None, refusal.error))
        is_head = request.method == hdrs.METH_HEAD
        if not is_head and is_full(hub, request.app[SETTINGS]):
            return _turned_away(wanted[0].channel, draw)
        failed = await _refusal_of(hub, request[PRINCIPAL], wanted)
        if failed is not None and not _may_pass(failed.error):
            return refuse(failed)
        if is_head:
            response = web.StreamResponse(headers=HEADERS)
            response.force_close()
            return response
        return await _serve(request, draw, wanted, failed)

    return handle


def wanted_of(request: web.Request, most: int) -> tuple[Subscribe, ...]:
    """Return what a request asks to follow; `most`: so many channels at once.

    Raises `Refusal` for what can never be.
    """
    query = request.query
    channels = [request.match_info["channel"], *query.getall("channel", [])]
    most = min(most, MAX_PLACES)
    if len(channels) > most:
        raise Refusal(BAD_REQUEST.because(f"more than {most} channels"))
    if len(set(channels)) < len(channels):
        raise Refusal(BAD_REQUEST.because("a channel stands there twice"))
    for channel in channels:
        split_channel(channel)
    text = request.headers.get(LAST_EVENT_ID) or query.get("since") or ""
    places = _places(text, channels)
    presence = query.get("presence") == "1"
    return tuple(
        Subscribe(None, channel, places.get(channel), presence) for channel in channels
    )


def _places(text: str, channels: Sequence[str]) -> dict[str, Position]:
    if text and len(channels) == 1 and "=" not in text:
        return {channels[0]: Position.parse(text)}
    # Places in other channels are of no use here, and no harm: who followed more before
    # may come back for less.
    places = read_places(text)
    return {channel: places[channel] for channel in channels if channel in places}


async def _refusal_of(
    hub: Hub, who: Principal, wanted: Sequence[Subscribe]
) -> Failed | None:
    """Return why one of them would be refused, and so all; None where none would."""
    for each in wanted:
        try:
            async with hub.registry.entered(who, each.channel, Action.SUBSCRIBE):
                continue
        except Exception as fault:  # noqa: BLE001 - `error_of` logs what is a bug
            error = error_of(fault)
            hub.stats.refused[error.code] += 1
            return Failed(None, each.channel, error)
    return None


def _may_pass(error: ReplyError) -> bool:
    # Too many channels on this server, which are fewer later.
    return error.temporary or error.code == LIMIT_EXCEEDED.code


def _turned_away(channel: str, draw: Draw) -> web.Response:
    """Return a stream that says when to come back, and nothing else."""
    failed = Failed(None, channel, UNAVAILABLE.because(FULL))
    first_ms, last_ms = (1_000 * seconds for seconds in RETRY_AFTER_S)
    lines = retry_line(draw(first_ms, last_ms)) + (PLAIN.encode(failed) or b"")
    body = lines + closing_lines(SERVER_ERROR)
    response = web.Response(body=body, headers=HEADERS)
    response.force_close()
    return response


async def _serve(
    request: web.Request, draw: Draw, wanted: Sequence[Subscribe], failed: Failed | None
) -> web.StreamResponse:
    """Begin the stream; a refusal ends it at once."""
    hub, settings = request.app[HUB], request.app[SETTINGS]
    response = Endless(headers=HEADERS)
    response.force_close()
    codec = _codec(wanted, chunked=request.version >= HttpVersion11)
    try:
        await response.prepare(request)
        stream = Stream(request, hub, settings, codec=codec, draw=draw)
    except ConnectionError:
        # Cut before it has begun: nobody is there to be told, or to log.
        raise web.HTTPBadRequest from None
    session = hub.open_session(request[PRINCIPAL], "sse", codec, stream)

    async def join() -> None:
        error = await _begin(session, wanted, failed)
        if error is not None:
            stream.pace(TEMPORARY_RETRY_MS)
            session.close(SERVER_ERROR if _may_pass(error) else DENIED)

    stream.serve(session, join)
    return response


async def _begin(
    session: Session, wanted: Sequence[Subscribe], failed: Failed | None
) -> ReplyError | None:
    """Join all channels; return why one was refused, which has been told then."""
    if failed is not None:
        session.tell(failed)
        return failed.error
    for each in wanted:
        error = await session.dispatch(each)
        if error is not None or session.closed:
            return error
    return None


def _codec(wanted: Sequence[Subscribe], *, chunked: bool) -> SseCodec:
    if len(wanted) < 2:  # noqa: PLR2004 - many begin at two
        return CHUNKED if chunked else PLAIN
    places = {
        each.channel: each.since for each in wanted if isinstance(each.since, Position)
    }
    return PlacesCodec(places, chunked=chunked)


def routes(draw: Draw = _chance.randint) -> list[web.RouteDef]:
    """Return the routes of this gateway; `draw` spreads what comes back.

    Pages of other origins need them both: add them with `gate.open_to_origins`.
    """
    return [
        web.get("/sse/{channel}", follow(draw)),
        web.post("/sse/{channel}", post),
    ]
