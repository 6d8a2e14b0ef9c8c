from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
import pytest

from server.errors import PERMISSION_DENIED, UNAVAILABLE, UNKNOWN_CHANNEL, Refusal
from server.kinds.ticker.bars import Interval
from server.kinds.ticker.candles import KEPT
from server.kinds.ticker.kind import TickerKind
from server.kinds.ticker.shown import SHOWN
from server.kinds.ticker.symbols import SYMBOLS
from server.kinds.ticker.tape import TAPE
from server.model import SERVER, Action, Event, Failed, Position, Subscribe
from server.seams.kind import Follows, Refused
from tests.clocks import ManualClock
from tests.kinds.ticker.exchange import (
    ANN,
    PAST_S,
    Exchange,
    Metronome,
    Reader,
    a_hub,
    an_exchange,
)

ONE = "ticker:ACME"
BOARD = "ticker:market"


def closed_kind() -> TickerKind:
    """Return a ticker that nobody runs."""
    return TickerKind(ManualClock(), "seed", 10.0)


def kept_bars(exchange: Exchange) -> dict[str, list[list[int]]]:
    """Return ACME's bars as the floor has them, in the words of the wire."""
    floor = exchange.floor
    return {
        interval.value: [
            [b.start_ms, b.open, b.high, b.low, b.close, b.volume, b.trades]
            for b in floor.bars("ACME", interval, KEPT[interval])
        ]
        for interval in SHOWN
    }


READING = [Action.SUBSCRIBE, Action.HISTORY, Action.PRESENCE]
SPEAKING = [Action.PUBLISH, Action.SIGNAL]


@pytest.mark.parametrize("channel", [BOARD, ONE, "ticker:TARN"])
@pytest.mark.parametrize("action", READING)
async def test_everybody_may_read(channel: str, action: Action) -> None:
    """The board, and each symbol of the market."""
    await closed_kind().authorize(ANN, channel, action)


@pytest.mark.parametrize(
    ("channel", "action", "error"),
    [
        *[(BOARD, action, PERMISSION_DENIED) for action in SPEAKING],
        *[(ONE, action, PERMISSION_DENIED) for action in SPEAKING],
        *[("ticker:ZZZZ", action, PERMISSION_DENIED) for action in READING],
        *[("ticker:acme", action, UNKNOWN_CHANNEL) for action in READING],
        *[("ticker:tape", action, UNKNOWN_CHANNEL) for action in [*READING, *SPEAKING]],
        ("ticker:A.B", Action.SUBSCRIBE, UNKNOWN_CHANNEL),
        ("ticker:TOOLONG", Action.SUBSCRIBE, UNKNOWN_CHANNEL),
        ("ticker:MARKET", Action.SUBSCRIBE, UNKNOWN_CHANNEL),
    ],
)
async def test_nobody_may_speak_or_read_what_is_not_there(
    channel: str, action: Action, error: object
) -> None:
    """A code that no symbol has is denied; a name that is no code is unknown."""
    with pytest.raises(Refusal) as refusal:
        await closed_kind().authorize(ANN, channel, action)
    assert refusal.value.error == error


def test_only_the_server_is_accepted() -> None:
    """Not even what got past `authorize` is taken from anybody else."""
    kind, event = closed_kind(), Event("bar", {})
    assert kind.accept(ANN, ONE, event) == Refused(PERMISSION_DENIED)
    signal = Event("quote", {}, signal=True)
    assert kind.accept(SERVER, ONE, signal) == Refused(PERMISSION_DENIED)
    assert isinstance(kind.accept(SERVER, ONE, event), Follows)


async def test_the_tape_is_for_nodes_alone() -> None:
    """Who is no node cannot join it, read it back, or write on it."""
    async with an_exchange() as exchange:
        with pytest.raises(Refusal):
            await exchange.hub.history(ANN, TAPE)
        with pytest.raises(Refusal):
            await exchange.hub.submit(ANN, TAPE, Event("strip", b""))
        reader = exchange.reader()
        await reader.session.dispatch(Subscribe(1, TAPE))
        await reader.catch_up()
        (answer,) = reader.paper.got
        assert isinstance(answer, Failed)
        assert answer.error == UNKNOWN_CHANNEL


async def test_a_market_that_nobody_runs_is_unavailable() -> None:
    """A joiner is told to try again, and the dashboard has no rows."""
    clock = ManualClock()
    kind = TickerKind(clock, "seed", 10.0)
    assert (kind.board(), kind.movers(3), kind.floor) == ([], [], None)
    async with a_hub(kind, clock) as hub:
        reader = Reader(hub)
        await reader.session.dispatch(Subscribe(7, BOARD))
        await reader.catch_up()
    (failed,) = reader.paper.got
    assert isinstance(failed, Failed)
    assert (failed.error.code, failed.error.temporary) == (UNAVAILABLE.code, True)


async def test_a_joiner_opens_the_market_and_waits_for_it() -> None:
    """Who comes while the past is still being worked out gets it when it is there."""
    clock = ManualClock()
    metronome = Metronome(clock)
    kind = TickerKind(clock, "seed", 10.0, past_s=60, sleep=metronome.sleep)
    async with a_hub(kind, clock) as hub:
        hub.tasks.spawn(kind.run(hub), "market")
        await asyncio.sleep(0)
        assert kind.floor is None
        reader = Reader(hub)
        await reader.join(BOARD)
        assert len(reader.state["symbols"]) == len(SYMBOLS)


async def test_the_board_has_a_row_for_each_symbol() -> None:
    """In the order of their codes, with all that a table shows."""
    async with an_exchange(symbols=SYMBOLS) as exchange:
        reader = exchange.reader()
        await reader.join(BOARD)
        rows = reader.state["symbols"]
        assert [row["symbol"] for row in rows] == [each.code for each in SYMBOLS]
        acme = rows[0]
        quote = exchange.floor.quote("ACME")
        assert acme == {
            "symbol": "ACME",
            "name": "Acme Anvil Works",
            "sector": "Industry",
            "tick": "0.01",
            "seq": quote.seq,
            "last": quote.last,
            "bid": quote.bid,
            "ask": quote.ask,
            "volume": quote.day_volume,
            "prev": quote.prev_close,
            "change": quote.last - quote.prev_close,
            "status": "trading",
            "time": quote.time_ms,
            "spark": [row[4] for row in kept_bars(exchange)["1m"]],
        }
        assert exchange.kind.board() == rows
        assert len(msgspec.json.encode(reader.state)) < 16_000


async def test_the_movers_are_those_that_moved_furthest() -> None:
    """Up or down, as a share of the price; no more than asked for."""
    async with an_exchange(symbols=SYMBOLS) as exchange:
        rows: list[Any] = exchange.kind.board()
        movers: list[Any] = exchange.kind.movers(5)
        shares = sorted(abs(row["change"]) / row["prev"] for row in rows)
        assert [abs(row["change"]) / row["prev"] for row in movers] == shares[:-6:-1]


async def test_a_symbol_is_told_with_all_its_bars() -> None:
    """In all intervals that are shown, and never the seconds."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE)
        assert reader.state["bars"] == kept_bars(exchange)
        assert list(reader.state["bars"]) == ["5s", "1m", "5m", "1h"]
        assert reader.state["last"] == exchange.floor.quote("ACME").last
        assert len(reader.state["bars"]["1m"]) >= PAST_S // 60
        assert reader.reply is not None
        assert (reader.reply.recovered, reader.reply.publications) == (False, ())


async def test_state_and_what_follows_is_the_state() -> None:
    """Joined at any moment: no bar is missing, none is doubled, and none differs.

    The readers join while the feed is anywhere in its work, stalls of it included.
    """
    moments = random.Random(5)
    async with an_exchange() as exchange:
        readers: list[Reader] = []
        for _ in range(40):
            exchange.metronome.tick_later(late_s=moments.choice([0.0, 0.0, 0.7, 9.0]))
            for _ in range(moments.randrange(12)):
                await asyncio.sleep(0)
            reader = exchange.reader()
            await reader.join(moments.choice([ONE, BOARD]))
            readers.append(reader)
            await exchange.metronome.settle()
        fresh, board = exchange.reader(), exchange.reader()
        await fresh.join(ONE)
        await board.join(BOARD)
        for reader in readers:
            await reader.catch_up()
            assert reader.doubled == 0
            if "bars" in reader.state:
                assert reader.state == fresh.state
            else:
                assert _prices(reader) == _prices(board)


def _prices(reader: Reader) -> list[dict[str, Any]]:
    """Return the board without the sparks, whose next point is the reader's to draw."""
    return [
        {name: value for name, value in row.items() if name != "spark"}
        for row in reader.state["symbols"]
    ]


async def test_who_comes_back_gets_the_bars_that_were_missed() -> None:
    """As publications, once and in order; the state then has only the open ones."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE)
        await exchange.metronome.tick(70)
        await reader.catch_up()
        since = reader.position
        reader.session.gone()
        await exchange.metronome.tick(130)

        back = exchange.reader()
        back.state = reader.state
        await back.join(ONE, since)
        assert back.reply is not None
        assert back.reply.recovered
        events = [each.event for each in back.reply.publications]
        assert events.count("bar") >= 2
        assert back.reply.publications[-1].position == back.reply.position
        fresh = exchange.reader()
        await fresh.join(ONE)
        assert back.state == fresh.state


@pytest.mark.parametrize("since", [Position("other", 1), Position("e0", 10**6)])
async def test_who_cannot_resume_begins_anew(since: Position) -> None:
    """Of another epoch, or of a place that is not there: the whole state again."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(ONE, since)
        assert reader.reply is not None
        assert not reader.reply.recovered
        assert reader.state["bars"] == kept_bars(exchange)


async def test_a_slow_reader_gets_the_newest_prices_and_all_closed_bars() -> None:
    """What waits for it is bounded by the number of keys, whatever the time."""
    async with an_exchange() as exchange:
        reader = exchange.reader()
        await reader.join(BOARD)
        await reader.join(ONE)
        reader.paper.jammed = True
        await exchange.metronome.tick(40)
        waiting_bytes = reader.session.outbox.waiting_bytes
        bars = exchange.floor.bars("ACME", Interval.FIVE_SECONDS, 100)
        await exchange.metronome.tick(40)
        assert reader.session.outbox.waiting_bytes < 1.5 * waiting_bytes + 4_000
        reader.paper.jammed = False
        reader.paper.freed.set()
        await reader.catch_up()
        quotes = [each for each in reader.signals("quote") if each.channel == BOARD]
        assert len(quotes) <= len(exchange.floor.symbols)
        fresh = exchange.reader()
        await fresh.join(ONE)
        rows = reader.state["bars"]["5s"]
        assert bars[-1].start_ms in [row[0] for row in rows]
        assert rows == fresh.state["bars"]["5s"]
