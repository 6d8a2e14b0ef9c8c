"""pycrdt, called with care: a panic in Rust arrives as a BaseException."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager

import pycrdt

from .update import EMPTY_UPDATE, Update, UpdateError, parse_update


@contextmanager
def guarded(failure: str) -> Iterator[None]:
    """Turn whatever pycrdt raises, panics too, into an UpdateError named `failure`."""
    try:
        yield
    except (UpdateError, CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # `except Exception` lets a panic through
        raise UpdateError(failure) from error


def take(doc: pycrdt.Doc[pycrdt.Text], update: bytes, parsed: Update) -> None:
    """Apply an update and see that pycrdt took all of its structs.

    Raises UpdateError; the document must then be thrown away.
    """
    with guarded("the update cannot be applied"), updates_of(doc) as seen:
        doc.apply_update(update)
    if seen == [update]:
        return
    taken = parse_update(seen[0] if seen else EMPTY_UPDATE)
    if _ends(parsed) != _ends(taken):
        raise UpdateError("the update was not applied whole")


@contextmanager
def updates_of(doc: pycrdt.Doc[pycrdt.Text]) -> Iterator[list[bytes]]:
    """Collect what pycrdt says that it integrated.

    A lasting observer would be a circle through Rust that nothing collects.
    """
    seen: list[bytes] = []
    watch = doc.observe(lambda event: seen.append(event.update))
    try:
        yield seen
    finally:
        doc.unobserve(watch)


@contextmanager
def deltas_of(text: pycrdt.Text) -> Iterator[list[dict[str, object]]]:
    """Collect how pycrdt says that the text changed."""
    steps: list[dict[str, object]] = []
    watch = text.observe(
        lambda event: steps.extend(event.delta)  # type: ignore[attr-defined]
    )  # pycrdt's stub leaves out what its class has
    try:
        yield steps
    finally:
        text.unobserve(watch)


def _ends(update: Update) -> dict[int, int]:
    return {client: block.end for client, block in update.blocks.items()}
