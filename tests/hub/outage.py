"""A node without others that is cut off from them all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.backplanes.local import LocalBackplane

if TYPE_CHECKING:
    from server.hub.hub import Hub

_WHY = "cut off by the test"


def cut_off(hub: Hub) -> None:
    """Have the hub find that it does not reach the other nodes."""
    _backplane(hub).fault = _WHY
    hub.neighbours.cut_off(_WHY)


def reunite(hub: Hub) -> None:
    """End that."""
    _backplane(hub).fault = None
    hub.neighbours.reunited()


def _backplane(hub: Hub) -> LocalBackplane:
    assert isinstance(hub.backplane, LocalBackplane)
    return hub.backplane
