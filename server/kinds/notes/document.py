"""One note in memory: proves updates before they are logged, and edits as text.

A note's truth is the log of its raw updates. This document is a view of it that may be
thrown away at any time, and is, when pycrdt and the proof disagree. An update is taken
whole or not at all, and only what was proved is logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import pycrdt

from .changes import Change, read_delta
from .guarded import deltas_of, guarded, take, updates_of
from .known import Known, Standing
from .merged import Merged
from .surrogates import SurrogateGuard
from .update import (
    EMPTY_UPDATE,
    Range,
    Update,
    UpdateError,
    encode_deletions,
    encode_state_vector,
    parse_state_vector,
    parse_update,
)

TEXT_NAME: Final = "content"
"""The name of the shared text in a note's Yjs document."""

MAX_TITLE_LENGTH: Final = 120


@dataclass(frozen=True, slots=True)
class Applied:
    """The update is in the document; `update` is what to log.

    It is the input, or, where that repeated what is known, only its new part. `changes`
    is None if they were not asked for.
    """

    update: bytes
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """All of it is known: acknowledge it, log nothing."""


@dataclass(frozen=True, slots=True)
class Missing:
    """It refers to what is not known: do not acknowledge, ask with our state vector."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It can never be taken: tell its sender why."""

    reason: str


Verdict: TypeAlias = Applied | Duplicate | Missing | Broken


class NoteDamaged(Exception):
    """The stored updates of a note cannot be read. It must not be shown as empty."""


class EditError(ValueError):
    """An edit of the text is out of range or no Unicode; nothing was changed."""


class NoteDocument:
    """A note, made from its stored updates in order (or their merge).

    It belongs to the thread that made it. `client_id` signs the edits made here; it
    must be new for each document, because (client, clock) names a unit for ever. None
    takes a random one. Raises NoteDamaged.
    """

    __slots__ = (
        "_client_id",
        "_doc",
        "_guard",
        "_known",
        "_raw",
        "_text",
        "_text_cache",
    )

    def __init__(
        self, updates: Iterable[bytes] = (), *, client_id: int | None = None
    ) -> None:
        self._client_id = client_id
        self._known = Known()
        self._guard = SurrogateGuard()
        try:
            self._raw = Merged(updates)
            self._absorb(parse_update(self._raw.merged()))
        except UpdateError as error:
            raise NoteDamaged(str(error)) from error
        self._doc, self._text = self._built()
        self._text_cache: str | None = None

    @property
    def size(self) -> int:
        """Bytes of the raw state: what a new joiner is sent."""
        return self._raw.size

    def raw(self) -> bytes:
        """Return the whole raw state as one update: what a snapshot would hold."""
        return self._raw.merged()

    def encoded_size(self) -> int:
        """Bytes of the state without what was deleted; takes time linear in it."""
        return len(self._doc.get_update())

    def state_vector(self) -> bytes:
        """Return what the note has, for a sync step 1."""
        return encode_state_vector(self._known.clocks)

    def brings(self, update: bytes) -> bool:
        """Say whether an update has new units; one that cannot be read has none."""
        try:
            blocks = parse_update(update).blocks
        except UpdateError:
            return False
        clocks = self._known.clocks
        return any(block.end > clocks.get(name, 0) for name, block in blocks.items())

    def knows_as_much_as(self, other: NoteDocument) -> bool:
        """Say whether both hold the same units, and the same of them deleted."""
        return self._known.agrees_with(other._known)

    def diff(self, state_vector: bytes) -> bytes:
        """Return what a client with this state vector lacks, from the raw bytes.

        Raises UpdateError for a state vector that may not be trusted.
        """
        return self._raw.diff(state_vector)

    def compacted(self) -> bytes:
        """Return the whole state, for a snapshot.

        pycrdt's own encoding is many times smaller than the raw bytes, because it
        joins what was typed in a row and lets go of what was deleted. It is taken only
        if a document made from it is the same; else the raw bytes are.
        """
        raw = self._raw.merged()
        compact = self._doc.get_update()
        try:
            again = NoteDocument([compact])
        except NoteDamaged:
            return raw
        same = again.text() == self.text() and again._known.agrees_with(self._known)
        return compact if same else raw

    def text(self) -> str:
        """Return the text, without formatting and embedded objects."""
        if self._text_cache is None:
            self._text_cache = str(self._text)
        return self._text_cache

    def title(self) -> str:
        """Return the first line without its heading mark; "" if there is none."""
        line = self.text().partition("\n")[0].strip()
        return line.lstrip("#").strip()[:MAX_TITLE_LENGTH].rstrip()

    def apply(self, update: bytes, *, changes: bool = False) -> Verdict:
        """Judge an update and take it if it applies; else nothing changes.

        With `changes` the text's changes are worked out too, in time linear in the
        text. Bounds on the bytes are the caller's. Raises NoteDamaged if pycrdt failed
        and the note could not be made again from its own bytes.
        """
        try:
            parsed = parse_update(update)
            standing = self._known.judge(parsed)
            if standing is Standing.DUPLICATE:
                return Duplicate()
            if standing is Standing.MISSING:
                return Missing()
            deletions = self._known.new_deletions(parsed)
            if self._guard.splits(parsed, deletions, self._known.clocks):
                return Broken("the edit cuts a character in two")
            if standing is Standing.PARTIAL:
                update, parsed = self._new_part(update, parsed, deletions)
            made = self._integrate(update, parsed, changes=changes)
        except UpdateError as error:
            return Broken(str(error))
        self._absorb(parsed)
        self._raw.append(update)
        return Applied(update, made)

    def insert(self, at: int, text: str) -> bytes:
        """Insert text before code point `at`; see `replace`."""
        return self.replace(at, at, text)

    def replace(self, start: int, end: int, text: str) -> bytes:
        """Put text in place of the code points from `start` to before `end`.

        Returns the update to log, or EMPTY_UPDATE if nothing changed. Raises EditError.
        """
        before = self.text()
        if not 0 <= start <= end <= len(before):
            raise EditError(f"{start} to {end} is not within 0 to {len(before)}")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise EditError("the text contains a lone surrogate") from error
        if len(self._text) != len(before.encode()):
            raise EditError("the note holds embedded objects, edit it in an editor")
        first = len(before[:start].encode())
        last = first + len(before[start:end].encode())
        try:
            updates = self._splice(first, last, text)
        except UpdateError as error:
            self._doc, self._text = self._built()
            raise EditError(str(error)) from error
        if not updates:
            return EMPTY_UPDATE
        self._text_cache = None
        self._absorb(parse_update(updates[0]))
        self._raw.append(updates[0])
        return updates[0]

    def _splice(self, first: int, last: int, text: str) -> list[bytes]:
        """Edit the text between two places, counted in UTF-8 bytes as pycrdt does."""
        with (
            guarded("the edit cannot be made"),
            updates_of(self._doc) as updates,
            self._doc.transaction(),
        ):
            if last > first:
                del self._text[first:last]
            if text:
                self._text.insert(first, text)
        return updates

    def _absorb(self, parsed: Update) -> None:
        self._guard.absorb(parsed, self._known.clocks)
        self._known.absorb(parsed)

    def _new_part(
        self, update: bytes, parsed: Update, deletions: dict[int, tuple[Range, ...]]
    ) -> tuple[bytes, Update]:
        """Cut off what is known: structs byte by byte, deletions range by range.

        Else each return of a client would log all that it ever deleted.
        """
        clocks = {client: self._known.clocks.get(client, 0) for client in parsed.blocks}
        with guarded("the update cannot be told from what is known"):
            update = pycrdt.get_update(update, encode_state_vector(clocks))
        structs_end = parse_update(update).structs_end
        update = update[:structs_end] + encode_deletions(deletions)
        parsed = parse_update(update)
        if self._known.judge(parsed) is not Standing.NEW:
            raise UpdateError("the update cannot be told from what is known")
        return update, parsed

    def _integrate(
        self, update: bytes, parsed: Update, *, changes: bool
    ) -> tuple[Change, ...] | None:
        before = self.text() if changes else ""
        delta: list[dict[str, object]] = []
        try:
            if changes:
                with (
                    guarded("the update cannot be applied"),
                    deltas_of(self._text) as delta,
                ):
                    take(self._doc, update, parsed)
            else:
                take(self._doc, update, parsed)
        except UpdateError:
            self._doc, self._text = self._built()
            raise
        self._text_cache = None
        return read_delta(delta, before, self.text()) if changes else None

    def _built(self) -> tuple[pycrdt.Doc[pycrdt.Text], pycrdt.Text]:
        """Make the document from the raw bytes; raises NoteDamaged."""
        doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=self._client_id)
        text = doc.get(TEXT_NAME, type=pycrdt.Text)
        try:
            raw = self._raw.merged()
            with guarded("the stored updates cannot be applied"):
                doc.apply_update(raw)
                state_vector = doc.get_state()
            clocks = parse_state_vector(state_vector, limit=len(state_vector))
        except UpdateError as error:
            raise NoteDamaged(str(error)) from error
        if clocks != self._known.clocks:
            raise NoteDamaged("the stored updates were not applied whole")
        return doc, text
