"""The Yjs gateway: a stock y-websocket provider works on it.

Differences to a stock server, each for a reason:
- An update comes back to its author too, after the commit: that is the acknowledgement.
- An update that builds on something missing is not kept pending: the server asks for
  all that it lacks (sync step 1), and the client, which has it, sends it. A client
  whose answer builds on something missing too waits for somebody else itself: it is
  told to come back later, and nothing of it is acknowledged until then.
- While the hub is not live (`Standing`), a joined client stays connected. What it sends
  is put off: not acknowledged and not kept here, because the client has it. When the
  hub is live again, the client is asked for it. Those are told of it who know our word.
- What cannot be taken is not dropped in silence: the reason is told (auth denied), and
  the close code says whether to come back (4400-4499: not).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from ...errors import (
    DENIED,
    FLOODED,
    INVALID,
    NOT_YET,
    PERMISSION_DENIED,
    SERVER_ERROR,
    SHUTDOWN,
    SLOW,
    UNKNOWN_CHANNEL,
    Refusal,
)
from ...model import Event, Standing, StateVector, Subscribe
from .. import frames
from . import codec
from .speech import KEEP_ALIVE, awareness_frame

if TYPE_CHECKING:
    from ...errors import Disconnect, ReplyError
    from ...hub.hub import Hub
    from ...hub.session import Kept, Session

logger = logging.getLogger("hubbub.yjs")

KEEP_ALIVE_S = 20.0
ASK_AGAIN_S = 1.0
"""How soon it is asked for what was put off, and at most how often.

A store may answer and yet keep nothing: then the hub is live and not, by turns.
"""

_GOING_AWAY, _TRY_AGAIN = 1012, 1013
_BAD_FRAME, _FORBIDDEN = 4400, 4403
_SERVER_FAULT = 4500

_NOTHING = b"\x00"
"""The state vector of someone who has nothing."""


def close_words(disconnect: Disconnect) -> tuple[int, str]:
    """Say a disconnect in this wire's codes: 4400-4499 means stay away."""
    if disconnect == SHUTDOWN:
        return _GOING_AWAY, disconnect.words
    if disconnect in (SLOW, FLOODED):
        return _TRY_AGAIN, disconnect.reason
    if disconnect is DENIED:
        return _FORBIDDEN, disconnect.reason
    if disconnect.returns:
        return _SERVER_FAULT, disconnect.words
    return _BAD_FRAME, disconnect.reason


class YjsReceiver:
    """Feeds one note with the messages of one client."""

    def __init__(self, session: Session, hub: Hub, channel: str) -> None:
        self.session = session
        self._hub = hub
        self._channel = channel
        self._client: int | None = None
        self._has = _NOTHING
        """The newest state vector of the client: what it need not be sent."""
        self._asked = 0
        """How many of our steps 1 it has not answered yet."""
        self._lacking = False
        """Whether nothing is acknowledged until it has sent all that we lack."""
        self._unanswered: int | None = None
        self._unsaid: codec.AwarenessEntry | None = None
        """Its newest presence, while the others cannot be told."""
        self._asks_again = False
        self._is_ours = False
        """Whether it has shown that it knows our own messages."""
        self._turn = asyncio.Lock()
        """One thing at a time: a frame, or to ask for what was put off."""
        session.heed = self._heed
        self._stay()

    async def on_text(self, frame: bytes) -> None:
        """Refuse it: the first frame was binary, so this is a Yjs client."""
        self.session.close(INVALID)

    async def on_binary(self, frame: bytes) -> None:
        """Carry out each message of a frame, in order."""
        try:
            async with self._turn:
                for message in codec.decode(frame):
                    await self._carry_out(message)
                    if self.session.closed:
                        return
        except codec.FrameError as error:
            logger.info("a frame was refused: %s", error)
            self._refuse(INVALID, str(error))
        except Refusal as refusal:
            self._refuse(_disconnect(refusal.error), refusal.error.message)

    # What it sends

    async def _carry_out(self, message: codec.Message) -> None:
        if isinstance(message, codec.SyncStep1):
            self._has = message.state_vector
            await self._join()
            return
        if self._channel not in self.session.subscriptions:
            # Only a member may speak, and what it retains must fall when it goes.
            await self._join()
        match message:
            case codec.SyncStep2():
                answers = self._asked > 0
                self._asked -= answers
                await self._write(message.update, whole=answers)
            case codec.Update():
                await self._write(message.update, whole=False)
            case codec.Awareness():
                for entry in message.entries:
                    await self._present(entry)
            case codec.QueryAwareness():
                frame = awareness_frame(self._hub.retained(self._channel).values())
                if frame is not None:
                    self.session.push(frame, self._channel)
            case codec.SaveRequest():
                self._meet()
                self._save(message.number)

    async def _join(self) -> None:
        """Send what the client lacks, and ask for what we lack."""
        await self.session.caught_up()
        since = StateVector(self._has)
        await self._hub.join(self.session, Subscribe(None, self._channel, since))
        self._asked += 1
        # Who joins meanwhile must know: else it would not notice the end of it.
        self.session.stand(live=self._hub.neighbours.live)

    async def _write(self, update: bytes, *, whole: bool) -> None:
        """Publish an update; a `whole` one answers our step 1: it has all we lack."""
        event = Event("update", update)
        try:
            await self.session.submit(self._channel, event, self._answer)
        except Refusal as refusal:
            is_ahead = refusal.error is NOT_YET and not whole
            if not is_ahead and not self._is_put_off(refusal):
                raise
            self._lacking = True
            if is_ahead and not self._asked:
                await self._join()
            return
        if self._lacking and whole:
            self._lacking = False
            if self._unanswered is not None:
                self._save(self._unanswered)

    def _answer(self, kept: Kept) -> None:
        # The echo is the acknowledgement. What was not kept, the client has still: it
        # is asked for it, or comes back and sends it again.
        if not kept.cancelled() and kept.exception() is None:
            return
        self._lacking = True
        if self._hub.neighbours.live:
            self.session.close(SERVER_ERROR)

    async def _present(self, entry: codec.AwarenessEntry) -> None:
        """Take the presence that this client brought, not what it merely heard."""
        if self._client not in (None, entry.client):
            return
        if self._unsaid is not None:
            self._unsaid = entry
        if not self._is_news(entry):
            return
        self._client = entry.client
        state = None if entry.state is None else msgspec.json.decode(entry.state)
        content = {"client": entry.client, "clock": entry.clock, "state": state}
        event = Event("awareness", content, str(entry.client), signal=True)
        try:
            await self._hub.signal(self.session.who, self._channel, event, self.session)
        except Refusal as refusal:
            if not self._is_put_off(refusal):
                raise
            self._unsaid = entry

    def _is_news(self, entry: codec.AwarenessEntry) -> bool:
        """Whether nobody told it before: clients send again what they heard."""
        known = self._hub.retained(self._channel).get(str(entry.client))
        if known is None or not isinstance(known.content, dict):
            return entry.state is not None
        if known.author is not None and known.author.id != self.session.who.id:
            return False
        clock = known.content.get("clock")
        if not isinstance(clock, int):
            return False
        if entry.state is None and known.owner == self.session.id:
            return entry.clock >= clock
        return entry.clock > clock

    def _save(self, number: int) -> None:
        """Answer when everything that this client sent before is kept."""
        if self._lacking:
            self._unanswered = number
            return
        self._unanswered = None

        def answer(kept: Kept) -> None:
            self._answer(kept)
            if not self._lacking:
                self.session.push(frames.binary(codec.saved(number)), None)
            elif self._unanswered is None:
                self._unanswered = number

        self._hub.settled(self._channel).add_done_callback(answer)

    # While the hub is not live

    def _is_put_off(self, refusal: Refusal) -> bool:
        return refusal.error.temporary and not self._hub.neighbours.live

    def _meet(self) -> None:
        """Take it for one that knows our own messages, and tell it where we stand."""
        if self._is_ours:
            return
        self._is_ours = True
        if not self._hub.neighbours.live:
            self.session.tell(Standing(live=False))

    def _heed(self, standing: Standing) -> None:
        """Tell it where the hub stands, if it has the word; ask it when live."""
        if self._is_ours:
            self.session.tell(standing)
        if standing.live and not self._asks_again:
            self._asks_again = True
            self._hub.wheel.call_later(ASK_AGAIN_S, self._ask_again)

    def _ask_again(self) -> None:
        self._asks_again = False
        waits = self._lacking or self._unsaid is not None
        if waits and self._hub.neighbours.live and not self.session.closed:
            self._hub.tasks.spawn(self._take_up(), "yjs-take-up")

    async def _take_up(self) -> None:
        """Have what was put off sent again, and tell what was not."""
        try:
            async with self._turn:
                if self._lacking and not self._asked:
                    await self._join()
                entry, self._unsaid = self._unsaid, None
                if entry is not None:
                    await self._present(entry)
        except Refusal as refusal:
            if not self._is_put_off(refusal):
                self._refuse(_disconnect(refusal.error), refusal.error.message)
        except Exception:
            self.session.close(SERVER_ERROR)
            raise

    # How it ends, and that it does not

    def _refuse(self, disconnect: Disconnect, reason: str) -> None:
        if not disconnect.returns:
            self.session.push(frames.binary(codec.denied(reason)), None)
        self.session.close(disconnect)

    def _stay(self) -> None:
        def tick() -> None:
            if not self.session.closed:
                self.session.push_signal(KEEP_ALIVE, self._channel, "keep-alive")
                self._stay()

        self._hub.wheel.call_later(KEEP_ALIVE_S, tick)


def _disconnect(error: ReplyError) -> Disconnect:
    if error.code in (PERMISSION_DENIED.code, UNKNOWN_CHANNEL.code):
        return DENIED
    return SERVER_ERROR if error.temporary else INVALID
