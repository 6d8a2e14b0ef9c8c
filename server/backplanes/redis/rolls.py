"""Rolls: what each node said of its people and retained signals, in one channel.

A roll is a HASH. `<node>|` has the newest stamp and the time when it came, in seconds
of Redis; `<node>|u|<user>` and `<node>|s|<key>` have the frames. What a node said
counts while it lives; who reads a roll takes the dead off it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model import Attendance, Signal
from ...seams.backplane import NodeRoll
from .codec import Undecodable, decode
from .lane import Command, call
from .scripts import BURY, SAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .lane import Lane
    from .names import Names
    from .wire import Reply


ROLL_S = 600
"""How long a roll stays that nobody reads or writes (`lua/say.lua` says the same)."""


class Rolls:
    """The rolls of all channels."""

    def __init__(self, lane: Lane, names: Names) -> None:
        self._lane = lane
        self._names = names

    def say(self, said: Attendance | Signal, node: str, frame: bytes) -> Command:
        """Return the command that enters what a node says, and sends it to all."""
        if isinstance(said, Attendance):
            field, stays = f"{node}|u|{said.user.id}", said.sessions > 0
        else:
            field, stays = f"{node}|s|{said.key or ''}", not said.fell
        keys = (self._names.roll(said.channel), self._names.voice(said.channel))
        return call(SAY, keys, node, said.stamp, field, frame, int(stays))

    async def read(self, channel: str, forgiven: Iterable[str]) -> Sequence[NodeRoll]:
        """Return what each node has said that lives or is `forgiven`. Raises `Away`."""
        key, (nodes, _) = self._names.roll(channel), self._names.census
        fields, alive, _ = await self._lane.get(
            [
                Command(key, ("HGETALL", key)),
                Command(nodes, ("ZRANGE", nodes, 0, -1)),
                # Whoever is in the channel reads it each half minute: so it stays.
                Command(key, ("EXPIRE", key, ROLL_S)),
            ]
        )
        by_node = _by_node(fields)
        living = {node.decode() for node in alive} if isinstance(alive, list) else set()
        living.update(forgiven)
        dead = by_node.keys() - living
        if dead:
            await self._lane.get([call(BURY, [key], *sorted(dead))])
        return [
            _roll(channel, node, of_it)
            for node, of_it in sorted(by_node.items())
            if node in living
        ]


def _by_node(reply: Reply) -> dict[str, dict[str, bytes]]:
    """Sort the fields of a roll by their nodes."""
    by_node: dict[str, dict[str, bytes]] = {}
    flat = reply if isinstance(reply, list) else []
    for field, frame in zip(flat[::2], flat[1::2], strict=True):
        node, _, rest = field.decode(errors="replace").partition("|")
        by_node.setdefault(node, {})[rest] = frame
    return by_node


def _roll(channel: str, node: str, fields: Mapping[str, bytes]) -> NodeRoll:
    attendances, signals = [], []
    for field, frame in fields.items():
        if not field:
            continue
        try:
            said = decode(channel, frame)
        except Undecodable:
            continue
        if isinstance(said, Attendance):
            attendances.append(said)
        elif isinstance(said, Signal):
            signals.append(said)
    said_stamp = fields.get("", b"0").partition(b" ")[0]
    stamp = int(said_stamp) if said_stamp.isdigit() else 0
    return NodeRoll(node, stamp, tuple(attendances), tuple(signals))
