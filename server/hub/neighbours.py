"""What the other nodes have this one do, and what it tells its sessions of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model import Broadcast
    from ..seams.backplane import Order
    from .hub import Hub

logger = logging.getLogger("hubbub.neighbours")


class Neighbours:
    """The hub's side of the backplane: the `Receiver`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.live = True
        """Whether what is said reaches all nodes and is kept; see `Standing`."""

    def deliver(self, broadcast: Broadcast) -> None:
        """See `Receiver.deliver`."""
        self._hub.deliver(broadcast)

    def obey(self, order: Order) -> None:
        """See `Receiver.obey`."""
        for session in tuple(self._hub.sessions.values()):
            if session.who.id == order.user_id:
                session.close(order.disconnect)

    def cut_off(self, reason: str) -> None:
        """See `Receiver.cut_off`."""
        logger.warning("cut off from the other nodes: %s", reason)
        self.stand()

    def reunited(self) -> None:
        """See `Receiver.reunited`."""
        self._hub.watch.look()
        self._hub.watch.call_rolls(again=True)
        self.stand()

    def lost(self, node: str) -> None:
        """See `Receiver.lost`."""
        for channel in tuple(self._hub.channels.values()):
            channel.lose(node)

    def stand(self) -> None:
        """Tell all sessions where it stands, if that is not what they were told."""
        live = not self._hub.faults
        if live is self.live:
            return
        self.live = live
        for session in tuple(self._hub.sessions.values()):
            session.stand(live=live)
