"""Connection state recovery, as the stock client asks for it; without state here.

A client keeps two strings and says them when it comes back: its private id (`pid`) and
the place that came last. The private id is signed, so that nobody makes up another's;
the place need not be, for it is asked anew who may read what.

Rules:
1. A private id holds for the user that it names, in its namespace. Who comes without
   cookies and is not known to the host application would be somebody new with each
   connection: by the private id that they were given they are who they were. That of
   one who has a cookie is worth nothing without it.
2. All rooms of a place can be resumed, or nothing is.
3. A client that was told it is not recovered keeps the old place until another comes,
   with the new private id: that id says of which place nothing may come any more.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from ...errors import HubbubError, Refusal
from ...model import Action, Position, Principal
from ..places import read_places
from .codec import namespace_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...hub.hub import Hub

_PURPOSE: Final = b"hubbub socket.io private id, form 1\n"
_MAX_CHARS: Final = 1024
_STALE_DIGITS: Final = 12


class PrivateId(msgspec.Struct, array_like=True, frozen=True):
    """What a private id says: a socket's id and whose it is.

    `bearer`: it was given to somebody whom nothing else names, so it names who brings
    it. `stale` is the `digest` of the place that did not recover, if there was one.
    """

    id: str
    user_id: str
    name: str
    bearer: bool = False
    stale: str = ""

    @property
    def who(self) -> Principal:
        """The user."""
        return Principal(self.user_id, self.name)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(PrivateId)


def write_private_id(private: PrivateId, namespace: str, secret: bytes) -> str:
    """Return the signed text of a private id."""
    text = base64.urlsafe_b64encode(_encoder.encode(private)).decode()
    return f"{text}.{_sign(text, namespace, secret)}"


def read_private_id(text: object, namespace: str, secret: bytes) -> PrivateId | None:
    """Return what a private id says; None for one that is not ours."""
    if not isinstance(text, str) or len(text) > _MAX_CHARS or not text.isascii():
        return None
    said, _, signature = text.partition(".")
    if not hmac.compare_digest(_sign(said, namespace, secret), signature):
        return None
    try:
        return _decoder.decode(base64.urlsafe_b64decode(said))
    except (msgspec.MsgspecError, binascii.Error):
        # Signed by an older rule: it counts no longer.
        return None


async def resumable(
    hub: Hub, namespace: str, private: PrivateId, place: object
) -> Mapping[str, Position] | None:
    """Return the rooms of a place, if the private id's user can resume all of them.

    None as a place is that of one who never was in a room. Returns None where one
    cannot: forbidden, unknown, trimmed, another stream, or too much at once.
    """
    places = _said(place, private)
    if places is None or len(places) > hub.limits.subscriptions:
        return None
    for channel, since in places.items():
        if namespace_of(channel) != namespace:
            return None
        if not await _is_resumable(hub, private.who, channel, since):
            return None
    return places


def _said(place: object, private: PrivateId) -> Mapping[str, Position] | None:
    if place is None:
        return {}
    if not isinstance(place, str) or digest(place) == private.stale:
        return None
    try:
        return read_places(place)
    except Refusal:
        return None


async def _is_resumable(hub: Hub, who: Principal, name: str, since: Position) -> bool:
    # By the kind's own answer: for some it depends on more than on the log.
    try:
        async with hub.registry.entered(who, name, Action.SUBSCRIBE) as channel:
            log = channel.committer.log
            past = await channel.kind.catch_up(name, since, log)
            return past.recovered
    except HubbubError:
        return False


def digest(place: object) -> str:
    """Return what stands for a place in a private id; empty for none."""
    if not isinstance(place, str):
        return ""
    return hashlib.sha256(place.encode()).hexdigest()[:_STALE_DIGITS]


def _sign(text: str, namespace: str, secret: bytes) -> str:
    signed = b"%b%b\n%b" % (_PURPOSE, namespace.encode(), text.encode())
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()
