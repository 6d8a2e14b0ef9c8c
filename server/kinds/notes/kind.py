"""The rules of notes: what may be written into one, and what a joiner is served.

A note is a fold of its log of raw Yjs updates. Two documents stand for it while it is
open: the *accepted* one, against which updates are proved and which may be ahead of the
commit, and the *committed* one, from which joiners are served.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import (
    BAD_REQUEST,
    LIMIT_EXCEEDED,
    UNAVAILABLE,
    UNKNOWN_CHANNEL,
    Refusal,
)
from ...hub.kind import (
    CatchUp,
    Content,
    Follows,
    Keep,
    Nothing,
    Policy,
    Refused,
    Say,
)
from ...model import (
    SERVER,
    Difference,
    Position,
    Signal,
    StateVector,
    split_channel,
)
from .document import (
    Applied,
    Broken,
    Duplicate,
    EditError,
    Missing,
    NoteDamaged,
    NoteDocument,
)
from .rows import NoteTouched
from .update import EMPTY_UPDATE, UpdateError

if TYPE_CHECKING:
    from ...hub.kind import Accepted
    from ...hub.ports import Log
    from ...model import JSON, Action, Event, Principal, Publication, Since
    from ...runtime.clock import Clock

UPDATES_A_SNAPSHOT = 300
"""A join of a note with more updates than this since its last snapshot writes one."""

_PAGE = 500
_LARGEST_CLIENT_ID = 2**53 - 1


@dataclass(slots=True)
class _Note:
    """One open note: `at` is the newest update in `committed`."""

    accepted: NoteDocument
    committed: NoteDocument
    at: Position
    snapshot_at: int


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
        self._notes: dict[str, _Note] = {}
        self.policy = Policy(
            keep=Keep.DURABLE,
            content=Content.BINARY,
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
        snapshot = await log.latest_snapshot(channel)
        top = await log.top(channel)
        at = snapshot.at if snapshot else Position(top.epoch, 0)
        updates = [snapshot.state] if snapshot else []
        base = at.offset
        while at.offset < top.offset:
            page = await log.read(channel, at, _PAGE)
            for publication in page.publications:
                at = publication.position
                if isinstance(publication.content, bytes):
                    updates.append(publication.content)
        committed = NoteDocument(updates)
        accepted = NoteDocument(updates)
        self._notes[channel] = _Note(accepted, committed, at, base)
        return at

    def accept(self, who: Principal, channel: str, event: Event) -> Accepted:
        """Take a Yjs `update`, an edit in words, or the signal `awareness`."""
        note = self._notes[channel]
        if event.signal:
            return self._awareness(who, channel, event)
        if isinstance(event.content, bytes):
            return self._update(who, channel, note, event.content)
        try:
            update = _edit(note.accepted, event)
        except EditError as error:
            return Refused(BAD_REQUEST.because(str(error)))
        if update == EMPTY_UPDATE:
            return Nothing.DUPLICATE
        return self._follows(who, channel, note, update)

    def _update(
        self, who: Principal, channel: str, note: _Note, update: bytes
    ) -> Accepted:
        if len(update) > self._update_bytes:
            most = f"an update has at most {self._update_bytes} bytes"
            return Refused(LIMIT_EXCEEDED.because(most))
        if note.accepted.size + len(update) > self._state_bytes:
            return Refused(LIMIT_EXCEEDED.because("the note is full"))
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

    def _follows(
        self, who: Principal, channel: str, note: _Note, update: bytes
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

    def _awareness(self, who: Principal, channel: str, event: Event) -> Accepted:
        content = event.content
        if not isinstance(content, dict):
            return Refused(BAD_REQUEST.because("notes know the signal awareness"))
        client, clock, state = (content.get(k) for k in ("client", "clock", "state"))
        if (
            event.name != "awareness"
            or type(client) is not int
            or type(clock) is not int
            or not 0 <= client <= _LARGEST_CLIENT_ID
            or not 0 <= clock <= _LARGEST_CLIENT_ID
            or not isinstance(state, dict | None)
        ):
            return Refused(BAD_REQUEST.because("not an awareness state"))
        told: JSON = {"client": client, "clock": clock, "state": _signed(state, who)}
        signal = Signal(
            channel,
            "awareness",
            told,
            None if who is SERVER else who,
            self._clock.now_ms(),
            str(client),
            retained=True,
            fell=state is None,
        )
        return Follows(signals=(signal,))

    async def catch_up(self, channel: str, since: Since, log: Log) -> CatchUp:
        """Serve what a Yjs client lacks, or the text, as of one position."""
        note = self._notes.get(channel)
        if note is None:
            # A failed commit closed it a moment ago; it is read anew for the next.
            raise Refusal(UNAVAILABLE)
        if note.at.offset - note.snapshot_at > UPDATES_A_SNAPSHOT:
            await self._compact(channel, note, log)
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

    async def _compact(self, channel: str, note: _Note, log: Log) -> None:
        at, before = note.at, note.snapshot_at
        note.snapshot_at = at.offset
        try:
            await log.snapshot(channel, at, note.committed.compacted())
        except BaseException:
            note.snapshot_at = before
            raise

    def fold(self, publication: Publication) -> Publication:
        """Take an update into the committed document; show how it changes the text."""
        note = self._notes.get(publication.channel)
        if note is None or not isinstance(publication.content, bytes):
            return publication
        verdict = note.committed.apply(publication.content, changes=True)
        if isinstance(verdict, Missing | Broken):
            raise NoteDamaged(f"{publication.channel} at {publication.position}")
        note.at = publication.position
        # What another node accepted is new to the document that judges here.
        note.accepted.apply(publication.content)
        changes = (verdict.changes or ()) if isinstance(verdict, Applied) else ()
        shown: JSON = {"changes": [list(change) for change in changes]}
        return replace(publication, event="change", shown=shown)

    def forget(self, channel: str) -> None:
        """Close the note."""
        self._notes.pop(channel, None)


def _edit(document: NoteDocument, event: Event) -> bytes:
    content = event.content
    if not isinstance(content, dict) or event.name not in ("insert", "replace"):
        raise EditError("notes know the events insert and replace")
    text = content.get("text")
    first, last = ("at", "at") if event.name == "insert" else ("from", "to")
    start, end = content.get(first), content.get(last)
    if type(start) is not int or type(end) is not int or not isinstance(text, str):
        raise EditError(f"{event.name} needs {first}, {last} and text")
    return document.replace(start, end, text)


def _signed(state: JSON, who: Principal) -> JSON:
    """Put the name of the one who is there into a state: nobody names themselves."""
    if not isinstance(state, dict):
        return None
    user = state.get("user")
    look = dict(user) if isinstance(user, dict) else {}
    return {**state, "user": {**look, "id": who.id, "name": who.name}}
