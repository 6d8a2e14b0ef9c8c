"""Which channels are brought here: entered by the hub, and confirmed by Redis."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import UNAVAILABLE, Refusal
from .ear import BATCH
from .wire import DEADLINE_S

if TYPE_CHECKING:
    from ...runtime.clock import Clock
    from .ears import Ears
    from .names import Names

LEAVE_S = 1.0
"""A channel that was left is unsubscribed by then: it may be entered again at once."""


class Entrance:
    """Keeps what was entered over all cuts; subscribes and unsubscribes in batches."""

    def __init__(self, names: Names, clock: Clock) -> None:
        self._names = names
        self._clock = clock
        self._entered: set[str] = set()
        self._brought: set[str] = set()
        self._entering: dict[str, asyncio.Future[None]] = {}
        self._asked: list[str] = []
        self._some = asyncio.Event()

    def __contains__(self, channel: str) -> bool:
        return channel in self._entered

    def voices(self) -> list[str]:
        """Return the Pub/Sub channels of all that is entered."""
        return [self._names.voice(channel) for channel in self._entered]

    async def enter(self, channel: str) -> None:
        """Have a channel brought. Raises `Refusal` (unavailable)."""
        was_entered = channel in self._entered
        self._entered.add(channel)
        if channel in self._brought:
            return
        entered = False
        try:
            async with asyncio.timeout(DEADLINE_S):
                # Others may wait for the same: one that gives up is not to stop them.
                await asyncio.shield(self._ask(channel))
            self._entered.add(channel)
            entered = True
        except TimeoutError:
            raise Refusal(UNAVAILABLE) from None
        finally:
            if not entered and not was_entered:
                self._entered.discard(channel)

    def leave(self, channel: str) -> None:
        """Have a channel brought no longer."""
        self._entered.discard(channel)

    def confirm(self, voice: str) -> None:
        """Note that Redis brings a Pub/Sub channel from now on."""
        channel = self._names.channel(voice.encode())
        if channel is None:
            return
        self._brought.add(channel)
        waiting = self._entering.pop(channel, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def cut(self) -> None:
        """Note that nothing is brought any more; whoever waits is refused."""
        self._brought.clear()
        self._asked.clear()
        self._some.clear()
        while self._entering:
            _, waiting = self._entering.popitem()
            if not waiting.done():
                waiting.set_exception(Refusal(UNAVAILABLE))

    async def run(self, ears: Ears) -> None:
        """Subscribe to what is asked for, and let go of what was left. Raises `Away`.

        One task does both, so that what is entered again is not let go of afterwards.
        """
        swept_s = self._clock.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._some.wait()
            self._some.clear()
            while self._asked:
                batch, self._asked = self._asked[:BATCH], self._asked[BATCH:]
                await ears.subscribe([self._names.voice(each) for each in batch])
            if self._clock.monotonic() - swept_s >= LEAVE_S:
                await self._sweep(ears)
                swept_s = self._clock.monotonic()

    async def _sweep(self, ears: Ears) -> None:
        left = list(self._brought - self._entered)
        for start in range(0, len(left), BATCH):
            batch = set(left[start : start + BATCH]) - self._entered
            self._brought -= batch
            await ears.unsubscribe([self._names.voice(each) for each in batch])

    def _ask(self, channel: str) -> asyncio.Future[None]:
        waiting = self._entering.get(channel)
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            # All that waited may be gone when it is refused; that is nobody's error.
            waiting.add_done_callback(_look_at)
            self._entering[channel] = waiting
            self._asked.append(channel)
            self._some.set()
        return waiting


def _look_at(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
