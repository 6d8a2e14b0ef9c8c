"""The first words of a note that a server brings along."""

from __future__ import annotations

import hashlib

from .document import NoteDocument


def seed(text: str) -> bytes:
    """Return the update that writes a new note's text; always the same for a text.

    A server that keeps nothing says it again with each start, and browsers that kept
    the note merge it: the same update changes nothing there, a new one would double
    the text.
    """
    digest = hashlib.sha256(text.encode()).digest()
    return NoteDocument(client_id=int.from_bytes(digest[:4])).insert(0, text)
