"""Somebody who types into a document of pycrdt's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pycrdt

if TYPE_CHECKING:
    from collections.abc import Callable

    Doc = pycrdt.Doc[pycrdt.Text]


def update_of(doc: Doc, edit: Callable[[], object]) -> bytes:
    """Return the update of a transaction, as a stock client would send it."""
    updates: list[bytes] = []
    watch = doc.observe(lambda event: updates.append(event.update))
    with doc.transaction():
        edit()
    doc.unobserve(watch)
    return updates[0]


class Typist:
    """A client with a document of its own; each edit gives its update.

    `client_id` None: any. `updates` are in the document from the beginning.
    """

    def __init__(self, client_id: int | None = None, *updates: bytes) -> None:
        self.doc: Doc = pycrdt.Doc(client_id=client_id)
        self.text = self.doc.get("content", type=pycrdt.Text)
        for update in updates:
            self.doc.apply_update(update)

    def edit(self, edit: Callable[[], object]) -> bytes:
        """Edit the document."""
        return update_of(self.doc, edit)

    def insert(self, at: int, text: str) -> bytes:
        """Insert text before a byte."""
        return self.edit(lambda: self.text.insert(at, text))

    def delete(self, start: int, end: int) -> bytes:
        """Delete bytes."""
        return self.edit(lambda: self.text.__delitem__(slice(start, end)))
