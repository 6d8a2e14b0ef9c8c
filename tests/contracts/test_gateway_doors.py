"""What every gateway promises about what it does not let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contracts.gateways.all import fellow
from tests.contracts.gateways.driver import Gone, Refused, Words
from tests.contracts.matrix import Promise, shows

if TYPE_CHECKING:
    from tests.contracts.gateways.driver import Driver
    from tests.contracts.gateways.house import House

UNKNOWN, DENIED = Words(102, "unknown channel"), Words(103, "permission denied")
CLOSED_UNKNOWN, CLOSED_DENIED = (
    Words(4403, "unknown channel"),
    Words(4403, "permission denied"),
)
"""Where a connection is one channel, it is closed with the reason."""

NO_TEXT = (
    "A packet that is not even text (no UTF-8), or no packet, ends the connection, as"
    " the protocol has it; 3501 by WebSocket, 400 to the POST."
)


async def refusal(house: House, gateway: type[Driver], channel: str) -> Words:
    """Return the words in which a channel is refused to a newcomer."""
    client = house.client(gateway)
    with pytest.raises(Refused) as refused:
        await client.join(channel)
    return refused.value.words


@shows(Promise.REFUSED)
async def test_a_channel_that_cannot_be_is_unknown(
    house: House, gateway: type[Driver]
) -> None:
    """By its name, or because there is no such kind."""
    kind = gateway.CHANNEL.partition(":")[0]
    is_note = kind == "notes"
    words = CLOSED_UNKNOWN if is_note else UNKNOWN
    assert await refusal(house, gateway, f"{kind}:NOSUCHROOM") == words
    if gateway.NAMESPACES:
        # A kind is a namespace, and that is refused before there is any channel.
        words = Words(0, "Invalid namespace")
    if not is_note:
        assert await refusal(house, gateway, "nokind:one") == words


@shows(Promise.REFUSED)
async def test_absent_and_forbidden_are_the_same(
    house: House, gateway: type[Driver]
) -> None:
    """Word for word, and nothing of what was said there; the owner is told nothing."""
    kind = gateway.CHANNEL.partition(":")[0]
    secret, absent = f"{kind}:lab-u_zoe", f"{kind}:lab-u_nobody"
    if kind == "room":
        await house.hub.publish(secret, "a secret")
    words = CLOSED_DENIED if kind == "notes" else DENIED
    for channel in (secret, absent):
        assert await refusal(house, gateway, channel) == words
    assert house.hub.channels.get(secret) is None or not (
        house.hub.channels[secret].subscriptions
    )


@shows(Promise.POISON, notes={"socketio": NO_TEXT, "polling": NO_TEXT})
async def test_poison_reaches_nobody(house: House, gateway: type[Driver]) -> None:
    """Its sender is told what is wrong, each time; what is good goes on."""
    watching = await house.joined(gateway, "bob")
    other = await house.joined(fellow(gateway), "cyd", watching.channel)
    sender = await house.joined(gateway)
    for poison in gateway.POISON.values():
        with pytest.raises((Refused, Gone)) as refused:
            await sender.say_poison(poison)
        if isinstance(refused.value, Refused):
            assert refused.value.words.code in (107, 4400)
            assert refused.value.words.message not in ("", "bad request")
        if not house.sessions("ada"):
            sender = await house.joined(gateway)
    await sender.say("it is well")
    for each in (watching, other):
        assert await each.reads_to("it is well") == ["it is well"]
        assert each.signals == []
