"""Of the loop's turns the longest is told, and what it was made of."""

from __future__ import annotations

import gc

from bench.stalling import Turns, WatchedSelector


def test_the_worst_turn_is_told_with_what_it_was_made_of() -> None:
    """Not the most that any turn had of each."""
    turns = Turns()
    turns.add(0.001, 0.001, 0.0009)
    turns.add(0.004, 0.003, 0.0)
    turns.add(0.002, 0.002, 0.0)
    told = turns.told()
    assert (told["turns"], told["worst_s"]) == (3, 0.004)
    assert (told["worst_cpu_s"], told["worst_gc_s"]) == (0.003, 0.0)


def test_a_turn_that_waited_for_the_cpu_is_told_from_one_that_used_it() -> None:
    """The longest may have done little: then the machine was busy."""
    turns = Turns()
    turns.add(0.009, 0.001, 0.0)
    turns.add(0.004, 0.004, 0.0)
    told = turns.told()
    assert (told["worst_cpu_s"], told["most_cpu_s"]) == (0.001, 0.004)


def test_one_in_a_hundred_turns_may_be_longer_than_p99() -> None:
    """Of two hundred, two."""
    turns = Turns()
    for number in range(200):
        turns.add(number / 1000, 0, 0)
    assert turns.told()["p99_s"] == 0.198


def test_no_turns_are_no_fault() -> None:
    """A server may be asked before it has done anything."""
    assert Turns().told()["turns"] == 0


def test_a_selector_sees_the_collector_in_its_turn() -> None:
    """What is collected between two calls counts to the turn between them."""
    with WatchedSelector() as selector:
        selector.select(0)
        selector.turns = Turns()
        gc.collect()
        selector.select(0)
        (length_s,) = selector.turns.lengths_s
        assert 0 < selector.turns.worst_gc_s <= length_s
