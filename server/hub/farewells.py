"""The sessions that are being told that they end, and the wait for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session


class Farewells:
    """Who is still to be told."""

    def __init__(self) -> None:
        self._waiting: set[Session] = set()
        self._all_told = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, session: Session) -> None:
        """Note that a session is to be told."""
        self._waiting.add(session)

    def told(self, session: Session) -> None:
        """Note that it was told, or given up."""
        self._waiting.discard(session)
        if not self._waiting:
            self._all_told.set()

    async def all_told(self) -> None:
        """Wait until nobody is still to be told."""
        while self._waiting:
            self._all_told.clear()
            await self._all_told.wait()
