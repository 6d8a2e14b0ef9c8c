"""The rules of notes: what may be written into one, and what a joiner is served.

A note is a fold of its log of raw Yjs updates; while it is open, `OpenNote` stands for
it in memory.
"""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import (
    BAD_REQUEST,
    LIMIT_EXCEEDED,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Refusal,
)
from ...model import (
    Difference,
    Position,
    StateVector,
    split_channel,
)
from ...seams.kind import CatchUp, Content, Follows, Keep, Nothing, Policy, Refused, Say
from .awareness import awareness_signal
from .document import (
    Applied,
    Broken,
    Duplicate,
    EditError,
    Missing,
    NoteDamaged,
    NoteDocument,
)
from .opened import OpenNote
from .rows import NoteTouched
from .update import EMPTY_UPDATE, UpdateError

if TYPE_CHECKING:
    from ...model import JSON, Action, Event, Principal, Publication, Since
    from ...runtime.clock import Clock
    from ...seams.kind import Accepted
    from ...seams.log import Log

logger = logging.getLogger("hubbub.notes")

_PAGE = 500
_EDIT_OVERHEAD_BYTES = 64
"""What an edit in words costs beside its text, as an update."""

_FULL = Refused(LIMIT_EXCEEDED.because("the note is full"))


class NotesKind:
    """Shared documents: anybody may read and write every note."""

    def __init__(
        self,
        clock: Clock,
        update_bytes: int = 256 * 1024,
        state_bytes: int = 2 * 1024 * 1024,
    ) -> None:
        self._clock = clock
        self._update_bytes = update_bytes
        self._state_bytes = state_bytes
        self._notes: dict[str, OpenNote] = {}
        self.policy = Policy(
            keep=Keep.DURABLE,
            content=Content.BINARY,
            # A note is all of its updates: nothing may leave but by a snapshot.
            history_size=sys.maxsize,
            history_age_s=math.inf,
            stateful=True,
            state_limit_bytes=state_bytes,
        )

    async def authorize(self, who: Principal, channel: str, action: Action) -> None:
        """Let everybody do everything, in notes whose names can be."""
        name = split_channel(channel)[1]
        if name != name.lower():
            raise Refusal(UNKNOWN_CHANNEL)

    async def load(self, channel: str, log: Log) -> Position:
        """Read the note; a note that cannot be read raises, it is never shown empty."""
        top = await log.top(channel)
        known = self._notes.get(channel)
        if known is not None and top.reaches(known.at):
            # It goes on from what was delivered: what else the log has comes by folds.
            return known.at
        snapshot = await log.latest_snapshot(channel)
        at = snapshot.at if snapshot else Position(top.epoch, 0)
        updates = [snapshot.state] if snapshot else []
        base = at.offset
        while at.offset < top.offset:
            page = await log.read(channel, at, _PAGE)
            for publication in page.publications:
                at = publication.position
                if isinstance(publication.content, bytes):
                    updates.append(publication.content)
        self._notes[channel] = OpenNote(updates, at, base, self._state_bytes)
        return at

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take a Yjs `update`, an edit in words, or the signal `awareness`."""
        note = self._notes[channel]
        try:
            if event.signal:
                now_ms = self._clock.now_ms()
                signal = awareness_signal(who, channel, event, now_ms)
                return Follows(signals=(signal,))
            if isinstance(event.content, bytes):
                return self._update(who, channel, note, event.content)
            return self._edit(who, channel, note, event)
        except Refusal as refusal:
            return Refused(refusal.error)
        except EditError as error:
            return Refused(BAD_REQUEST.because(str(error)))
        except NoteDamaged:
            # What was in flight comes back as it is committed; until then, what builds
            # on it is not yet applicable, and its client is asked for all of it.
            logger.exception("channel %s: the note is made anew", channel)
            note.accepted = NoteDocument([note.committed.raw()])
            return Refused(UNAVAILABLE)

    def _update(
        self, who: Principal, channel: str, note: OpenNote, update: bytes
    ) -> Accepted:
        self._check_length(len(update))
        if not note.fits(update):
            return _FULL
        verdict = note.accepted.apply(update)
        match verdict:
            case Applied():
                return self._follows(who, channel, note, verdict.update)
            case Duplicate():
                return Nothing.DUPLICATE
            case Missing():
                return Nothing.NOT_YET
            case Broken():
                return Refused(BAD_REQUEST.because(verdict.reason))

    def _edit(
        self, who: Principal, channel: str, note: OpenNote, event: Event
    ) -> Accepted:
        start, end, text = _edit_of(event)
        length = len(text.encode(errors="surrogatepass"))
        self._check_length(length)
        if text and not note.has_room(length + _EDIT_OVERHEAD_BYTES):
            return _FULL
        update = note.accepted.replace(start, end, text)
        if update == EMPTY_UPDATE:
            return Nothing.DUPLICATE
        return self._follows(who, channel, note, update)

    def _check_length(self, length: int) -> None:
        if length > self._update_bytes:
            most = f"an edit has at most {self._update_bytes} bytes"
            raise Refusal(LIMIT_EXCEEDED.because(most))

    def _follows(
        self, who: Principal, channel: str, note: OpenNote, update: bytes
    ) -> Follows:
        touched = NoteTouched(
            channel,
            split_channel(channel)[1],
            note.accepted.title(),
            self._clock.now_ms(),
            who.name,
            len(note.accepted.text()),
        )
        return Follows(says=(Say(channel, "update", update),), changes=(touched,))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """Serve what a Yjs client lacks, or the text, as of one position."""
        note = self._notes.get(channel)
        if note is None:
            # A failed commit closed it a moment ago; it is read anew for the next.
            raise Refusal(UNAVAILABLE)
        if note.wants_snapshot():
            await _write_snapshot(channel, note, log)
        if isinstance(since, StateVector):
            try:
                update = note.committed.diff(since.encoded)
            except UpdateError as error:
                raise Refusal(BAD_REQUEST.because(str(error))) from None
            vector = note.committed.state_vector()
            return CatchUp(note.at, recovered=False, state=Difference(update, vector))
        if since == note.at:
            return CatchUp(note.at, recovered=True)
        text, title = note.committed.text(), note.committed.title()
        return CatchUp(note.at, recovered=False, state={"text": text, "title": title})

    def fold(self, publication: Publication) -> Publication:
        """Take an update into the committed document; show how it changes the text."""
        note = self._notes.get(publication.channel)
        if note is None or not isinstance(publication.content, bytes):
            return publication
        verdict = note.committed.apply(publication.content, changes=True)
        if isinstance(verdict, Missing | Broken):
            raise NoteDamaged(f"{publication.channel} at {publication.position}")
        if not note.at.reaches(publication.position):
            note.at = publication.position
        # What another node accepted is new to the document that judges here.
        note.accepted.apply(publication.content)
        changes = (verdict.changes or ()) if isinstance(verdict, Applied) else ()
        shown: JSON = {"changes": [list(change) for change in changes]}
        return replace(publication, event="change", shown=shown)

    def retract(self, channel: str) -> None:
        """Judge by what was delivered; what was in flight comes by folds."""
        note = self._notes.get(channel)
        if note is not None:
            note.retract()

    def forget(self, channel: str) -> None:
        """Close the note."""
        self._notes.pop(channel, None)


async def _write_snapshot(channel: str, note: OpenNote, log: Log) -> None:
    """Write a snapshot; where that fails the joiner is served all the same."""
    before, at = note.snapshot_at, note.at
    state = note.compact()
    try:
        await log.snapshot(channel, at, state)
    except Exception:
        logger.exception("channel %s: cannot write a snapshot", channel)
        note.snapshot_at = before


def _edit_of(event: Event) -> tuple[int, int, str]:
    """Return from, to (code points) and text of an edit in words; raise EditError."""
    content = event.content
    if not isinstance(content, dict) or event.name not in ("insert", "replace"):
        raise EditError("notes know the events insert and replace")
    text = content.get("text")
    first, last = ("at", "at") if event.name == "insert" else ("from", "to")
    start, end = content.get(first), content.get(last)
    if type(start) is not int or type(end) is not int or not isinstance(text, str):
        raise EditError(f"{event.name} needs {first}, {last} and text")
    return start, end, text
