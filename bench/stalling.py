"""`python -m bench.stalling FLAGS`: Hubbub, with a loop that measures its own turns.

A turn is the time from the selector's return to its next call: as long as no socket is
looked at. On SIGUSR1 it prints one line of JSON about the turns since the last one, and
begins anew. Nothing else differs from `python -m server serve FLAGS`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import selectors
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.flags import load
from server.observability import set_up_logging
from server.serving import address, listen, serve


@dataclass(slots=True)
class Turns:
    """The lengths of turns, and of the longest what it was made of. Seconds."""

    lengths_s: list[float] = field(default_factory=list)
    worst_cpu_s: float = 0.0
    worst_gc_s: float = 0.0
    worst_s: float = 0.0
    most_cpu_s: float = 0.0

    def add(self, length_s: float, cpu_s: float, gc_s: float) -> None:
        """Take one turn: how long, on the CPU for how long, in the collector."""
        self.lengths_s.append(length_s)
        self.most_cpu_s = max(self.most_cpu_s, cpu_s)
        if length_s > self.worst_s:
            self.worst_s, self.worst_cpu_s, self.worst_gc_s = length_s, cpu_s, gc_s

    def told(self) -> dict[str, float]:
        """Return what is told of them."""
        ordered = sorted(self.lengths_s)
        return {
            "turns": len(ordered),
            "p99_s": ordered[len(ordered) * 99 // 100] if ordered else 0.0,
            "worst_s": self.worst_s,
            "worst_cpu_s": self.worst_cpu_s,
            "worst_gc_s": self.worst_gc_s,
            "most_cpu_s": self.most_cpu_s,
        }


class WatchedSelector(selectors.DefaultSelector):
    """Measures the time between its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self._began_s = time.perf_counter()
        self._began_cpu_s = time.thread_time()
        self._gc_s = self._gc_began_s = 0.0
        gc.callbacks.append(self._collect)

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Note the turn that ends; wait; note that one begins."""
        self.turns.add(
            time.perf_counter() - self._began_s,
            time.thread_time() - self._began_cpu_s,
            self._gc_s,
        )
        found = super().select(timeout)
        self._gc_s = 0.0
        self._began_s, self._began_cpu_s = time.perf_counter(), time.thread_time()
        return found

    def tell(self) -> None:
        """Print what the turns were like, and begin anew."""
        print(json.dumps(self.turns.told()), flush=True)
        self.turns = Turns()

    def _collect(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._gc_began_s = time.perf_counter()
        else:
            self._gc_s += time.perf_counter() - self._gc_began_s


def main() -> None:
    """Serve until SIGTERM."""
    settings = load(sys.argv[1:])
    set_up_logging(settings.log_level)
    selector = WatchedSelector()

    def new_loop() -> asyncio.SelectorEventLoop:
        return asyncio.SelectorEventLoop(selector)

    with (
        listen(settings) as listener,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):

        def tell() -> None:
            print(f"Hubbub is at {address(settings.host, listener)}", flush=True)

        runner.get_loop().add_signal_handler(signal.SIGUSR1, selector.tell)
        runner.run(serve(settings, listener, tell, asyncio.Event()))


if __name__ == "__main__":
    main()
