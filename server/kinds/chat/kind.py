"""Chat's rules: what may be said in a room, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal
from ...model import Signal, split_channel
from ...seams.kind import Follows, Keep, Policy, Refused, Say, from_history
from .markup import Markup
from .rows import RoomTouched, preview

if TYPE_CHECKING:
    from ...model import (
        Action,
        Event,
        Position,
        Principal,
        Publication,
        Since,
    )
    from ...runtime.clock import Clock
    from ...seams.kind import Accepted, CatchUp
    from ...seams.log import Log

MAX_MESSAGE_CHARS = 4_000
SHOWN_AT_FIRST = 50


class ChatKind:
    """Rooms that anyone may open by speaking in them. Keeps no state of its own."""

    policy = Policy(keep=Keep.DURABLE, history_size=1_000, recent=SHOWN_AT_FIRST)

    def __init__(self, clock: Clock, markup: Markup | None = None) -> None:
        self._clock = clock
        self._markup = markup or Markup()

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Let everybody do everything, in rooms whose names can be."""
        name = split_channel(channel)[1]
        if name != name.lower():
            raise Refusal(UNKNOWN_CHANNEL)

    async def load(self, channel: str, log: Log) -> Position:
        """See `Kind.load`."""
        return await log.top(channel)

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take a `message` with its `text`, or the signal `typing`."""
        if event.signal:
            return self._typing(who, channel, event)
        if event.name != "message":
            return Refused(BAD_REQUEST.because("chat knows the event message"))
        text = _text(event)
        if text is None:
            return Refused(BAD_REQUEST.because("data must be a text or have one"))
        if not text.strip():
            return Refused(BAD_REQUEST.because("an empty message"))
        if len(text) > MAX_MESSAGE_CHARS:
            most = f"a message has at most {MAX_MESSAGE_CHARS} characters"
            return Refused(BAD_REQUEST.because(most))
        say = Say(channel, "message", {"text": text, "html": self._markup.render(text)})
        touched = RoomTouched(
            channel,
            split_channel(channel)[1],
            preview(text),
            who.name,
            self._clock.now_ms(),
        )
        return Follows(says=(say,), changes=(touched,))

    def _typing(self, who: Principal, channel: str, event: Event) -> Accepted:
        if event.name != "typing":
            return Refused(BAD_REQUEST.because("chat knows the signal typing"))
        # The key is the user, so that nobody can replace another's.
        signal = Signal(
            channel, "typing", {"typing": True}, who, self._clock.now_ms(), who.id
        )
        return Follows(signals=(signal,))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """See `Kind.catch_up`."""
        return await from_history(self.policy, channel, since, log)

    def fold(self, publication: Publication) -> Publication:
        """Keep no state."""
        return publication

    def retract(self, channel: str) -> None:
        """Keep nothing that was not kept."""

    def forget(self, channel: str) -> None:
        """Keep no state."""


def _text(event: Event) -> str | None:
    content = event.content
    if isinstance(content, dict):
        content = content.get("text")
    return content if isinstance(content, str) else None
