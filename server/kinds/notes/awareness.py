"""Who is in a note, and where: Yjs awareness as a retained signal.

A client brings its state; the server says whose it is, because nobody names themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import BAD_REQUEST, Refusal
from ...model import SERVER, Signal

if TYPE_CHECKING:
    from ...model import JSON, Event, Principal

EVENT = "awareness"
_LARGEST_CLIENT_ID = 2**53 - 1


def awareness_signal(who: Principal, channel: str, event: Event, now_ms: int) -> Signal:
    """Return the signal that follows from `{client, clock, state}`.

    A state of None means that the client left. Raises `Refusal` (bad request).
    """
    content = event.content
    if event.name != EVENT or not isinstance(content, dict):
        raise Refusal(BAD_REQUEST.because("notes know the signal awareness"))
    client, clock, state = (content.get(k) for k in ("client", "clock", "state"))
    if (
        type(client) is not int
        or type(clock) is not int
        or not 0 <= client <= _LARGEST_CLIENT_ID
        or not 0 <= clock <= _LARGEST_CLIENT_ID
        or not isinstance(state, dict | None)
    ):
        raise Refusal(BAD_REQUEST.because("not an awareness state"))
    return Signal(
        channel,
        EVENT,
        {"client": client, "clock": clock, "state": _signed(state, who)},
        None if who is SERVER else who,
        now_ms,
        str(client),
        retained=True,
        fell=state is None,
    )


def _signed(state: JSON, who: Principal) -> JSON:
    """Put the name of the one who is there into a state."""
    if not isinstance(state, dict):
        return None
    user = state.get("user")
    look = dict(user) if isinstance(user, dict) else {}
    return {**state, "user": {**look, "id": who.id, "name": who.name}}
