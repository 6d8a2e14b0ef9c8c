"""The hub: everybody publishes here, and everything fans out from here.

One door: `deliver` is the only way to subscribers, on every node, fed by the backplane.
A publication's way: `submit` (authorize, accept) -> the log -> the backplane ->
`deliver` -> the channel's pump -> outboxes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import FORCED, SHUTDOWN
from ..model import SERVER, Action, Event
from ..nodes.leading import lead
from ..queues.farewells import Farewells
from ..queues.flusher import Flusher
from ..runtime.arrivals import Arrivals
from ..runtime.stats import Stats
from ..runtime.tasks import Tasks
from ..runtime.wheel import Wheel
from ..seams.backplane import SendAway
from . import joining
from .asking import Asking
from .committers import Committers
from .limits import Limits
from .listening import listen
from .neighbours import Neighbours
from .publishing import Publishing
from .pumps import Pumps
from .registry import Registry
from .session import Session
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from ..errors import Disconnect
    from ..model import (
        JSON,
        Broadcast,
        Fence,
        Position,
        Principal,
        Publication,
        Signal,
        Subscribe,
    )
    from ..runtime.clock import Clock, NewId
    from ..seams.backplane import Backplane
    from ..seams.kind import Keep, Kind
    from ..seams.log import Log, Outcome
    from ..seams.wire import Codec, Wire
    from .session import Kept

WHEEL_SLOT_S = 0.02


class Hub(Asking):
    """Channels, sessions and the one way between them. Start it before use."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        backplane: Backplane,
        clock: Clock,
        new_id: NewId,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.new_id = new_id
        self.stats = Stats()
        self.tasks = Tasks()
        self.stopping = False
        self.sessions: dict[str, Session] = {}
        self.arrivals = Arrivals()
        self.farewells = Farewells(self.arrivals)
        self.backplane = backplane
        self.node = backplane.node
        self.registry = Registry(self, kinds)
        self.channels = self.registry.open
        self.publishing = Publishing(self, backplane)
        self.watch = Watch(self)
        self.neighbours = Neighbours(self)
        self.committers = Committers(self)
        backplane.attach(self.neighbours)

    # Its life

    async def start(self, logs: Mapping[Keep, Log]) -> None:
        """Make it ready on the running loop; `logs` has one for each `Keep`.

        Raises `SettingsError` where the backplane cannot be reached.
        """
        self._loop = asyncio.get_running_loop()
        self.wheel = Wheel(self._loop, WHEEL_SLOT_S)
        self.flusher = Flusher(self.tasks, self.wheel)
        self.pumps = Pumps()
        await self.tasks.start()
        by_keep = self.committers.make(logs)
        try:
            await self.backplane.start(self.tasks)
        except BaseException:
            await self.tasks.stop()
            raise
        self.registry.start(by_keep)
        self.watch.start(self.committers)

    def disconnect_all(self, disconnect: Disconnect = SHUTDOWN) -> None:
        """Tell every session to go, in batches, and when to come back.

        Codes from 3500 on say that they are not to.
        """
        self.farewells.send_away(self.sessions.values(), disconnect)

    async def send_away(self, disconnect: Disconnect = SHUTDOWN) -> None:
        """Tell every session to go; wait until all have answered, or for so long."""
        self.disconnect_all(disconnect)
        await self.farewells.all_told(self.limits.close_timeout_s)

    async def stop(self) -> None:
        """Let what was submitted be kept, then end all tasks."""
        await self.committers.drain()
        self.stopping = True
        self.wheel.stop()
        # The backplane last: who led gives up the lease.
        await self.tasks.stop()
        await self.backplane.stop()
        self.committers.close()

    def now(self) -> float:
        """Return the loop's monotonic seconds."""
        return self._loop.time()

    async def pause(self, seconds: float) -> None:
        """Wait; in one place, so that tests can take its place."""
        await asyncio.sleep(seconds)

    # Sessions

    def open_session(
        self, who: Principal, gateway: str, codec: Codec, wire: Wire
    ) -> Session:
        """Make a session; the gateway ends it with `close` or `gone`."""
        session = Session(self, who, gateway, codec, wire)
        self.sessions[session.id] = session
        self.stats.sessions[gateway] += 1
        self.stats.opened[gateway] += 1
        self.arrivals.opened(self.wheel)
        return session

    def ended(self, session: Session) -> None:
        """Take an ended session out of everything. Called by the session, once."""
        for name in tuple(session.subscriptions):
            channel = self.channels.get(name)
            if channel is not None:
                channel.remove(session)
        session.subscriptions.clear()
        if self.sessions.pop(session.id, None) is not None:
            self.stats.sessions[session.gateway] -= 1

    # Joining

    async def join(self, session: Session, command: Subscribe) -> None:
        """Subscribe a session and tell it the past; see `joining.join`."""
        await joining.join(self, session, command)

    async def subscribe(
        self,
        name: str,
        *,
        since: Position | None = None,
        signals: bool = False,
        who: Principal = SERVER,
    ) -> AsyncGenerator[Publication | Signal, None]:
        """Yield a channel's publications as they come, those after `since` first.

        Without `since` it begins with the next one. With `signals` they come too.
        Raises `Refusal`, `Unrecoverable` (the position cannot be resumed, or the stream
        became a new one), and `Lagged` when the reader is over 1,000 behind.
        """
        async with self.registry.entered(who, name, Action.SUBSCRIBE) as channel:
            async for found in listen(channel, since, signals=signals):
                yield found

    # Saying

    async def publish(
        self,
        name: str,
        content: JSON | bytes,
        *,
        event: str = "message",
        key: str | None = None,
        who: Principal = SERVER,
    ) -> Position | None:
        """Publish and wait until it is kept as its kind promises; return its position.

        None where nothing had to follow. `key` makes it idempotent for `who`. Raises
        `Refusal`, whose error says whether trying again may help.
        """
        future = await self.submit(who, name, Event(event, content, key))
        return self.judge(await future)

    async def submit(self, who: Principal, name: str, event: Event) -> Kept:
        """Have an event accepted; the future is done when it is kept.

        Events are accepted in the order of the calls, so a caller may go on before the
        future is done. Read the future with `judge`. Raises `Refusal`.
        """
        return await self.publishing.submit(who, name, event)

    def judge(self, outcome: Outcome | None) -> Position | None:
        """Return the position an outcome means; raise `Refusal` if it was rejected."""
        return self.publishing.judge(outcome)

    def settled(self, name: str) -> Kept:
        """Return a future: all that was accepted in a channel before is kept.

        It raises `Refusal` (unavailable) where the last of it was not.
        """
        return self.registry.committer(name).barrier()

    async def signal(
        self, who: Principal, name: str, event: Event, session: Session | None = None
    ) -> None:
        """Send a signal through the channel's kind. Raises `Refusal`."""
        await self.publishing.signal(who, name, event, session)

    def send_signal(self, signal: Signal) -> None:
        """Send a signal without asking the kind: for the kinds' own sources."""
        self.publishing.send_signal(signal)

    # The other nodes

    def disconnect(self, user_id: str, disconnect: Disconnect = FORCED) -> None:
        """End all sessions of a user, on every node, telling them why.

        Raises `Refusal` (unavailable) while this node is cut off from the others.
        """
        self.backplane.order(SendAway(user_id, disconnect))

    async def lead(self, lease: str, work: Callable[[Fence], Awaitable[None]]) -> None:
        """Run `work` on one node at a time, until cancelled; see `leading.lead`."""
        await lead(self.backplane, lease, work, self.pause)

    @property
    def faults(self) -> tuple[str, ...]:
        """What keeps this node from serving whole, in words; empty while it does."""
        faults = [self.backplane.fault, *(each.fault for each in self.committers)]
        return tuple(fault for fault in faults if fault is not None)

    # Delivering

    def deliver(self, broadcast: Broadcast) -> None:
        """Fan out what the backplane brought. The only way to subscribers."""
        channel = self.channels.get(broadcast.channel)
        if channel is not None:
            channel.receive(broadcast)

    async def new_epoch(self, name: str) -> None:
        """Make a memory channel's stream a new one, and tell everybody."""
        await self.registry.renew(name)
