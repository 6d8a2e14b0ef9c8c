"""A hub with its surroundings, all of which a test can disturb."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from server.hub.hub import Hub
from server.kinds.open import OpenKind
from server.model import Event, Principal, Subscribe
from server.runtime.clock import random_id
from server.seams.kind import Keep, Policy
from server.stores.memory import MemoryStore
from server.stores.recall import Recall
from server.stores.ring import Bounds
from tests.clocks import ManualClock
from tests.hub.backplanes import LossyBackplane
from tests.hub.logs import FaultyLog
from tests.hub.tally import TallyKind
from tests.hub.wires import FakeWire, RecordingCodec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.hub.limits import Limits
    from server.hub.session import Session
    from server.model import JSON, Outbound, Position, Since
    from server.seams.kind import Kind

ROOM = "open:room"
TALLY = "tally:one"
ANN = Principal("u_ann", "Ann")
BOB = Principal("u_bob", "Bob")


@dataclass(frozen=True)
class Guest:
    """A session, its wire, and the words that it understands."""

    session: Session
    wire: FakeWire
    codec: RecordingCodec

    @property
    def told(self) -> list[Outbound]:
        """What it was told."""
        return self.wire.told

    async def join(
        self, channel: str = ROOM, since: Since = None, *, presence: bool = False
    ) -> None:
        """Subscribe."""
        await self.session.dispatch(Subscribe(1, channel, since, presence))


@dataclass
class Stage:
    """What stands around the hub."""

    clock: ManualClock = field(default_factory=ManualClock)
    backplane: LossyBackplane = field(default_factory=LossyBackplane)
    tally: TallyKind = field(default_factory=TallyKind)
    hub: Hub = field(init=False)
    log: FaultyLog = field(init=False)

    def guest(
        self,
        who: Principal = ANN,
        *,
        codec: RecordingCodec | None = None,
        room_bytes: int = 1 << 20,
    ) -> Guest:
        """Open a session."""
        words = codec or RecordingCodec()
        wire = FakeWire(words, room_bytes)
        session = self.hub.open_session(who, "test", words, wire)
        return Guest(session, wire, words)

    async def say(self, content: JSON, channel: str = ROOM) -> Position:
        """Publish, and return the position."""
        position = await self.hub.publish(channel, content)
        assert position is not None
        return position

    async def hint(self, content: JSON, key: str | None = None) -> None:
        """Send a signal in the room."""
        await self.hub.signal(ANN, ROOM, Event("hint", content, key, signal=True))


@asynccontextmanager
async def raise_curtain(
    limits: Limits | None = None,
    *,
    open_policy: Policy | None = None,
    bounds: Bounds | None = None,
    recall: bool = False,
) -> AsyncIterator[Stage]:
    """Start a hub with the kinds `open`, `quick` (flushed every 0.1 s) and `tally`.

    `recall` puts a memory of what was delivered before the log.
    """
    stage = Stage()
    epochs = iter(f"e{count}" for count in range(1, 1_000_000))
    kept = bounds or Bounds(size=1_000_000, age_s=float("inf"), max_bytes=1 << 30)
    store = MemoryStore(stage.clock, lambda: next(epochs), lambda _: kept)
    stage.log = FaultyLog(Recall(store.log, stage.clock) if recall else store.log)
    kinds: dict[str, Kind] = {
        "open": OpenKind(stage.clock, open_policy),
        "quick": OpenKind(stage.clock, Policy(flush_interval_s=0.1)),
        "tally": stage.tally,
    }
    stage.hub = Hub(kinds, stage.backplane, stage.clock, random_id, limits)
    await stage.hub.start(dict.fromkeys(Keep, stage.log))
    try:
        yield stage
    finally:
        stage.log.let_go()
        await stage.hub.stop()
