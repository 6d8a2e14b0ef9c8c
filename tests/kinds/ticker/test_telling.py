from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

from server.errors import UNAVAILABLE, Lagged, Refusal, Unrecoverable
from server.kinds.ticker.shown import SHOWN
from server.model import Position, Signal
from tests.kinds.ticker.exchange import an_exchange
from tests.kinds.ticker.nodes import a_cluster

if TYPE_CHECKING:
    from server.model import Broadcast, Publication

ONE = "ticker:ACME"
BOARD = "ticker:market"


async def test_only_what_somebody_reads_is_made() -> None:
    """Nothing for nobody, the board for its reader, one symbol for one who has that."""
    async with an_exchange() as exchange:
        made: list[Signal] = []
        deliver = exchange.hub.deliver

        def watch(broadcast: Broadcast) -> None:
            if isinstance(broadcast, Signal):
                made.append(broadcast)
            deliver(broadcast)

        exchange.hub.deliver = watch  # type: ignore[method-assign]
        await exchange.metronome.tick(10)
        assert made == []
        board = exchange.reader()
        await board.join(BOARD)
        await exchange.metronome.tick(10)
        await board.catch_up()
        assert {each.channel for each in made} == {BOARD}
        one = exchange.reader()
        await one.join(ONE)
        await exchange.metronome.tick(20)
        await one.catch_up()
        assert {each.channel for each in made} == {BOARD, ONE}
        board.session.gone()
        one.session.gone()
        made.clear()
        await exchange.metronome.tick(10)
        assert made == []


async def test_signals_do_not_travel() -> None:
    """Each node makes its own; what it counts are those of its readers."""
    async with a_cluster(2) as cluster:
        reading, idle = cluster.nodes
        reader = reading.reader()
        await reader.join(BOARD)
        await cluster.tick(20)
        await reader.catch_up()
        assert len(reader.signals("quote")) == reading.hub.stats.signals > 0
        assert idle.hub.stats.signals == 0


async def test_a_burst_is_told_once() -> None:
    """What came in one turn is one quote of each symbol, one bar of each interval."""
    async with a_cluster(2) as cluster:
        late = cluster.nodes[1]
        board, one = late.reader(), late.reader()
        await board.join(BOARD)
        await one.join(ONE)
        late.backplane.deaf = True
        await cluster.tick(40)
        late.backplane.deaf = False
        await cluster.tick()
        await board.catch_up()
        await one.catch_up()
        assert len(board.signals("quote")) == len(cluster.symbols)
        keys = [each.key for each in one.signals("bar")]
        assert sorted(map(str, keys)) == sorted(f"bar:{each.value}" for each in SHOWN)
        assert one.signals("trade")


@pytest.mark.parametrize(
    "fault",
    [
        Lagged(Position("e0", 1)),
        Unrecoverable("a new stream"),
        Refusal(UNAVAILABLE),
        ConnectionError(),
    ],
)
async def test_the_tape_is_listened_to_again(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ended it; a tape that cannot be had is asked for after a pause."""
    async with a_cluster(1) as cluster:
        node = await cluster.node()
        subscribe, asked = node.hub.subscribe, 0

        async def fail(name: str) -> AsyncGenerator[Publication | Signal, None]:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise fault
            async for each in subscribe(name):
                yield each

        monkeypatch.setattr(node.hub, "subscribe", fail)
        node.start()
        await cluster.settle()
        node.pacer.turn()
        await cluster.settle()
        board = node.reader()
        await board.join(BOARD)
        await cluster.tick(5)
        await board.catch_up()
        assert asked == 2
        assert board.signals("quote")
