"""The hub: everybody publishes here, and everything fans out from here.

One door: `deliver` is the only way to subscribers, on every node, fed by the backplane.
A publication's way: `submit` (authorize, accept) -> the log -> the backplane ->
`deliver` -> the channel's pump -> outboxes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import (
    BAD_REQUEST,
    SHUTDOWN,
    UNAVAILABLE,
    UNRECOVERABLE,
    Refusal,
    Unrecoverable,
)
from ..model import SERVER, Action, Event
from ..runtime.stats import Stats
from ..runtime.tasks import Tasks
from ..runtime.wheel import Wheel
from . import joining
from .commit import Committer
from .flusher import Flusher
from .limits import Limits
from .listening import listen
from .publishing import Publishing
from .registry import Registry
from .session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from ..errors import Disconnect
    from ..model import (
        JSON,
        Broadcast,
        Member,
        Position,
        Principal,
        Publication,
        Signal,
        Subscribe,
    )
    from ..runtime.clock import Clock, NewId
    from .kind import Keep, Kind
    from .ports import Backplane, Log, Outcome, Slice
    from .session import Kept
    from .wire import Codec, Wire

HISTORY_LIMIT = 200
WHEEL_SLOT_S = 0.02


class Hub:
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
        self.farewells: set[Session] = set()
        """Sessions that are being told that they end."""
        self.registry = Registry(self, kinds)
        self.channels = self.registry.open
        self.publishing = Publishing(self, backplane)
        self._committers: tuple[Committer, ...] = ()
        self._told = asyncio.Event()
        backplane.attach(self.deliver)

    # Its life

    async def start(self, logs: Mapping[Keep, Log]) -> None:
        """Make it ready on the running loop; `logs` has one for each `Keep`."""
        self.wheel = Wheel(asyncio.get_running_loop(), WHEEL_SLOT_S)
        self.flusher = Flusher(self.tasks, self.wheel)
        await self.tasks.start()
        kept, failed = self.publishing.kept, self.publishing.failed
        by_log = {
            id(log): Committer(log, self.tasks, self.stats, kept, failed)
            for log in logs.values()
        }
        self._committers = tuple(by_log.values())
        self.registry.start({keep: by_log[id(log)] for keep, log in logs.items()})

    def disconnect_all(self, disconnect: Disconnect = SHUTDOWN) -> None:
        """Tell every session to go; those with a code below 3500 come back."""
        for session in tuple(self.sessions.values()):
            session.close(disconnect)

    async def send_away(self, disconnect: Disconnect = SHUTDOWN) -> None:
        """Tell every session to go, and wait until each is told or given up."""
        self.disconnect_all(disconnect)
        while self.farewells:
            self._told.clear()
            await self._told.wait()

    def told(self, session: Session) -> None:
        """Note that a session was told that it ends. Called by the session."""
        self.farewells.discard(session)
        if not self.farewells:
            self._told.set()

    async def stop(self) -> None:
        """Let what was submitted be kept, then end all tasks."""
        for committer in self._committers:
            if not committer.idle:
                await asyncio.wait([committer.barrier()], timeout=5.0)
        self.stopping = True
        self.wheel.stop()
        await self.tasks.stop()
        for committer in self._committers:
            committer.close()

    def now(self) -> float:
        """Return the loop's monotonic seconds."""
        return asyncio.get_running_loop().time()

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

    # Delivering

    def deliver(self, broadcast: Broadcast) -> None:
        """Fan out what the backplane brought. The only way to subscribers."""
        channel = self.channels.get(broadcast.channel)
        if channel is not None:
            channel.receive(broadcast)

    async def new_epoch(self, name: str) -> None:
        """Make a memory channel's stream a new one, and tell everybody."""
        channel = self.channels.get(name)
        if channel is None or channel.committer.log.durable:
            raise Refusal(UNAVAILABLE.because("only an open memory channel can"))
        channel.committer.log.drop(name)
        channel.forget()
        await self.registry.load(channel)

    # Asking

    async def history(
        self,
        who: Principal,
        name: str,
        *,
        before: Position | None = None,
        after: Position | None = None,
        limit: int = 50,
    ) -> Slice:
        """Read back, ascending: up to `limit` (1 to 200) before or after a position.

        Both None reads the newest. Raises `Refusal`.
        """
        if not 1 <= limit <= HISTORY_LIMIT:
            raise Refusal(BAD_REQUEST.because(f"limit must be 1 to {HISTORY_LIMIT}"))
        async with self.registry.entered(who, name, Action.HISTORY) as channel:
            log = channel.committer.log
            try:
                if after is not None:
                    return await log.read(name, after, limit)
                start = None if before is None else before.offset
                page = await log.page(name, start, limit)
            except Unrecoverable:
                raise Refusal(UNRECOVERABLE) from None
            if before is not None and page.top.epoch != before.epoch:
                raise Refusal(UNRECOVERABLE)
            return page

    async def presence(
        self, who: Principal, name: str
    ) -> tuple[tuple[Member, ...], int]:
        """Return who is there (at most 200) and how many there are."""
        async with self.registry.entered(who, name, Action.PRESENCE) as channel:
            return channel.presence.members(), len(channel.presence)

    def retained(self, name: str) -> Mapping[str, Signal]:
        """Return the retained signals of a channel, by key."""
        channel = self.channels.get(name)
        return {} if channel is None else channel.retained

    def is_durable(self, name: str) -> bool:
        """Return whether a channel's acknowledgements mean: on disk."""
        return self.registry.committer(name).log.durable
