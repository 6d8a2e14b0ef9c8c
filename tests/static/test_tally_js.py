"""What *Break it* counts: by the flood's own numbers, and by nothing else."""

from __future__ import annotations

import pytest

from tests.static.tab import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def counted(tab: Tab, steps: str) -> dict[str, int]:
    """Return the counts that are not nought after some steps."""
    found = await tab.run(f"""
        const {{ Tally }} = await import("/static/js/lab/tally.js");
        const tally = new Tally();
        const see = (...all) => all.forEach((n) => tally.see("f", n, false));
        {steps}
        const counts = Object.entries(tally.counts);
        return Object.fromEntries(counts.filter(([, value]) => value !== 0));
    """)
    assert isinstance(found, dict)
    return found


async def test_counts_what_came(tab: Tab) -> None:
    """A whole flood: all received, and those of a reply are recovered too."""
    assert await counted(
        tab, 'see(1, 2); tally.see("f", 3, true); tally.end("f", 3);'
    ) == {"received": 3, "recovered": 1}


async def test_a_number_that_is_skipped_was_missed(tab: Tab) -> None:
    """In the middle, and at the end, which only the flood's end can show."""
    assert await counted(tab, 'see(1, 4); tally.end("f", 6);') == {
        "received": 2,
        "missed": 4,
    }


async def test_a_number_twice_is_doubled(tab: Tab) -> None:
    """It is received once."""
    assert await counted(tab, "see(1, 2, 2, 1);") == {"received": 2, "doubled": 2}


async def test_a_late_number_is_out_of_order_not_missed(tab: Tab) -> None:
    """What comes after a later one has come all the same."""
    assert await counted(tab, "see(1, 3, 2);") == {"received": 3, "disordered": 1}


async def test_what_was_told_was_not_missed(tab: Tab) -> None:
    """What the server said cannot be resumed is told; the next hole is not."""
    assert await counted(tab, "see(1); tally.cut(); see(5, 7);") == {
        "received": 3,
        "told": 3,
        "missed": 1,
        "resets": 1,
    }


async def test_what_was_told_before_the_first_number(tab: Tab) -> None:
    """Also where nothing had come yet, up to the end."""
    assert await counted(tab, 'tally.cut(); tally.end("f", 9);') == {
        "told": 9,
        "resets": 1,
    }


async def test_another_flood_begins_at_one(tab: Tab) -> None:
    """Numbers of two floods are not mistaken for each other."""
    assert await counted(
        tab, 'see(1, 2); tally.see("g", 1, false); tally.end("g", 1);'
    ) == {"received": 3}


async def test_long_floods_are_counted(tab: Tab) -> None:
    """More numbers than the table first has room for."""
    assert await counted(
        tab, 'for (let n = 1; n <= 20000; n += 1) see(n); tally.end("f", 20000);'
    ) == {"received": 20_000}


async def test_signals_are_heard_and_gaps_added_up(tab: Tab) -> None:
    """What the server withheld stands beside what came."""
    assert await counted(
        tab, "tally.hear(); tally.gap({ merged: 4, skipped: 2 });"
    ) == {"received": 1, "merged": 4, "skipped": 2}
