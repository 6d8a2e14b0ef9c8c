"""Each scenario of Hubbub's own, with twenty clients and for an instant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import chat, stall, storm, ticker, workshop
from bench.field import FIELD, HUBBUB, JOINED, Contender
from bench.found import Case, Speed
from bench.means import Means
from bench.peers import Peer, Running
from bench.workshop import Missing

CORE = min(os.sched_getaffinity(0))
PEOPLE = 20


@pytest.fixture(name="means", scope="module")
def _means() -> Means:
    try:
        return Means(workshop.generator(), CORE, CORE, 0.2)
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(name="hubbub", scope="module")
def _hubbub(means: Means) -> Iterator[Running]:
    """A server that measures its turns; it is a server like any other."""
    with at_once(means, stall.PEER) as server:
        server.wake()
        yield server


def at_once(means: Means, peer: Peer) -> Running:
    """A server that nobody waits for until it has settled."""
    return means.started(replace(peer, quiet_s=0.0))


def contender(word: str) -> Contender:
    """One of the field."""
    (found,) = (each for each in FIELD if each.word == word)
    return found


def test_a_storm_is_recovered_from(means: Means, hubbub: Running) -> None:
    """All come back, and the generator found nothing lost and nothing doubled."""
    blown = storm.blow(means, contender(HUBBUB), hubbub, PEOPLE)
    assert blown.people == PEOPLE
    assert 0 < blown.each_s < blown.wall_s < 60


def test_a_server_without_positions_only_lets_them_in(means: Means) -> None:
    """What a storm costs bare aiohttp is the yardstick."""
    bare = contender(JOINED)
    with at_once(means, bare.peer) as server:
        server.wake()
        assert storm.blow(means, bare, server, PEOPLE).server_s > 0


def test_a_broadcast_tells_its_turns(means: Means, hubbub: Running) -> None:
    """Those of both windows, each counted from its own beginning."""
    stalls = stall.broadcast(means, contender(HUBBUB), hubbub, PEOPLE)
    assert set(stalls) == {Case.ONE, Case.SIXTEEN}
    for each in stalls.values():
        assert each.turns > 0
        assert 0 < each.p99_s <= each.worst_s


def test_the_market_is_watched(means: Means) -> None:
    """Values come, and each has an age."""
    with at_once(means, ticker.PEER) as server:
        server.wake()
        watched = ticker.watch(means, server, PEOPLE)
    assert watched.values_per_s > 0
    assert 0 <= watched.p99_age_s <= watched.oldest_s


def test_chat_is_acknowledged(means: Means, tmp_path: Path) -> None:
    """One at a time each message is a commit; many share one."""
    with at_once(means, chat.peer(str(tmp_path))) as server:
        server.wake()
        found = chat.speak(means, server, listeners=5, speakers=4, per_s=50)
    assert set(found) == set(Speed)
    assert round(found[Speed.ONE].per_commit) == 1
    assert found[Speed.MOST].per_commit > 1
    assert found[Speed.HALF].committed >= 50
    for each in found.values():
        assert 0 < each.p50_s <= each.p99_s <= each.max_s
